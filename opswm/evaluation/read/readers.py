"""The ways of reading that are measured: opswm's readers, and plain scans of the same files beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from opswm.clock import SystemClock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.readers.delta import DuckDbReader
from opswm.store.tables.filler import Filler
from opswm.store.tables.layout import partition_folder
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey

Way = Literal["opswm", "opswm_duckdb", "pyarrow", "duckdb", "polars"]
WAYS: Final[tuple[Way, ...]] = ("opswm", "opswm_duckdb", "pyarrow", "duckdb", "polars")


@dataclass(frozen=True)
class Window:
    """The context of one decision.

    Attributes:
        system: Of which system.
        channel_ids: Of which channels.
        since, until: Its interval.
        as_of: The decision.
    """

    system: SystemKey
    channel_ids: Sequence[str]
    since: datetime
    until: datetime
    as_of: datetime


Read = Callable[[Window], int]
"""Reads a window and returns how many readings it found."""


def reader(way: Way, folder: Path, log: Path) -> Read:
    """Return one way of reading a table.

    Args:
        way: Which.
        folder: Where the table is.
        log: Where the ingest log before it is, which is empty.
    """
    if way == "opswm":
        table, kept = MetricsTable(folder), SqliteIngestLog(log)
        served = LoggedTelemetry(kept, table, Filler(kept, table, SystemClock()))
        return lambda w: served.read_metrics(w.system, w.channel_ids, w.since, w.until, w.as_of).num_rows
    if way == "opswm_duckdb":
        scanned = DuckDbReader(folder, lambda system, as_of: 0)
        return lambda w: scanned.read_metrics(w.system, w.channel_ids, w.since, w.until, w.as_of).num_rows
    return {"pyarrow": _pyarrow, "duckdb": _duckdb, "polars": _polars}[way](folder)


def _pyarrow(folder: Path) -> Read:
    def read(window: Window) -> int:
        event_at, known_at = pc.field("event_at"), pc.field("known_at")
        wanted = pc.field("channel_id").isin(list(window.channel_ids)) & (event_at >= pa.scalar(window.since))
        wanted &= (event_at < pa.scalar(window.until)) & (known_at <= pa.scalar(window.as_of))
        files = ds.dataset(folder / partition_folder(window.system), format="parquet")
        return int(files.to_table(columns=METRICS.names, filter=wanted).num_rows)

    return read


def _duckdb(folder: Path) -> Read:
    database = duckdb.connect(":memory:", config={"threads": 2})

    def read(window: Window) -> int:
        marks = ", ".join("?" * len(window.channel_ids))
        query = (
            f"SELECT {', '.join(METRICS.names)} FROM read_parquet(?, hive_partitioning = false) WHERE channel_id IN "
            f"({marks}) AND event_at >= ? AND event_at < ? AND known_at <= ?"
        )
        files = str(folder / partition_folder(window.system) / "*.parquet")
        given = [files, *window.channel_ids, window.since, window.until, window.as_of]
        return int(database.sql(query, params=given).to_arrow_table().num_rows)

    return read


def _polars(folder: Path) -> Read:
    def read(window: Window) -> int:
        files = str(folder / partition_folder(window.system) / "*.parquet")
        frame = pl.scan_parquet(files, hive_partitioning=False).filter(
            pl.col("channel_id").is_in(list(window.channel_ids)),
            pl.col("event_at") >= window.since,
            pl.col("event_at") < window.until,
            pl.col("known_at") <= window.as_of,
        )
        return frame.select(METRICS.names).collect().height

    return read
