"""An SQLite file, opened so that looking at it changes nothing, and what SQLite itself says of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

_BUSY_S: Final = 30.0
_SHOWN: Final = 5


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for one consistent look.

    A file that nobody has open, as far as the files beside it tell, is opened as one that nobody changes; otherwise
    others may go on writing.

    Args:
        file: The file.

    Raises:
        sqlite3.Error: When it is no SQLite file.
    """
    wal = file.with_name(file.name + "-wal")
    is_empty = not wal.exists() or wal.stat().st_size == 0
    is_quiet = is_empty and not file.with_name(file.name + "-shm").exists()
    url = f"file:{quote(str(file.absolute()))}?mode=ro" + ("&immutable=1" if is_quiet else "")
    connection = sqlite3.connect(url, uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def integrity_problem(connection: sqlite3.Connection) -> str | None:
    """Return what SQLite's own check of pages, indices and constraints finds, None where it finds nothing.

    Args:
        connection: To the file.
    """
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(100)")]
    if found == ["ok"]:
        return None
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(line.replace("\n", " ") for line in found[:_SHOWN]) + more


def table_names(connection: sqlite3.Connection) -> set[str]:
    """Return the tables of a file."""
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
