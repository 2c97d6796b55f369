"""Decision points of the per-request engine: worlds lived up to a decision, and courses continued from there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opswm.simulation.events.systems import MOST_RPS, healthy_system, settle_ticks
from opswm.simulation.events.world import Observed, World
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.branching import Branches
from opswm.simulation.kernel.episodes import Course, EpisodePlan
from opswm.simulation.kernel.incidents import Incident, draw_incident
from opswm.simulation.kernel.observe import measured, observe
from opswm.simulation.kernel.past import Done, past_actions
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.lived import Witnessed

INCIDENT_DRAWS: Final = 5
ALERT_SHARE: Final = 0.02
ALERT_TICKS: Final = 3
GOOD_SHARE: Final = 0.05
GOOD_TICKS: Final = 3
_OBSERVED: Final = 0x0B5E


@dataclass(frozen=True)
class EventLived(Witnessed):
    """Worlds at their decision, ready to go on.

    Attributes:
        worlds: One per world seed; what they do next is tried on copies.
    """

    worlds: tuple[World, ...]


@dataclass(frozen=True)
class _Past:
    """One world up to its decision."""

    blueprint: Blueprint
    incident: Incident
    world: World
    seen: Observed
    done: list[Done]


def live(plan: EpisodePlan, world_seeds: Sequence[int], most_rps: float = MOST_RPS) -> EventLived:
    """Return worlds that have run up to their decision.

    Args:
        plan: Which systems, how much history.
        world_seeds: One per decision point; a seed gives the same world in every batch.
        most_rps: Requests per second at all parts of a random system together, at most.

    Raises:
        ValueError: When there is no seed, or a seed is negative.
    """
    if not world_seeds or min(world_seeds) < 0:
        raise ValueError(f"give at least one world seed, all of them 0 or more; got {list(world_seeds)[:5]}")
    pasts = [_live_one(plan, seed, most_rps) for seed in world_seeds]
    entities = max(len(past.blueprint.parts) for past in pasts)
    exact = torch.zeros(len(pasts), plan.context_ticks, entities, len(SIGNALS))
    bad_share = torch.zeros(len(pasts), plan.context_ticks, max(len(past.blueprint.goals) for past in pasts))
    for row, past in enumerate(pasts):
        exact[row, :, : len(past.blueprint.parts)] = torch.from_numpy(past.seen.signals)
        bad_share[row, :, : len(past.blueprint.goals)] = torch.from_numpy(_share(past.seen))
    blueprints = [past.blueprint for past in pasts]
    value, seen = _stored(blueprints, exact, world_seeds, plan.step_s)
    return EventLived(
        world_seeds=tuple(world_seeds),
        blueprints=tuple(blueprints),
        incidents=tuple(past.incident for past in pasts),
        decision_s=pasts[0].world.second,
        value=value,
        seen=seen,
        exact=exact,
        done=tuple(tuple(past.done) for past in pasts),
        bad_share=bad_share,
        worlds=tuple(past.world for past in pasts),
    )


def branch_one(
    lived: EventLived, row: int, courses: Sequence[Course], horizon_ticks: int, futures: Sequence[int]
) -> Branches:
    """Return what each course of one world does in exogenous futures that all courses share.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        courses: What is requested; the first waits.
        horizon_ticks: How far to look.
        futures: Numbers of the futures, from 1.
    """
    world, goals = lived.worlds[row], lived.blueprints[row].goals
    step_s = lived.blueprints[row].step_s
    minutes = step_s / 60.0
    weight = np.array([float(goal.weight) for goal in goals])
    shape = (len(courses), len(futures))
    share = np.zeros((*shape, horizon_ticks, len(goals)))
    failed, recovery = np.zeros(shape), np.zeros(shape)
    for place, future in enumerate(futures):
        for at, (offered, bad) in enumerate(_outcomes(world.branch(future), courses, horizon_ticks, step_s)):
            share[at, place] = bad / np.maximum(offered, 1.0)
            failed[at, place] = bad.sum()
            recovery[at, place] = recovery_ticks(share[at, place] @ weight) * minutes
    own_cost = np.array([sum(float(request.ability.cost) for request in course) for course in courses])
    cost = (share @ weight).sum(-1) * minutes + own_cost[:, None]
    return Branches(
        bad_share=_tensor(share), cost=_tensor(cost), failed=_tensor(failed), recovery_min=_tensor(recovery)
    )


def _outcomes(
    waiting: World, courses: Sequence[Course], horizon_ticks: int, step_s: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return what is offered and bad in one future under each course.

    A course is waiting until the tick of its first effect, and altogether where nothing of it succeeds; so it is
    copied from waiting as late as that.

    Args:
        waiting: A world in that future; it is run to the end.
        courses: What is requested in it.
        horizon_ticks: How far to look.
        step_s: Length of a tick.
    """
    begun, first = waiting.second, waiting.clients[0].tick + 1
    parting: list[int] = []
    for course in courses:
        fates = [waiting.fate(request) for request in course]
        seconds = [effect_s for effect_s, succeeds in fates if succeeds]
        parting.append(max(0, int(min(seconds) - begun)) // step_s if seconds else horizon_ticks)
    found: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    done = 0
    for at in sorted(range(len(courses)), key=lambda one: parting[one]):
        if parting[at] >= horizon_ticks:
            break
        if parting[at] > done:
            waiting.run(parting[at] - done, record=False)
            done = parting[at]
        other = waiting.branch(waiting.future)
        for request in courses[at]:
            other.request(request)
        other.run(horizon_ticks - done, record=False)
        found[at] = other.judge(first)
    if horizon_ticks > done:
        waiting.run(horizon_ticks - done, record=False)
    unchanged = waiting.judge(first)
    return [found.get(at, unchanged) for at in range(len(courses))]


def recovery_ticks(weighted: NDArray[np.float64]) -> int:
    """Return the first tick from which the bad share is low for three ticks (or to the end), else their number.

    Args:
        weighted: Bad share of all objectives together, per tick.
    """
    good = weighted <= GOOD_SHARE
    for tick in range(len(good)):
        if good[tick : tick + GOOD_TICKS].all():
            return tick
    return len(good)


def _live_one(plan: EpisodePlan, seed: int, most_rps: float) -> _Past:
    healthy = healthy_system(plan.system, seed, plan.step_s, plan.entities, most_rps, plan.actions)
    calm = np.random.default_rng([seed, 3]).random() < plan.calm_share
    first_s = float(healthy.world.second)
    context_s = float(plan.context_ticks * plan.step_s)
    for draw in range(INCIDENT_DRAWS):
        rng = np.random.default_rng([seed, draw, 5])
        incident = draw_incident(healthy.blueprint, first_s + context_s, context_s, rng)
        blueprint = replace(healthy.blueprint, breakages=incident.breakages)
        world = healthy.world.branch(0)
        world.blueprint = blueprint
        world.break_down(incident.breakages)
        fates = [world.request(request) for request in incident.past]
        seen = world.run(plan.context_ticks)
        if calm or _is_alerting(blueprint, seen):
            break
    done = past_actions(
        blueprint,
        incident.past,
        np.array([effect_s for effect_s, _ in fates], np.float32),
        np.array([succeeds for _, succeeds in fates], np.bool_),
        seen.scaled,
        seen.signals[..., SIGNALS.index("replicas_desired")],
        first_s,
    )
    return _Past(blueprint, incident, world, seen, done)


def _share(seen: Observed) -> NDArray[np.float64]:
    return np.asarray(seen.bad / np.maximum(seen.offered, 1.0))


def _is_alerting(blueprint: Blueprint, seen: Observed) -> bool:
    weight = np.array([float(goal.weight) for goal in blueprint.goals])
    return bool((_share(seen)[-ALERT_TICKS:] @ weight).mean() > ALERT_SHARE)


def _stored(
    blueprints: Sequence[Blueprint], exact: Tensor, world_seeds: Sequence[int], step_s: int
) -> tuple[Tensor, Tensor]:
    """Return readings as monitoring stored them, and which there are."""
    keys = [int(np.random.SeedSequence([seed, _OBSERVED]).generate_state(1)[0]) - 2**31 for seed in world_seeds]
    missing = torch.tensor([float(blueprint.missing_ratio) for blueprint in blueprints])
    there = measured(blueprints, exact.shape[2])
    return observe(exact, there, missing, torch.tensor(keys, dtype=torch.int32), settle_ticks(step_s), step_s)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    """Return values of one world as a batch of one."""
    return torch.from_numpy(values).float()[None]
