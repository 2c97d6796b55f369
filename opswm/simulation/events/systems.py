"""Systems in good health for this engine: drawn as for the other one, at rates that it can bear.

A request costs some twenty microseconds at every part that it touches, so random systems are drawn smaller in rate (not
in shape): demand is lowered until all parts together see at most ``MOST_RPS`` requests a second, and then capacities,
pools and timeouts are sized anew for that demand, as for any other.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from opswm.simulation.events.world import Observed, World
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.finish import finish
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.sizing import usual
from opswm.simulation.kernel.topologies import random_blueprint
from opswm.simulation.kernel.web_shop import web_shop

Actions = Literal["usual", "all"]
MOST_RPS: Final = 200.0
SETTLING_S: Final = 90
LOOKED_AT_S: Final = 60
MOST_ERRORS: Final = 0.02
DRAWS: Final = 6


@dataclass(frozen=True)
class Healthy:
    """A system that runs well, and the world in which it does."""

    blueprint: Blueprint
    world: World


def settle_ticks(step_s: int) -> int:
    """Return how many ticks a system runs before anybody looks at it."""
    return -(-(SETTLING_S + LOOKED_AT_S) // step_s)


def healthy_system(
    system: Literal["web_shop", "random"],
    seed: int,
    step_s: int,
    entities: int | None,
    most_rps: float,
    actions: Actions = "usual",
) -> Healthy:
    """Return a settled system that errs on less than two first attempts in a hundred, or the last one drawn.

    Args:
        system: The demo system, or a random one.
        seed: Of the world.
        step_s: Telemetry step.
        entities: Rough number of entities of a random system; as drawn where left out.
        most_rps: Requests per second at all parts of a random system together, at most.
        actions: Whether every type of action can be taken in a random system, or the usual ones.
    """
    draws = DRAWS if system == "random" else 1
    for draw in range(draws):
        blueprint = web_shop(step_s)
        if system == "random":
            rng = np.random.default_rng([seed, draw, 1])
            drawn = random_blueprint(rng, entities, step_s=step_s, actions=actions)
            blueprint = lowered(drawn, most_rps, actions)
        world = World(blueprint, seed)
        world.run(max(1, SETTLING_S // step_s), record=False)
        seen = world.run(settle_ticks(step_s) - max(1, SETTLING_S // step_s))
        if system == "web_shop":
            break
        blueprint, good = _promised(blueprint, seen, np.random.default_rng([seed, 2]))
        world.set_thresholds(blueprint)
        if good:
            break
    return Healthy(blueprint, world)


def total_rps(blueprint: Blueprint) -> float:
    """Return the usual requests per second at all parts together."""
    return float(sum(usual(blueprint.parts, blueprint.links, blueprint.inlets).rate_rps.values()))


def lowered(blueprint: Blueprint, most_rps: float, actions: Actions = "usual") -> Blueprint:
    """Return the system with its demand lowered as far as needed and everything sized for that.

    Args:
        blueprint: A finished system.
        most_rps: Requests per second at all parts together, at most.
        actions: Whether every type of action can be taken in it, or the usual ones.

    Raises:
        ValueError: When the limit is not positive.
    """
    if not most_rps > 0.0:
        raise ValueError(f"most_rps is {most_rps}; it must be positive")
    total = total_rps(blueprint)
    if total <= most_rps:
        return blueprint
    inlets = [replace(inlet, rate_rps=float(inlet.rate_rps) * most_rps / total) for inlet in blueprint.inlets]
    rng = np.random.default_rng([len(blueprint.parts), round(total * 1000.0)])
    smaller = finish(
        blueprint.name,
        blueprint.parts,
        blueprint.links,
        inlets,
        blueprint.goals,
        rng,
        blueprint.step_s,
        actions=actions,
    )
    kept: dict[str, Any] = {"sensors": blueprint.sensors, "missing_ratio": blueprint.missing_ratio}
    return replace(smaller, **kept)


def _promised(blueprint: Blueprint, seen: Observed, rng: np.random.Generator) -> tuple[Blueprint, bool]:
    """Return the system with latency thresholds above its usual tail, and whether it is healthy."""
    usually = seen.signals.mean(0)
    goals, good = [], True
    for goal in blueprint.goals:
        entry = usually[blueprint.index(goal.inlet)]
        good &= float(entry[SIGNALS.index("error_ratio")]) < MOST_ERRORS
        if goal.deadline:
            queue = usually[blueprint.index(goal.entity)]
            lag, pace = (float(queue[SIGNALS.index(name)]) for name in ("consumer_lag", "throughput"))
            good &= lag < pace * float(goal.threshold_s) / 3.0
        else:
            tail_s = float(entry[SIGNALS.index("latency_p99")])
            goal = replace(goal, threshold_s=round(max(0.05, tail_s * float(rng.uniform(1.2, 2.2))), 3))
        goals.append(goal)
    return replace(blueprint, goals=tuple(goals)), good
