"""What the same rows cost without a log: in SQLite and in Delta alone, and how often the disk syncs."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import pyarrow as pa
from deltalake import write_deltalake

from opswm_schemas.ports import Batch

_PAGE = bytes(8_192)


def sqlite_samples_per_s(batches: Sequence[Batch], folder: Path) -> float:
    """Return samples a second as rows of a plain SQLite table: WAL, ``synchronous=FULL``, one commit per request."""
    connection = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE metrics (channel_id TEXT, event_at INTEGER, known_at INTEGER, value REAL)",
    ):
        connection.execute(statement).close()
    since = perf_counter()
    for batch in batches:
        moments = [batch.table[name].cast(pa.int64()).to_pylist() for name in ("event_at", "known_at")]
        rows = zip(batch.table["channel_id"].to_pylist(), *moments, batch.table["value"].to_pylist(), strict=True)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    seconds = perf_counter() - since
    connection.close()
    return _samples(batches) / seconds


def delta_samples_per_s(batches: Sequence[Batch], folder: Path) -> float:
    """Return samples a second of one Delta commit per request; nothing of it is synced."""
    since = perf_counter()
    for batch in batches:
        write_deltalake(str(folder), batch.table, mode="append")
    return _samples(batches) / (perf_counter() - since)


def delta_bulk_samples_per_s(batches: Sequence[Batch], folder: Path) -> float:
    """Return samples a second of one Delta commit for all requests; nothing of it is synced."""
    since = perf_counter()
    write_deltalake(str(folder), pa.concat_tables([batch.table for batch in batches]), mode="append")
    return _samples(batches) / (perf_counter() - since)


def syncs_per_s(folder: Path, seconds: float) -> float:
    """Return how often a second one page is written and synced, which bounds commits one after the other."""
    handle = os.open(folder / "syncs", os.O_WRONLY | os.O_CREAT)
    try:
        number = 0
        since = perf_counter()
        while perf_counter() - since < seconds:
            os.pwrite(handle, _PAGE, (number % 1_024) * len(_PAGE))
            os.fdatasync(handle)
            number += 1
        return number / (perf_counter() - since)
    finally:
        os.close(handle)


def _samples(batches: Sequence[Batch]) -> int:
    return sum(batch.table.num_rows for batch in batches)
