"""Decision points of simulated worlds with the true effects of every course, as training batches."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.episodes import Course, EpisodePlan, Lived, branch_courses, live, propose
from opswm.simulation.kernel.forcings import join_slots, schedule
from opswm.simulation.kernel.healthy import seeds_of, settle_ticks
from opswm.simulation.kernel.observe import measured, observe
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
        channel_courses: Courses whose channels are kept, ``no_op`` first; the others' are masked out.
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


def _futures(
    lived: Lived, there: Bool[Tensor, "B N C"], courses: Sequence[Sequence[Course]], count: int, horizon: int
) -> tuple[Float[Tensor, "B S H N C"], Tensor]:
    """Return features of what monitoring stores in one exogenous future of the first few courses."""
    seeds = seeds_of(lived.world_seeds, 1)
    missing = torch.tensor([blueprint.missing_ratio for blueprint in lived.blueprints])
    step_s = lived.parameters.step_s
    first = settle_ticks(step_s) + lived.value.shape[1]
    values, stored = [], []
    for number in range(count):
        tape = tape_of(lived.blueprints, [world[number] for world in courses])
        when = join_slots(lived.past_plan, schedule(tape, lived.parameters.operations, seeds))
        whole = join_slots(lived.past, tape)
        _, after = simulate(lived.parameters, lived.state, whole, horizon, seeds, "all", when)
        value, seen = observe(after.signals, there, missing, seeds, first, step_s)
        values.append(signal_features(value, seen))
        stored.append(seen)
    return torch.stack(values, dim=1), torch.stack(stored, dim=1)
