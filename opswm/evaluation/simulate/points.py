"""How long decision points with their truth take in bulk: the data of a plan, made, timed and measured."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opswm.errors import StoreError
from opswm.evaluation.simulate.speed import peak_memory_bytes
from opswm.training.generate import generate_sets
from opswm.training.recipes import FIRST_TRAINING_SEED, DataPlan

CONTEXT_TICKS: Final = 128
HORIZON_TICKS: Final = 32
STEP_S: Final = 5
BRANCHES: Final = 8
FIRST_SEED: Final = 8 * FIRST_TRAINING_SEED
SET: Final = "training"
"""The one set of the plan that is made and timed."""

Advance = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Bulk:
    """What generating took.

    Attributes:
        points: Decision points that there are now, some from an earlier run.
        points_timed: Those that this run made.
        entities: Rough size of each system.
        processes: Side by side.
        wall_s: Until the last of them was written.
        cpu_s: Processor time of all processes, which a busy machine hardly changes.
        peak_memory_bytes: At most, all processes together.
    """

    points: int
    points_timed: int
    entities: int
    processes: int
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int

    @property
    def entity_seconds_per_s(self) -> float:
        """Entity-seconds of histories and branches per second, redrawn incidents and warming up not counted."""
        seconds = (CONTEXT_TICKS + BRANCHES * HORIZON_TICKS) * STEP_S
        return self.points_timed * self.entities * seconds / self.wall_s

    def idle_minutes_for(self, points: int) -> float:
        """Return how many minutes that many points take where every process has a core to itself."""
        return self.cpu_s / self.points_timed * points / self.processes / 60.0

    def minutes_for(self, points: int) -> float:
        """Return how many minutes that many points take at the same pace."""
        return self.wall_s / self.points_timed * points / 60.0


def bulk(points: int, entities: int, work: Path, seed: int, processes: int, advance: Advance) -> Bulk:
    """Return how long it took to make decision points: 640 s of history, 160 s of horizon, eight branches each.

    Args:
        points: How many.
        entities: Rough number of entities of each system.
        work: Folder for the shards; a run that was killed goes on there.
        seed: Moves the world seeds.
        processes: Side by side, one thread each.
        advance: Called as shards get done.

    Raises:
        StoreError: When the folder cannot be written, holds other data, or holds all of these already.
    """
    plan = DataPlan(
        points=points,
        validation_points=1,
        calibration_points=1,
        shop_share=0.0,
        courses=BRANCHES,
        futures=1,
        channel_courses=1,
        step_s=STEP_S,
        seed=FIRST_SEED + seed * 100_000,
    )
    there = {path.name for path in work.glob("*.safetensors")}
    began, spent_s = time.perf_counter(), _processor_s()
    finished_s = 0.0

    def note(stage: str, done: int, total: int, what: str) -> None:
        nonlocal finished_s
        finished_s = time.perf_counter() - began
        advance(done, total, what)

    made = generate_sets(plan, [SET], CONTEXT_TICKS, HORIZON_TICKS, work, note, processes, entities)
    data = made[SET]
    kept = sum(count for path, count in zip(data.paths, data.counts, strict=True) if path.name in there)
    if kept == data.num_points:
        raise StoreError(f"{work} holds these points already, so there is nothing to time: choose an empty folder")
    return Bulk(
        points=data.num_points,
        points_timed=data.num_points - kept,
        entities=entities,
        processes=processes,
        wall_s=finished_s,
        cpu_s=_processor_s() - spent_s,
        peak_memory_bytes=peak_memory_bytes() + processes * peak_memory_bytes(resource.RUSAGE_CHILDREN),
    )


def _processor_s() -> float:
    """Return the processor time of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
