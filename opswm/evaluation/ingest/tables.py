"""How fast readings come into the tables: moved there from the log, and imported from Parquet files directly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opswm.clock import SystemClock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.tables.bulk import BulkImport
from opswm.store.tables.filler import Filler
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import Batch, SystemKey

_TICKS: Final = 8_000
_START_US: Final = 1_767_225_600_000_000
_STEP_US: Final = 5_000_000


@dataclass(frozen=True)
class Moved:
    """Readings that are in the table: synced, committed and read again.

    Attributes:
        rows_per_s: By the wall clock.
        rows_per_cpu_s: By this process's processor time.
        num_rows: How many there were.
    """

    rows_per_s: float
    rows_per_cpu_s: float
    num_rows: int


def fill_table(batches: Sequence[Batch], folder: Path) -> Moved:
    """Append batches to a new log, and measure how long a new table takes to hold them all, verified.

    Args:
        batches: What to send.
        folder: Where log and table are made; must be there.
    """
    log, table = SqliteIngestLog(folder / "ingest.sqlite"), MetricsTable(folder / "metrics")
    try:
        log.append(batches)
        wall, cpu = perf_counter(), process_time()
        Filler(log, table, SystemClock()).flush()
        wall, cpu = perf_counter() - wall, process_time() - cpu
    finally:
        log.close()
    rows = sum(part.num_rows for part in table.snapshot().all_parts())
    return Moved(rows / wall, rows / cpu, rows)


def import_parquet(num_rows: int, seed: int, folder: Path) -> Moved:
    """Write a Parquet file of readings, and measure how long it takes from there into a new table, verified.

    Args:
        num_rows: How many, about: channels of 8,000 ticks each.
        seed: Of the values, with three digits behind the point as gauges have.
        folder: Where file and table are made; must be there.
    """
    file, table = folder / "import.parquet", MetricsTable(folder / "imported")
    pq.write_table(_readings(max(1, num_rows // _TICKS), seed), file)
    wall, cpu = perf_counter(), process_time()
    batch = Batch(SystemKey("bench", "imported"), "parquet", file.name, pq.read_table(file))
    BulkImport(table).append(batch)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    rows = sum(part.num_rows for part in table.snapshot().all_parts())
    return Moved(rows / wall, rows / cpu, rows)


def _readings(num_channels: int, seed: int) -> pa.Table:
    names = pa.array([f"service-{number // 10:05d}/channel_{number % 10}" for number in range(num_channels)])
    channel = pa.array(np.repeat(np.arange(num_channels, dtype=np.int32), _TICKS))
    event_us = np.tile(_START_US + np.arange(_TICKS) * _STEP_US, num_channels)
    values = np.random.default_rng(seed).gamma(4.0, 25.0, event_us.size)
    return pa.table(
        {
            "channel_id": pa.DictionaryArray.from_arrays(channel, names).cast(pa.string()),
            "event_at": pa.array(event_us).cast(INSTANT),
            "known_at": pa.array(event_us + 200_000).cast(INSTANT),
            "value": np.round(values, 3),
        }
    )
