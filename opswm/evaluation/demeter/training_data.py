"""What the world model learns from on this track: twins of other runs as branched arms, logs of other runs as one arm.

Both outcomes become bad shares that grow with the outcome and stay in [0, 1]: the logarithm of latency against two
minutes (the longest a twin was watched), and the recovery time against the longest the controller waited.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow.compute as pc
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from opswm.canonical import from_feature, to_feature
from opswm.evaluation.demeter.questions import Run, by_group, encode_group, outcome_objectives
from opswm.evaluation.demeter.twins import NOT_RECOVERED_S, Twin, TwinOutcome
from opswm.tensors import Batch, Structure
from opswm.training.batches import take
from opswm.windows.points import logged_points
from opswm.windows.samples import logged_batch
from opswm.windows.stacking import stack_batches
from opswm_schemas.vocabulary import MEANING_INDEX

LONGEST_LATENCY_S: Final = 120.0
LATENCY: Final = MEANING_INDEX["latency_p95"]
THROUGHPUT: Final = MEANING_INDEX["throughput"]


@dataclass(frozen=True)
class PointsInMemory:
    """Decision points held as one batch.

    Attributes:
        batch: All of them.
        identity: What they are.
    """

    batch: Batch
    identity: str

    @property
    def num_points(self) -> int:
        """How many there are."""
        return int(self.batch.arm.shape[0])

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Yield all points once, in a random order."""
        order = torch.randperm(self.num_points, generator=generator)
        for first in range(0, self.num_points, batch_size):
            yield take(self.batch, order[first : first + batch_size])


def latency_share(latency_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a latency as a bad share: 0 up to one second, 1 from two minutes on, logarithmic between.

    Args:
        latency_s: Seconds, above 0.
    """
    share: NDArray[np.float64] = np.clip(np.log(latency_s) / math.log(LONGEST_LATENCY_S), 0.0, 1.0)
    return share


def recovery_share(recovery_s: float) -> float:
    """Return a recovery time as a bad share of the longest that the controller waited."""
    return min(1.0, recovery_s / NOT_RECOVERED_S)


def twin_batch(runs: Mapping[str, Run], twins: Sequence[Twin], context_ticks: int, horizon_ticks: int) -> Batch:
    """Return one decision point per start group, an arm per twin that ran through.

    A twin without a recovery measurement has probably crashed and is no arm. What the controller measured over a
    minute holds for the whole horizon, for want of a series.

    Args:
        runs: Recordings of the runs that the twins were started in.
        twins: At least one.
        context_ticks: Ticks of history that the model looks at.
        horizon_ticks: Ticks that it imagines.
    """
    groups: list[Batch] = []
    for key, members in by_group([twin.question for twin in twins]).items():
        questions = [twins[index].question for index in members]
        situation, courses = encode_group(runs[key[0]], questions, context_ticks, horizon_ticks)
        structure = situation.structure
        arms, (entities, slots) = len(members) + 1, structure.meaning.shape[1:]
        bad = torch.zeros(1, arms, horizon_ticks, 2)
        arm = torch.zeros(1, arms, dtype=torch.bool)
        channel = torch.zeros(1, arms, horizon_ticks, entities, slots)
        seen = torch.zeros(channel.shape, dtype=torch.bool)
        for place, index in enumerate(members, start=1):
            outcome = twins[index].outcome
            if outcome.recovery_s is None:
                continue
            arm[0, place] = True
            bad[0, place, :, 0] = float(latency_share(np.array(outcome.latency_s)))
            bad[0, place, :, 1] = recovery_share(outcome.recovery_s)
            _place(channel[0, place], seen[0, place], structure, outcome)
        effect = bad.mean(dim=(2, 3))
        groups.append(Batch(situation, courses, arm, bad, effect, torch.ones(effect.shape), channel, seen))
    return stack_batches(groups)


def log_batch(run: Run, context_ticks: int, horizon_ticks: int, most: int) -> Batch | None:
    """Return decision points of a run's log: what was done and how latency went on; None if it is too short.

    Args:
        run: A recording.
        context_ticks: Ticks of history that the model looks at.
        horizon_ticks: Ticks that it imagines.
        most: Points kept at most, evenly over the log.
    """
    taken = run.metrics["event_at"]
    since, until = (_aware(bound.as_py()) for bound in (pc.min(taken), pc.max(taken)))
    points = logged_points(run.descriptor, run.actions, since, until, horizon_ticks, 4 * horizon_ticks)
    if not points:
        return None
    points = points[:: -(-len(points) // most)]
    latency = outcome_objectives(run.descriptor)[0].model_copy(update={"weight": 1.0})
    batch = logged_batch(
        run.descriptor, run.metrics, run.actions, (), points, context_ticks, horizon_ticks, objectives=[latency]
    )
    return replace(batch, bad=_latency_bad(batch))


def _latency_bad(batch: Batch) -> Float[Tensor, "B S H O"]:
    """Replace the threshold by the share of this track; ticks without a reading keep 0 or 1 from the threshold."""
    here = (batch.situation.structure.meaning == LATENCY)[:, None, None] & batch.channel_seen
    meaning = np.array(LATENCY)
    share = latency_share(np.maximum(from_feature(batch.channel.double().numpy(), meaning), 1e-3))
    shares = torch.from_numpy(share).to(batch.bad.dtype) * here
    count = here.sum(dim=(3, 4))
    mean = shares.sum(dim=(3, 4)) / count.clamp(min=1)
    return torch.where((count > 0)[..., None], mean[..., None], batch.bad)


def _place(channel: Tensor, seen: Tensor, structure: Structure, outcome: TwinOutcome) -> None:
    """Write a twin's measured latency and throughput into the slots of their meanings, in place."""
    for meaning, value in ((LATENCY, outcome.latency_s), (THROUGHPUT, outcome.throughput_records_per_s)):
        feature = float(to_feature(np.array(value), np.array(meaning)))
        slot = structure.meaning[0] == meaning
        channel[:, slot], seen[:, slot] = feature, True


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
