"""The ingest log's file: whole, nothing acknowledged lost, each batch what was written; how far a table is behind."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

import pyarrow as pa

from opswm.errors import StoreError
from opswm.store.ingest_log.bodies import Body, decode
from opswm.store.ingest_log.mark import Mark
from opswm.store.ingest_log.sqlite_keep import row_checksum
from opswm.store.ingest_log.wal_frames import require_whole_frames
from opswm.store.inspection.findings import Finding, damage, warning
from opswm.store.inspection.sqlite_read_only import integrity_problem, read_only
from opswm.store.inspection.table_files import TableState
from opswm.store.tables.kept import Kept, read_kept
from opswm_schemas.ports import SystemKey

_RESTORE: Final = "restore the ingest log from a backup; what the tables hold already is not touched by this"
_SHOWN: Final = 5


@dataclass
class LogState:
    """What an ingest log's file says.

    Attributes:
        end: The last offset, 0 where nothing was appended.
        trimmed: The last offset whose readings were dropped.
        num_batches, size_bytes: What it holds.
        waiting: Readings that no table holds yet, by system.
        findings: What is wrong.
    """

    end: int = 0
    trimmed: int = 0
    num_batches: int = 0
    size_bytes: int = 0
    waiting: dict[SystemKey, list[pa.Table]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def inspect_log(file: Path, filled_through: int) -> LogState:
    """Look at an ingest log in SQLite, and change nothing.

    Args:
        file: The file, which is there.
        filled_through: Offset up to which the table is filled.
    """
    state = LogState()
    state.findings += _frame_problems(file)
    try:
        with read_only(file) as connection:
            problem = integrity_problem(connection)
            if problem is not None:
                state.findings.append(damage("log", file, f"SQLite's integrity check: {problem}", _RESTORE))
            state.end, state.trimmed = connection.execute("SELECT end, trimmed FROM log").fetchone()
            _read(connection, file, filled_through, state)
    except (sqlite3.Error, OSError) as problem_of_file:
        state.findings.append(damage("log", file, f"cannot be read: {problem_of_file}", _RESTORE))
        return state
    marked = _marked(file)
    if marked is not None and marked > state.end:
        what = f"ends at offset {state.end}, though batches up to {marked} were acknowledged"
        state.findings.append(damage("log", file, what, _RESTORE))
    return state


def inspect_lag(log: LogState, log_file: Path, table: TableState, kept_file: Path) -> tuple[list[Finding], Kept | None]:
    """Compare a log with the table it fills; also return what was verified last, where that can be read.

    Args:
        log: The log as it was found.
        log_file: Its file.
        table: The table as it was found.
        kept_file: Where it is written down what was verified.
    """
    through, found = table.through or 0, list[Finding]()
    kept: Kept | None = None
    try:
        kept = read_kept(kept_file)
    except StoreError as problem:
        what = f"cannot be read: {problem.__cause__}"
        found.append(damage("table", kept_file, what, "open the store once: every file is verified again"))
    if kept is not None and kept.version > table.version >= 0:
        what = f"ends at version {table.version}, though version {kept.version} was verified"
        found.append(damage("table", kept_file.parent.parent, what, "open the store once, or restore the table"))
    if through > log.end:
        what = f"ends at offset {log.end}, and the table is filled up to {through}: they are not of the same moment"
        found.append(damage("log", log_file, what, "restore log and table from one backup"))
    if through < log.trimmed:
        what = f"has dropped batches up to {log.trimmed}, and the table is filled up to {through} only"
        found.append(damage("log", log_file, what, "restore log and table from one backup: batches between are lost"))
    if log.end > through >= log.trimmed:
        what = f"{log.end - through} of {log.end} batches are in the log and not in the table yet"
        remedy = "nothing is lost; while opswm serve runs this falls to 0, and its messages say why where it does not"
        found.append(warning("lag", log_file, what, remedy))
    return found, kept


def _read(connection: sqlite3.Connection, file: Path, filled_through: int, state: LogState) -> None:
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
        if offset > filled_through:
            state.waiting.setdefault(SystemKey(tenant, system), []).append(table)
    if expected < state.end:
        broken.append(f"{expected + 1} to {state.end} are missing")
    if broken:
        state.findings.append(damage("log", file, f"batches {_listed(broken)}", _RESTORE))


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
