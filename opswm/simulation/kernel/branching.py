"""True counterfactuals: the same worlds continued under each candidate course, in shared exogenous futures.

Definitions are those of the project's benchmark: SLO cost in bad minutes, effects as differences to waiting, standard
errors from paired futures, a noise floor below which two courses are tied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.forcings import ActionTape, Schedule, join_slots, schedule
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.rows import join_rows, take_rows
from opswm.simulation.kernel.simulate import Observables, simulate
from opswm.simulation.kernel.state import WorldState

FLOOR_BAD_MINUTES: Final = 0.05
FLOOR_SHARE: Final = 0.02
GOOD_SHARE: Final = 0.05
GOOD_TICKS: Final = 3
CELLS_AT_ONCE: Final = 65_536
"""Entities simulated at once: enough that each operation is long, few enough to stay near the processor."""


@dataclass(frozen=True)
class Branches:
    """Outcomes of every course in every shared future.

    Attributes:
        bad_share: Bad share of first attempts per objective and tick.
        cost: SLO cost in bad minutes, the course's own cost included.
        failed: Bad first attempts, all objectives together.
        recovery_min: Minutes until the weighted bad share stays at 5 % or less for three ticks; the horizon if never.
    """

    bad_share: Float[Tensor, "W S R H O"]
    cost: Float[Tensor, "W S R"]
    failed: Float[Tensor, "W S R"]
    recovery_min: Float[Tensor, "W S R"]


@dataclass(frozen=True)
class Truth:
    """What each course truly does, against waiting (course 0).

    Attributes:
        cost: Mean SLO cost over the shared futures, bad minutes.
        effect: Mean difference of SLO cost to course 0.
        effect_error: Its standard error from paired futures.
        tied: Courses within the noise floor of the best.
        settled: Whether every standard error is at most a quarter of the noise floor.
        num_futures: Futures that the means are over.
    """

    cost: Float[Tensor, "W S"]
    effect: Float[Tensor, "W S"]
    effect_error: Float[Tensor, "W S"]
    tied: Bool[Tensor, "W S"]
    settled: Bool[Tensor, " W"]
    num_futures: int


def noise_floor(horizon_ticks: int, step_s: float | int) -> float:
    """Return the difference in bad minutes below which two courses are tied."""
    return max(FLOOR_BAD_MINUTES, FLOOR_SHARE * horizon_ticks * step_s / 60.0)


def branch(
    parameters: WorldParameters,
    state: WorldState,
    past: ActionTape,
    past_plan: Schedule,
    courses: Sequence[ActionTape],
    own_cost: Float[Tensor, "W S"],
    horizon_ticks: int,
    seed: int,
    worlds: Int[Tensor, " W"],
    futures: Sequence[int],
) -> Branches:
    """Continue each world under each course in each exogenous future.

    Args:
        parameters: The worlds.
        state: Their true state at the decision.
        past: Actions requested before; those still under way go on in every course.
        past_plan: Their schedule as it was lived.
        courses: One tape per course, for all worlds; the first waits.
        own_cost: What doing each course costs in itself, bad minutes.
        horizon_ticks: How far to look.
        seed: Seed of the run.
        worlds: Number of each world, which keys its noise.
        futures: Numbers of the exogenous futures, from 1; the same for all courses.
    """
    count, num_courses, num_futures = len(worlds), len(courses), len(futures)
    per_world = num_courses * num_futures
    most = max(1, CELLS_AT_ONCE // (per_world * parameters.entities.slots.shape[1]))
    at_once = -(-count // -(-count // most))
    found: list[Observables] = []
    for first in range(0, count, at_once):
        chunk = torch.arange(first, min(count, first + at_once), device=worlds.device)
        found.append(
            _continue(parameters, state, past, past_plan, courses, chunk, horizon_ticks, seed, worlds[chunk], futures)
        )
    whole = join_rows(found)
    shape = (count, num_courses, num_futures, horizon_ticks, -1)
    offered, bad = whole.offered.view(shape), whole.bad.view(shape)
    weight = parameters.objectives.weight[:, None, None, None, :]
    share = bad / offered.clamp(min=1.0)
    weighted = (share * weight).sum(-1)
    minutes = parameters.step_s / 60.0
    return Branches(
        bad_share=share,
        cost=weighted.sum(-1) * minutes + own_cost[..., None],
        failed=bad.sum((-1, -2)),
        recovery_min=_recovery_ticks(weighted) * minutes,
    )


def truth(branches: Branches, horizon_ticks: int, step_s: float | int) -> Truth:
    """Return means, paired standard errors and ties of branched outcomes."""
    floor = noise_floor(horizon_ticks, step_s)
    paired = branches.cost - branches.cost[:, :1]
    cost, effect = branches.cost.mean(-1), paired.mean(-1)
    futures = branches.cost.shape[-1]
    error = paired.std(-1) / futures**0.5 if futures > 1 else torch.full_like(effect, float("inf"))
    error = torch.where(torch.arange(error.shape[1], device=error.device) == 0, torch.zeros_like(error), error)
    return Truth(
        cost=cost,
        effect=effect,
        effect_error=error,
        tied=cost <= cost.min(1, keepdim=True).values + floor,
        settled=(error <= floor / 4.0).all(1),
        num_futures=futures,
    )


def _continue(
    parameters: WorldParameters,
    state: WorldState,
    past: ActionTape,
    past_plan: Schedule,
    courses: Sequence[ActionTape],
    chunk: Int[Tensor, " V"],
    horizon_ticks: int,
    seed: int,
    worlds: Int[Tensor, " V"],
    futures: Sequence[int],
) -> Observables:
    """Return outcomes of rows ordered by world, course, future."""
    num_courses, num_futures = len(courses), len(futures)
    rows = chunk.repeat_interleave(num_courses * num_futures)
    numbers = torch.tensor(futures, device=chunk.device).repeat(len(chunk) * num_courses)
    seeds = noise.world_seeds(seed, worlds.repeat_interleave(num_courses * num_futures), numbers)
    there = [take_rows(tape, chunk) for tape in courses]
    order = torch.arange(len(chunk) * num_courses, device=chunk.device).view(num_courses, len(chunk)).T.reshape(-1)
    tape = take_rows(join_rows(there), order.repeat_interleave(num_futures))
    branched = take_rows(parameters, rows)
    plan = join_slots(take_rows(past_plan, rows), schedule(tape, branched.operations, seeds))
    tape = join_slots(take_rows(past, rows), tape)
    _, seen = simulate(branched, take_rows(state, rows), tape, horizon_ticks, seeds, "objectives", plan)
    return seen


def _recovery_ticks(weighted: Float[Tensor, "W S R H"]) -> Float[Tensor, "W S R"]:
    """Return the first tick from which the bad share is low for three ticks (or to the end), else the horizon."""
    horizon = weighted.shape[-1]
    good = weighted <= GOOD_SHARE
    held = good.clone()
    for ahead in range(1, min(GOOD_TICKS, horizon)):
        held[..., : horizon - ahead] &= good[..., ahead:]
    first = held.float().argmax(-1)
    return torch.where(held.any(-1), first, torch.full_like(first, horizon)).float()
