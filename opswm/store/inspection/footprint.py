"""What a reading takes up: bytes in the table, in the ingest log and in memory, measured with real tables."""

import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opswm.clock import SystemClock
from opswm.store.admission import admit_metrics
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.tables.filler import Filler, FillerConfig
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import Batch, SystemKey

PER_REQUEST: Final = 2_000
_EMPTY_LOG: Final = 6 * 8_192
"""Pages of an ingest log that never received anything."""

_SYSTEM: Final = SystemKey("default", "measured")


@dataclass(frozen=True)
class Footprint:
    """Bytes of one reading, by kind, and of one batch's name.

    The defaults are rounded up from what :func:`measure_footprint` finds in the demo web shop's recordings (numbers)
    and in classic histograms of twelve buckets; ``docs/how-to/operate.md`` names the commands.

    Attributes:
        table_number, table_histogram: In the table: sorted Parquet, ZSTD.
        log_number, log_histogram: In the ingest log's file, in requests of 2,000 readings.
        memory_number, memory_histogram: As Arrow, while it is read.
        name: What the ingest log keeps of every batch for good, so that none is stored twice.
    """

    table_number: float = 4.0
    table_histogram: float = 45.0
    log_number: float = 13.0
    log_histogram: float = 65.0
    memory_number: float = 80.0
    memory_histogram: float = 290.0
    name: float = 220.0


def measure_footprint(readings: pa.Table) -> Footprint:
    """Write readings the way they are received into a log and a table of their own, and weigh the files.

    Args:
        readings: Of one system, at least a few thousand; a kind that is not among them keeps its default.

    Raises:
        BadInputError: When they cannot be admitted.
        StoreError: When they cannot be written.
    """
    admitted = admit_metrics(readings).sort_by([("known_at", "ascending")])
    found: dict[str, float] = {}
    for kind, column in (("number", "value"), ("histogram", "counts")):
        mine = admitted.filter(pc.is_valid(admitted[column]))
        if mine.num_rows:
            found |= {f"{place}_{kind}": size for place, size in _weighed(mine).items()}
    return Footprint(**found)


def measure_name(num_batches: int = 2_000) -> float:
    """Return what the ingest log keeps of a batch once its readings are dropped, bytes.

    Args:
        num_batches: How many are appended.
    """
    one = pa.table({"channel_id": ["c"], "event_at": [0], "known_at": [0], "value": [1.0]})
    one = one.set_column(1, "event_at", pa.array([1_700_000_000_000_000]).cast(METRICS.field("event_at").type))
    one = one.set_column(2, "known_at", one["event_at"])
    with tempfile.TemporaryDirectory(prefix="opswm-estimate-") as folder:
        file = Path(folder) / "ingest.sqlite"
        log = SqliteIngestLog(file)
        log.append([Batch(_SYSTEM, "prometheus-remote-write", f"{number:032x}", one) for number in range(num_batches)])
        log.trim(num_batches)
        log.close()
        connection = sqlite3.connect(file)
        connection.execute("VACUUM")
        connection.close()
        return (file.stat().st_size - _EMPTY_LOG) / num_batches


def _weighed(readings: pa.Table) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory(prefix="opswm-estimate-") as name:
        folder = Path(name)
        log, table = SqliteIngestLog(folder / "ingest.sqlite"), MetricsTable(folder / "metrics")
        for first in range(0, readings.num_rows, PER_REQUEST):
            log.append([Batch(_SYSTEM, "measured", str(first), readings.slice(first, PER_REQUEST))])
        Filler(log, table, SystemClock(), FillerConfig(keep_s=3_600.0)).flush()
        log.close()
        stored = sum(part.size_bytes for part in table.snapshot(fresh=True).all_parts())
        logged = (folder / "ingest.sqlite").stat().st_size - _EMPTY_LOG
    rows = readings.num_rows
    return {"table": stored / rows, "log": logged / rows, "memory": readings.cast(METRICS).nbytes / rows}
