"""How fast worlds advance: several processes of one thread each, which is how data are generated in bulk."""

import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Final

import torch

from opswm.evaluation.simulate.workloads import Name, workload
from opswm.simulation.kernel.memory import keep_memory

WARM_TICKS: Final = 2
LONGEST_START_S: Final = 600.0


@dataclass(frozen=True)
class Speed:
    """What one batch size gave.

    Attributes:
        worlds: Worlds in the batch of each process.
        entities: Entities in it, padding not counted.
        entity_seconds_per_s: Of all processes together, by the clock on the wall.
        per_cpu_s: Entity-seconds per second that a processor worked on them, which a busy machine hardly changes.
        peak_memory_bytes: Most memory that any of the processes held so far.
    """

    worlds: int
    entities: int
    entity_seconds_per_s: float
    per_cpu_s: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class _Lap:
    entities: int
    entity_seconds: float
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int


def speeds(
    name: Name, worlds: Sequence[int], entities: int, seconds: float, processes: int, seed: int
) -> tuple[Speed, ...]:
    """Return the speed at several batch sizes.

    Args:
        name: What to advance.
        worlds: Batch sizes, worlds in each process.
        entities: Rough number of entities of each random system.
        seconds: How long to measure each, at least.
        processes: How many work side by side, from the same moment on.
        seed: Of the worlds.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        start = manager.Barrier(processes)
        running = [
            pool.submit(_laps, name, tuple(worlds), entities, seconds, seed + number, start)
            for number in range(processes)
        ]
        laps = [process.result() for process in running]
    return tuple(_together(count, [lap[at] for lap in laps]) for at, count in enumerate(worlds))


def _together(worlds: int, laps: Sequence[_Lap]) -> Speed:
    return Speed(
        worlds=worlds,
        entities=laps[0].entities,
        entity_seconds_per_s=sum(lap.entity_seconds / lap.wall_s for lap in laps),
        per_cpu_s=sum(lap.entity_seconds for lap in laps) / sum(lap.cpu_s for lap in laps),
        peak_memory_bytes=max(lap.peak_memory_bytes for lap in laps),
    )


def _laps(
    name: Name, worlds: Sequence[int], entities: int, seconds: float, seed: int, start: Barrier
) -> tuple[_Lap, ...]:
    torch.set_num_threads(1)
    keep_memory()
    with torch.inference_mode():
        return tuple(_lap(name, count, entities, seconds, seed, start) for count in worlds)


def _lap(name: Name, worlds: int, entities: int, seconds: float, seed: int, start: Barrier) -> _Lap:
    load = workload(name, worlds, entities, seed)
    state = load.advance(load.start(), WARM_TICKS)
    start.wait(LONGEST_START_S)
    began, began_cpu, first = time.perf_counter(), time.process_time(), state.second
    while time.perf_counter() - began < seconds:
        state = load.advance(state, 1)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    return _Lap(load.entities, float(load.entities * (state.second - first)), wall_s, cpu_s, peak_memory_bytes())


def peak_memory_bytes(who: int = resource.RUSAGE_SELF) -> int:
    """Return the most memory that this process, or any of its children that ended, held at once.

    Args:
        who: ``resource.RUSAGE_SELF`` or ``resource.RUSAGE_CHILDREN``.
    """
    peak = resource.getrusage(who).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
