"""What reading the context of one decision costs, out of as many rows as there are."""

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from opswm.errors import BadInputError
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.read.big_table import CHANNELS, BigSystem, write_system
from opswm.evaluation.read.measure import Timed, time_reading
from opswm.evaluation.read.readers import WAYS, Way, Window
from opswm.evaluation.results import Result, ResultFile, figure
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.ports import SystemKey

AIM_ROWS: Final = 1_000_000_000
ENTITIES: Final = 5_000
TICKS: Final = 128

_CONTEXT: Final = 50
_NEIGHBOURHOOD: Final = 32
_OTHERS: Final = (32, 500)
"""Entities of further systems in the same table, which a neighbourhood is read of, too."""


@dataclass(frozen=True)
class ReadConfig:
    """What to measure.

    Attributes:
        rows: About how many readings the system of 5,000 entities has.
        reads: How many windows each way reads; the first is told apart.
        ways: Ways of reading.
        plain_s: Plain scans stop after so long, since they may read all there is each time; four windows at least.
    """

    rows: int = 20_000_000
    reads: int = 101
    ways: tuple[Way, ...] = WAYS
    plain_s: float = 90.0

    @property
    def ticks(self) -> int:
        """How many ticks the table spans."""
        return self.rows // (ENTITIES * CHANNELS)


def bench_read(
    config: ReadConfig,
    version: str,
    seed: int,
    folder: Path | None = None,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> ResultFile:
    """Return p95 of reading windows at random moments, in milliseconds, and what else was found on the way.

    Args:
        config: What to measure.
        version: Of the software.
        seed: Of the readings, the entities and the moments.
        folder: Where a table is made and removed afterwards; the system's place for such where left out.
        advance: Told how many steps are done, of how many.

    Raises:
        BadInputError: When there are too few rows for one window, or too few readings for a p95.
    """
    if config.ticks < 2 * TICKS or config.reads < 21:
        raise BadInputError(
            f"{config.rows} rows are {config.ticks} ticks of {ENTITIES} entities and {config.reads} readings; give at "
            f"least {2 * TICKS * ENTITIES * CHANNELS} rows and 21 readings"
        )
    load_before = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="opswm-read-", dir=folder) as place:
        table, log = Path(place) / "metrics", Path(place) / "log.sqlite"
        systems = [
            BigSystem(SystemKey("default", f"system-of-{size}"), size, config.ticks) for size in (ENTITIES, *_OTHERS)
        ]
        total_rows = sum(system.num_rows for system in systems)
        steps = len(config.ways) + len(systems)
        written = 0
        metrics, offset = MetricsTable(table), 1

        def wrote(rows: int) -> None:
            nonlocal written
            written += rows
            advance(round(100 * written / total_rows), 100 + 10 * steps)

        for system in systems:
            offset = write_system(metrics, system, offset, seed, wrote)
        done = 100
        found: dict[Way, Timed] = {}
        for way in config.ways:
            windows = _windows(systems[0], _CONTEXT, config.reads, seed)
            limit_s = math.inf if way.startswith("opswm") else config.plain_s
            found[way] = time_reading(way, table, log, windows, limit_s)
            advance(done := done + 10, 100 + 10 * steps)
        near: dict[int, Timed] = {}
        for system in systems:
            near[system.entities] = time_reading(
                "opswm", table, log, _windows(system, _NEIGHBOURHOOD, config.reads, seed)
            )
            advance(done := done + 10, 100 + 10 * steps)
        on_disk = sum(file.stat().st_size for file in table.rglob("*.parquet"))
        parts = len(list(table.rglob("*.parquet")))
    results = [_figure(way, timed) for way, timed in found.items()]
    results += [
        figure("read", way, "peak_memory_mb", timed.peak_bytes / 1e6, len(timed.seconds))
        for way, timed in found.items()
    ]
    settings: dict[str, str | int | float | bool] = {
        "rows": total_rows,
        "rows_aimed_at": AIM_ROWS,
        "bytes_on_disk": on_disk,
        "parts": parts,
        "window_entities": _CONTEXT,
        "window_channels": _CONTEXT * CHANNELS,
        "window_ticks": TICKS,
        "window_rows": _CONTEXT * CHANNELS * TICKS,
        "reads": config.reads - 1,
        "load_average_before": load_before,
        "load_average_after": round(os.getloadavg()[0], 2),
    }
    for way, timed in found.items():
        settings[f"{way}_first_read_ms"] = round(timed.first_s * 1e3, 1)
        settings |= _told(way, timed)
    for size, timed in near.items():
        name = f"neighbourhood_of_{_NEIGHBOURHOOD}_in_{size}"
        settings |= _told(name, timed)
        settings[f"{name}_p95_ms"] = round(p95_ms(timed.seconds)[0], 1)
        settings[f"{name}_peak_mb"] = round(timed.peak_bytes / 1e6, 1)
    return ResultFile("read", version, seed, describe_machine(), tuple(results), settings)


def _told(name: str, timed: Timed) -> dict[str, float]:
    wall_s, cpu_s = (float(np.quantile(each, 0.5)) for each in (timed.seconds, timed.cpu_seconds))
    return {f"{name}_p50_ms": round(wall_s * 1e3, 1), f"{name}_cpu_p50_ms": round(cpu_s * 1e3, 1)}


def p95_ms(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return the 95th percentile in milliseconds with its 95 % interval, from order statistics.

    The number of readings below the true percentile is binomial (Hahn & Meeker, Statistical Intervals, 5.2); here by
    its normal approximation, which does for the twenty and more readings there are.

    Args:
        seconds: Of each reading.
    """
    ordered = np.sort(np.asarray(seconds)) * 1e3
    middle, spread = 0.95 * ordered.size, 1.96 * math.sqrt(ordered.size * 0.95 * 0.05)
    low, high = (min(max(math.floor(middle - spread), 1), ordered.size), min(math.ceil(middle + spread), ordered.size))
    return float(np.quantile(ordered, 0.95)), float(ordered[low - 1]), float(ordered[high - 1])


def _figure(way: Way, timed: Timed) -> Result:
    value, low, high = p95_ms(timed.seconds)
    return figure("read", way, "read_window_ms_p95", value, len(timed.seconds), low=low, high=high)


def _windows(system: BigSystem, entities: int, count: int, seed: int) -> list[Window]:
    """Return windows of entities drawn anew for each, at moments drawn anew."""
    rng = np.random.default_rng([seed, entities, system.entities])
    found = []
    for _ in range(count):
        chosen = sorted(rng.choice(system.entities, entities, replace=False).tolist())
        last = int(rng.integers(TICKS, system.ticks))
        channels = [channel for entity in chosen for channel in system.channel_ids(entity)]
        until = system.at(last)
        found.append(Window(system.key, channels, system.at(last - TICKS), until, until))
    return found
