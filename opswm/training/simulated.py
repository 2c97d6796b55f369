"""Decision points of simulated worlds with the true effects of every course, as training batches."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.episodes import Course, EpisodePlan, Lived, branch_courses, live, propose
from opswm.simulation.kernel.forcings import join_slots, schedule
from opswm.simulation.kernel.healthy import seeds_of, settle_ticks
from opswm.simulation.kernel.observe import measured, observe
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.simulate import simulate
from opswm.tensors import Batch
from opswm.training.encode import encode_courses, encode_lived, signal_features


def simulate_batch(
    plan: EpisodePlan,
    world_seeds: Sequence[int],
    num_courses: int,
    num_futures: int,
    channel_courses: int,
    horizon: int,
) -> Batch:
    """Return one decision point per world seed, a function of the seeds alone.

    Args:
        plan: Which systems, how much history.
        world_seeds: One per decision point.
        num_courses: Candidate courses, ``no_op`` among them.
        num_futures: Exogenous futures behind each mean outcome.
        channel_courses: Courses whose channels are kept: ``no_op`` and those that change most, which come next to it;
            the others' are masked out.
        horizon: Ticks after the decision.
    """
    lived = live(plan, world_seeds)
    proposed = propose(num_courses)
    courses = [list(proposed(lived, row)) for row in range(len(world_seeds))]
    arm = torch.zeros(len(courses), num_courses, dtype=torch.bool)
    for row, world in enumerate(courses):
        arm[row, : len(world)] = True
        world += [()] * (num_courses - len(world))
    branches = branch_courses(lived, courses, horizon, range(1, num_futures + 1))
    share = branches.bad_share
    weight = lived.parameters.objectives.weight
    paired = torch.einsum("wsrho,wo->wsr", share - share[:, :1], weight) / horizon
    order = _telling_first(paired.mean(dim=2), arm)
    courses = [[world[course] for course in row] for world, row in zip(courses, order.tolist(), strict=True)]
    arm, share, paired = (_reordered(part, order) for part in (arm, share, paired))
    there = measured(lived.blueprints, lived.value.shape[2])
    channel, channel_seen = _futures(lived, there, courses, channel_courses, horizon)
    missing = num_courses - channel_courses
    return Batch(
        situation=encode_lived(lived, there),
        courses=encode_courses(lived, courses, lived.value.shape[2]),
        arm=arm,
        bad=share.mean(dim=2),
        effect=paired.mean(dim=2),
        effect_error=paired.std(dim=2) / num_futures**0.5 if num_futures > 1 else torch.zeros_like(paired[..., 0]),
        channel=torch.nn.functional.pad(channel, (0, 0) * 3 + (0, missing)),
        channel_seen=torch.nn.functional.pad(channel_seen, (0, 0) * 3 + (0, missing)),
    )


def _telling_first(effect: Float[Tensor, "B S"], arm: Bool[Tensor, "B S"]) -> Int[Tensor, "B S"]:
    """Return an order of courses, ``no_op`` first, then those that change most, whose channels tell most."""
    size = effect.abs().masked_fill(~arm, -1.0)
    size[:, 0] = torch.inf
    return torch.argsort(size, dim=1, descending=True, stable=True)


def _reordered(part: Tensor, order: Int[Tensor, "B S"]) -> Tensor:
    return part[torch.arange(order.shape[0])[:, None], order]


def _futures(
    lived: Lived, there: Bool[Tensor, "B N C"], courses: Sequence[Sequence[Course]], count: int, horizon: int
) -> tuple[Float[Tensor, "B S H N C"], Bool[Tensor, "B S H N C"]]:
    """Return features of what monitoring stores in one exogenous future of the first few courses."""
    worlds = len(courses)
    rows = torch.arange(worlds).repeat_interleave(count)
    kinds = [lived.blueprints[row] for row in rows.tolist()]
    seeds = seeds_of(lived.world_seeds, 1)[rows]
    parameters, step_s = take_rows(lived.parameters, rows), lived.parameters.step_s
    tape = tape_of(kinds, [course for world in courses for course in world[:count]])
    when = join_slots(take_rows(lived.past_plan, rows), schedule(tape, parameters.operations, seeds))
    whole = join_slots(take_rows(lived.past, rows), tape)
    _, after = simulate(parameters, take_rows(lived.state, rows), whole, horizon, seeds, "all", when)
    missing, noise_scale, gap_ratio = (
        torch.tensor([float(getattr(kind, name)) for kind in kinds])
        for name in ("missing_ratio", "noise_scale", "gap_ratio")
    )
    first = settle_ticks(step_s) + lived.value.shape[1]
    value, seen = observe(after.signals, there[rows], missing, seeds, first, step_s, noise_scale, gap_ratio)
    shape = (worlds, count, *seen.shape[1:])
    return signal_features(value, seen).view(shape), seen.view(shape)
