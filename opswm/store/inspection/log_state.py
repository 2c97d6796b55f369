"""The ingest log's file: whole, nothing acknowledged lost, each batch what was written; how far a table is behind."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa

from opswm.errors import StoreError
from opswm.store.ingest_log.bodies import Body, decode
from opswm.store.ingest_log.mark import Mark
from opswm.store.ingest_log.sqlite_keep import row_checksum
from opswm.store.ingest_log.wal_frames import require_whole_frames
from opswm.store.inspection.findings import Finding, damage, warning
from opswm.store.inspection.sqlite_read_only import integrity_problem, read_only
from opswm.store.inspection.table_files import TableState
from opswm.store.tables.kept import Kept
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import SystemKey

_RESTORE: Final = "restore the ingest log from a backup; what the tables hold already is not touched by this"
_SHOWN: Final = 5


@dataclass(frozen=True)
class Waiting:
    """The times of one batch, copied so that nothing else of it stays in memory.

    Attributes:
        offset: Of the batch.
        times: Its ``channel_id``, as dictionary, ``event_at`` and ``known_at``.
    """

    offset: int
    times: pa.Table


@dataclass
class LogState:
    """What an ingest log's file says.

    Attributes:
        end: The last offset, 0 where nothing was appended.
        trimmed: The last offset whose readings were dropped.
        num_batches, size_bytes: What it holds.
        waiting: Times of batches that no verified table held, by system.
        findings: What is wrong.
    """

    end: int = 0
    trimmed: int = 0
    num_batches: int = 0
    size_bytes: int = 0
    waiting: dict[SystemKey, list[Waiting]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def inspect_log(file: Path, verified_through: int) -> LogState:
    """Look at an ingest log in SQLite, and change nothing; to be called before the table is looked at.

    Args:
        file: The file, which is there.
        verified_through: Offset up to which the table was known to be filled.
    """
    state = LogState()
    state.findings += _frame_problems(file)
    marked = _marked(file)  # before the log's state: what it names is in the log then, and the log only grows
    try:
        with read_only(file) as connection:
            problem = integrity_problem(connection)
            if problem is not None:
                state.findings.append(damage("log", file, f"SQLite's integrity check: {problem}", _RESTORE))
            state.end, state.trimmed = connection.execute("SELECT end, trimmed FROM log").fetchone()
            _read(connection, file, verified_through, state)
    except (sqlite3.Error, OSError) as problem_of_file:
        state.findings.append(damage("log", file, f"cannot be read: {problem_of_file}", _RESTORE))
        return state
    if marked is not None and marked > state.end:
        what = f"ends at offset {state.end}, though batches up to {marked} were acknowledged"
        state.findings.append(damage("log", file, what, _RESTORE))
    return state


def inspect_lag(log: LogState, log_file: Path, kept: Kept | None, table: TableState, folder: Path) -> Iterator[Finding]:
    """Yield what does not agree of a log, the table it fills, and what was noted of them.

    All of them may grow meanwhile, so that only this order tells damage from work: the notes, the log, the table, and
    here the log's end once more.

    Args:
        log: The log as it was found.
        log_file: Its file.
        kept: What was verified last, None where that could not be read.
        table: The table as it was found.
        folder: Its own.
    """
    through = table.through or 0
    if kept is not None and kept.version > table.version >= 0:
        what = f"ends at version {table.version}, though version {kept.version} was verified"
        yield damage("table", folder, what, "open the store once, or restore the table")
    if through > log.end and through > (end := _end_now(log_file, log.end)):
        what = f"ends at offset {end}, and the table is filled up to {through}: they are not of the same moment"
        yield damage("log", log_file, what, "restore log and table from one backup")
    if through < log.trimmed:
        what = f"has dropped batches up to {log.trimmed}, and the table is filled up to {through} only"
        yield damage("log", log_file, what, "restore log and table from one backup: batches between are lost")
    if log.end > through >= log.trimmed:
        what = f"{log.end - through} of {log.end} batches are in the log and not in the table yet"
        remedy = "nothing is lost; while opswm serve runs this falls to 0, and its messages say why where it does not"
        yield warning("lag", log_file, what, remedy)


def _end_now(file: Path, otherwise: int) -> int:
    """Return the log's last offset at this moment, and another where it cannot be read."""
    with suppress(sqlite3.Error, OSError), read_only(file) as connection:
        return int(connection.execute("SELECT end FROM log").fetchone()[0])
    return otherwise


def _read(connection: sqlite3.Connection, file: Path, verified_through: int, state: LogState) -> None:
    broken: list[str] = []
    expected = state.trimmed
    for offset, tenant, system, source, batch_id, codec, plain_bytes, checksum, data in connection.execute(
        "SELECT offset, tenant_id, system_id, source, batch_id, codec, plain_bytes, checksum, body FROM bodies "
        "ORDER BY offset"
    ):
        expected += 1
        if offset != expected:
            broken.append(f"{expected} to {offset - 1} are missing")
            expected = offset
        state.num_batches += 1
        state.size_bytes += len(data)
        body = Body(codec, plain_bytes, crc32(data), data)
        try:
            if row_checksum(offset, (tenant, system, source, batch_id), body) != checksum:
                broken.append(f"{offset} is not what was written: its checksum differs")
                continue
            table = decode(body)
        except StoreError as problem:
            broken.append(f"{offset}: {problem}")
            continue
        if offset > verified_through:
            state.waiting.setdefault(SystemKey(tenant, system), []).append(Waiting(offset, _times(table)))
    if expected < state.end:
        broken.append(f"{expected + 1} to {state.end} are missing")
    if broken:
        state.findings.append(damage("log", file, f"batches {_listed(broken)}", _RESTORE))


def _times(rows: pa.Table) -> pa.Table:
    """Return a copy of the times; the columns themselves would keep the whole batch in memory."""
    copied = {
        name: pa.array(np.array(rows[name].cast(pa.int64()).to_numpy())).cast(INSTANT)
        for name in ("event_at", "known_at")
    }
    return pa.table({"channel_id": rows["channel_id"].dictionary_encode(), **copied})


def _listed(problems: Sequence[str]) -> str:
    more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more


def _marked(file: Path) -> int | None:
    """Return the offset that was acknowledged for certain, None where nothing says so."""
    path = file.with_name(file.name + "-mark")
    if not path.exists() or not os.access(path, os.W_OK):
        return None
    mark = Mark(path)
    try:
        return mark.read()
    finally:
        mark.close()


def _frame_problems(file: Path) -> Iterator[Finding]:
    """Yield damage in the write-ahead log, which SQLite would skip without a word; not while somebody writes."""
    wal = file.with_name(file.name + "-wal")
    with _quiet(file.with_name(file.name + "-lock")) as is_quiet:
        if is_quiet:
            try:
                require_whole_frames(wal)
            except (StoreError, OSError) as problem:
                yield damage("log", wal, str(problem), _RESTORE)


@contextmanager
def _quiet(lock: Path) -> Iterator[bool]:
    """Hold the writers' lock where it is free; yields whether nobody writes."""
    if not lock.exists():
        yield True
        return
    handle = os.open(lock, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
