"""Times readings in a process of their own, so that caches and peak memory are theirs alone."""

import math
import multiprocessing
import os
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from opswm.errors import StoreError
from opswm.evaluation.read.readers import Way, Window, reader

_FEWEST: Final = 4
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Timed:
    """What some readings took.

    Attributes:
        seconds: Of each reading but the first, in the order they were made.
        cpu_seconds: Processor time of the same, of all threads.
        first_s: Of the first one, which finds nothing in memory: no footers, no listing, no cached file.
        rows: Found by each.
        peak_bytes: How much more memory the process used at its peak than before the first reading; 0 where the
            system does not say.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    first_s: float
    rows: int
    peak_bytes: int


def time_reading(way: Way, folder: Path, log: Path, windows: Sequence[Window], at_most_s: float = math.inf) -> Timed:
    """Return what reading windows one after the other takes in a new process.

    Args:
        way: How they are read.
        folder: Where the table is.
        log: Where the ingest log before it is.
        windows: All of as many channels and ticks; at least four.
        at_most_s: After so long no further window is begun, but for the first four.

    Raises:
        StoreError: When windows give different numbers of readings, since they must not.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_run, way, folder, log, tuple(windows), at_most_s).result()


def _run(way: Way, folder: Path, log: Path, windows: Sequence[Window], at_most_s: float) -> Timed:
    for file in folder.rglob("*.parquet"):
        _forget(file)
    before = _memory("VmRSS")
    read = reader(way, folder, log)
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    found: set[int] = set()
    began = perf_counter()
    for window in windows:
        if len(seconds) >= _FEWEST and perf_counter() - began > at_most_s:
            break
        since, cpu_since = perf_counter(), process_time()
        found.add(read(window))
        seconds.append(perf_counter() - since)
        cpu_seconds.append(process_time() - cpu_since)
    if len(found) != 1:
        raise StoreError(f"{way} found {sorted(found)} readings in windows that all have as many")
    return Timed(tuple(seconds[1:]), tuple(cpu_seconds[1:]), seconds[0], found.pop(), max(0, _memory("VmHWM") - before))


def _forget(file: Path) -> None:
    """Ask the system to drop a file from its cache."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _memory(name: str) -> int:
    try:
        told = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) * 1024 if told else 0
