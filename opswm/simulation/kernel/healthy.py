"""Systems in good health: drawn, run until settled, given latency promises they can keep, redrawn where they cannot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.rows import lay_rows, take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import WorldState, initial_state
from opswm.simulation.kernel.strengthen import strengthened
from opswm.simulation.kernel.topologies import LARGEST_DOMAIN, random_blueprint
from opswm.simulation.kernel.web_shop import web_shop

SETTLING_S: Final = 90
LOOKED_AT_S: Final = 60
MOST_ERRORS: Final = 0.02
DRAWS: Final = 6
System = Literal["web_shop", "random"]
Actions = Literal["usual", "all"]


@dataclass(frozen=True)
class Warm:
    """Systems that run well, and where they are after settling.

    Attributes:
        blueprints: The systems, latency promises included.
        second: Second of the state.
    """

    blueprints: tuple[Blueprint, ...]
    state: WorldState
    second: int


def settle_ticks(step_s: int) -> int:
    """Return how many ticks a system runs before anybody looks at it."""
    return -(-(SETTLING_S + LOOKED_AT_S) // step_s)


def warm_systems(
    system: System, world_seeds: Sequence[int], step_s: int, entities: int | None = None, actions: Actions = "usual"
) -> Warm:
    """Return one healthy system per seed, settled.

    The demo system is always the same; random ones are redrawn until they err on less than two requests in a hundred at
    their usual load (the last draw stands). Large ones are given more where they fall short instead: among hundreds of
    parts some always do.

    Args:
        system: Which kind.
        world_seeds: One per world; a seed gives the same system in every batch.
        step_s: Telemetry step.
        entities: Rough number of entities of random systems; as drawn where left out.
        actions: Whether every type of action can be taken in random systems.
    """
    if system == "web_shop":
        shops = [web_shop(step_s) for _ in world_seeds]
        state, _ = _settled(shops, world_seeds)
        return Warm(tuple(shops), state, state.second)
    wanted = list(range(len(world_seeds)))
    blueprints: list[Blueprint | None] = [None] * len(world_seeds)
    better: dict[int, Blueprint] = {}
    kept: list[tuple[list[int], WorldState]] = []
    for draw in range(DRAWS):
        drawn = [better.get(row) or _draw(world_seeds[row], draw, step_s, entities, actions) for row in wanted]
        seeds = [world_seeds[row] for row in wanted]
        state, usual = _settled(drawn, seeds)
        promised, healthy = _promised(drawn, seeds, usual)
        taken: list[int] = []
        for at, (row, blueprint, good) in enumerate(zip(wanted, promised, healthy, strict=True)):
            if good or draw == DRAWS - 1:
                blueprints[row] = blueprint
                taken.append(at)
            elif len(blueprint.parts) > LARGEST_DOMAIN:
                better[row] = strengthened(drawn[at], usual[at], np.random.default_rng([world_seeds[row], draw, 6]))
        if taken:
            kept.append(([wanted[at] for at in taken], take_rows(state, torch.tensor(taken))))
        wanted = [row for row in wanted if blueprints[row] is None]
        if not wanted:
            break
    found = [blueprint for blueprint in blueprints if blueprint is not None]
    return _together(found, kept)


def seeds_of(world_seeds: Sequence[int], future: int) -> Int[Tensor, " W"]:
    """Return the noise seeds of worlds in one exogenous future (0 is the past that all futures share)."""
    worlds = torch.tensor(list(world_seeds), dtype=torch.int64)
    return noise.world_seeds(0, worlds, torch.full_like(worlds, future))


def _draw(seed: int, draw: int, step_s: int, entities: int | None, actions: Actions) -> Blueprint:
    return random_blueprint(np.random.default_rng([seed, draw, 1]), entities, step_s=step_s, actions=actions)


def _together(blueprints: Sequence[Blueprint], kept: Sequence[tuple[list[int], WorldState]]) -> Warm:
    """Return systems with the states that they settled in, whichever batch that was."""
    second = kept[0][1].second
    state = replace(initial_state(assemble(blueprints, checked=True)), second=second)
    for rows, settled in kept:
        state = lay_rows(state, torch.tensor(rows), settled)
    return Warm(tuple(blueprints), state, second)


def _settled(blueprints: Sequence[Blueprint], world_seeds: Sequence[int]) -> tuple[WorldState, Float[Tensor, "W N C"]]:
    """Return where systems are after settling, and their usual signals then."""
    parameters = assemble(blueprints)
    ticks, seeds, tape = settle_ticks(parameters.step_s), seeds_of(world_seeds, 0), empty_tape(len(blueprints))
    looked = min(ticks - 1, max(1, LOOKED_AT_S // parameters.step_s))
    state, _ = simulate(parameters, initial_state(parameters), tape, ticks - looked, seeds, "objectives")
    state, seen = simulate(parameters, state, tape, looked, seeds)
    return state, seen.signals.mean(1)


def _promised(
    blueprints: Sequence[Blueprint], world_seeds: Sequence[int], usual: Float[Tensor, "W N C"]
) -> tuple[list[Blueprint], list[bool]]:
    """Return the systems with latency thresholds above their usual tail, and whether each is healthy."""
    settled: list[Blueprint] = []
    healthy: list[bool] = []
    for row, (blueprint, seed) in enumerate(zip(blueprints, world_seeds, strict=True)):
        rng = np.random.default_rng([seed, 2])
        goals = []
        good = True
        for goal in blueprint.goals:
            at = usual[row, blueprint.index(goal.inlet)]
            good &= float(at[SIGNALS.index("error_ratio")]) < MOST_ERRORS
            if not goal.deadline:
                tail_s = float(at[SIGNALS.index("latency_p99")])
                goal = replace(goal, threshold_s=round(max(0.05, tail_s * float(rng.uniform(1.2, 2.2))), 3))
            else:
                queue = usual[row, blueprint.index(goal.entity)]
                good &= float(queue[SIGNALS.index("latency_p99")]) < goal.threshold_s / 3.0
            goals.append(goal)
        settled.append(replace(blueprint, goals=tuple(goals)))
        healthy.append(good)
    return settled, healthy
