"""Each implementation of the ingest log, as something that can be opened again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from tests.core.store.ingest_log.logs import Log

Open = Callable[[int], Log]
"""Opens the one log of a test, as another process would, with room for some bytes."""


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Open]:
    """Opens the log of this test; what is open is closed behind it."""
    opened: list[Log] = []

    def open_one(max_bytes: int) -> Log:
        opened.append(SqliteIngestLog(tmp_path / "log" / "ingest.sqlite", SqliteIngestLogConfig(max_bytes=max_bytes)))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: Open) -> Log:
    """An empty log with room."""
    return open_log(1 << 30)
