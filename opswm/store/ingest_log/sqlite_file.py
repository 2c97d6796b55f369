"""The SQLite file of an ingest log: made whole or not at all, and checked before anything is read from it."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from opswm.errors import StoreError
from opswm.store.durable_files import sync_folder
from opswm.store.ingest_log.mark import Mark
from opswm.store.ingest_log.wal_frames import require_whole_frames

_APPLICATION: Final = 0x6F70736C  # "opsl"
_FORMAT: Final = 1
_PAGE_BYTES: Final = 8_192
_BUSY_MS: Final = 30_000
_ADVICE: Final = "restore the log from a copy, or remove its file that ends in '-mark' to go on with what is left"

_SCHEMA: Final = (
    """CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        end INTEGER NOT NULL, trimmed INTEGER NOT NULL, kept_bytes INTEGER NOT NULL
    )""",
    "INSERT INTO log VALUES (1, 0, 0, 0)",
    """CREATE TABLE bodies (
        offset INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, system_id TEXT NOT NULL, source TEXT NOT NULL,
        batch_id TEXT NOT NULL, codec INTEGER NOT NULL, plain_bytes INTEGER NOT NULL, kept_bytes INTEGER NOT NULL,
        checksum INTEGER NOT NULL, body BLOB NOT NULL
    )""",
    """CREATE TABLE names (
        tenant_id TEXT NOT NULL, system_id TEXT NOT NULL, source TEXT NOT NULL, batch_id TEXT NOT NULL,
        offset INTEGER NOT NULL, content INTEGER NOT NULL, first_known_us INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, system_id, source, batch_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX names_known ON names (tenant_id, system_id, first_known_us)",
    """CREATE TABLE known_hours (
        tenant_id TEXT NOT NULL, system_id TEXT NOT NULL, hour INTEGER NOT NULL, num_batches INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, system_id, hour)
    ) WITHOUT ROWID""",
)
"""``log`` has one row; ``bodies`` lose their rows to trimming; ``names`` stay; ``known_hours`` sums them up."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose commits are on disk when they return.

    Raises:
        sqlite3.Error: When it cannot be opened.
    """
    connection = sqlite3.connect(
        path, timeout=_BUSY_MS / 1_000, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        for pragma in (
            "synchronous = FULL",
            "fullfsync = ON",  # on systems where fsync alone leaves data in the drive
            "checkpoint_fullfsync = ON",
            "wal_autocheckpoint = 0",  # checkpoints run under the write lock, when the log says so
            "secure_delete = FAST",
            "cache_size = -32768",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
    except BaseException:
        connection.close()
        raise
    return connection


def require_log(path: Path, mark: Mark, *, is_alone: bool) -> None:
    """Make the file where there is none, else check it. To be called under the write lock.

    Args:
        path: The file.
        mark: Beside it.
        is_alone: Whether nobody else has it open. Who has was here before, and lives: then there was no unclean end
            that pages and frames have to be checked for, and the write-ahead log stays as it is.

    Raises:
        StoreError: When the file is damaged, has lost acknowledged batches, or is something else.
        sqlite3.Error, OSError: When it cannot be read or written.
    """
    wal = path.with_name(path.name + "-wal")
    expected = mark.read()
    if not path.exists():
        if expected is not None or wal.exists():
            raise StoreError(f"{path} is gone, though it held batches up to offset {expected}; {_ADVICE}")
        _create(path)
    elif path.stat().st_size == 0:
        raise StoreError(f"{path} is empty, though it held batches up to offset {expected}; {_ADVICE}")
    if is_alone:
        require_whole_frames(wal)
    was_closed = not is_alone or not wal.exists() or wal.stat().st_size == 0
    connection = connect(path)
    try:
        _require_state(path, connection, expected, was_closed)
        end = connection.execute("SELECT end FROM log").fetchone()[0]
        if is_alone:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    finally:
        connection.close()
    mark.write(end, sync=True)


def _require_state(path: Path, connection: sqlite3.Connection, expected: int | None, was_closed: bool) -> None:
    application, written = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != _APPLICATION:
        raise StoreError(f"{path} is no ingest log; give the log a folder of its own")
    if written != _FORMAT:
        raise StoreError(f"{path} has format {written}, and this software reads {_FORMAT}; use the opswm that wrote it")
    if not was_closed or expected is None:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{path} is damaged: {found}; {_ADVICE}")
    end, trimmed, kept = connection.execute("SELECT end, trimmed, kept_bytes FROM log").fetchone()
    if expected is not None and end < expected:
        raise StoreError(f"{path} ends at offset {end}, though batches up to {expected} were acknowledged; {_ADVICE}")
    bodies = connection.execute(
        "SELECT count(*), coalesce(min(offset), 0), coalesce(max(offset), 0), coalesce(sum(kept_bytes), 0) FROM bodies"
    ).fetchone()
    number = end - trimmed
    if bodies != (number, trimmed + 1 if number else 0, end if number else 0, kept):
        raise StoreError(
            f"{path} should hold {number} batches behind offset {trimmed}, {kept} bytes together, and holds "
            f"{bodies[0]} from {bodies[1]} to {bodies[2]}, {bodies[3]} bytes; {_ADVICE}"
        )


def _create(path: Path) -> None:
    """Make an empty log under another name and rename it, so that half a log never has this name."""
    partial = path.with_name(path.name + ".partial")
    for ending in ("", "-journal", "-wal", "-shm"):
        partial.with_name(partial.name + ending).unlink(missing_ok=True)
    connection = sqlite3.connect(partial, isolation_level=None)
    try:
        for statement in (
            f"PRAGMA page_size = {_PAGE_BYTES}",
            f"PRAGMA application_id = {_APPLICATION}",
            f"PRAGMA user_version = {_FORMAT}",
            *_SCHEMA,
            "PRAGMA journal_mode = WAL",
        ):
            connection.execute(statement).close()
    finally:
        connection.close()
    handle = os.open(partial, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    partial.rename(path)
    sync_folder(path.parent)
