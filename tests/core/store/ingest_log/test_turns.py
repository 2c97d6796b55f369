"""Processes at one log take turns: who opens it stops nobody, and nobody waits for ever."""

import os
import sqlite3
from pathlib import Path

import pytest

from opswm.errors import StoreError
from opswm.store.ingest_log import log_file, sqlite_file
from opswm.store.ingest_log.mark import WriteLock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from tests.core.store.ingest_log.logs import batch, names

CHECKS = ("quick_check", "wal_checkpoint")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what SQLite is asked for when logs are opened from now on."""
    asked: list[str] = []

    def connect(path: Path) -> sqlite3.Connection:
        connection = whole(path)
        connection.set_trace_callback(asked.append)
        return connection

    whole = sqlite_file.connect
    monkeypatch.setattr(sqlite_file, "connect", connect)
    monkeypatch.setattr(log_file, "connect", connect)
    return asked


def test_only_who_opens_a_log_alone_checks_it(tmp_path: Path, statements: list[str]) -> None:
    """While another one lives, the log is neither checked by pages nor emptied; after an unclean end, it is both."""
    path, wal = tmp_path / "log", tmp_path / "log-wal"
    first = SqliteIngestLog(path)
    first.append([batch("b1")])
    size = wal.stat().st_size
    statements.clear()
    second = SqliteIngestLog(path)
    assert [statement for statement in statements if any(check in statement for check in CHECKS)] == []
    assert wal.stat().st_size == size > 0
    assert names(second) == {"b1": 1}
    second.append([batch("b2")])
    copied = tmp_path / "copied"
    copied.mkdir()
    for file in tmp_path.glob("log*"):  # as a machine that stopped leaves it
        if not file.name.endswith("-shm"):
            (copied / file.name).write_bytes(file.read_bytes())
    first.close()
    second.close()
    statements.clear()
    third = SqliteIngestLog(copied / "log")
    assert all(any(check in statement for statement in statements) for check in CHECKS)
    assert names(third) == {"b1": 1, "b2": 1}
    third.close()


def test_a_lock_that_is_kept_is_an_error_that_names_who_keeps_it(tmp_path: Path) -> None:
    """Who waits too long is told which process does not go on; afterwards the lock can be had."""
    one, two = WriteLock(tmp_path / "lock"), WriteLock(tmp_path / "lock")
    told = rf"process ({os.getpid()} )?has held .*lock for 0.02 s"
    with one.held(), pytest.raises(StoreError, match=told), two.held(0.02):
        pass
    with two.held(0.0):
        pass
    one.close()
    two.close()
