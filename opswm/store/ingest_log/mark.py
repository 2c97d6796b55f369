"""Two small files beside the log: who may write now, and an offset that must be in it whatever happened."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

_SIZE: Final = 41
_TITLE: Final = b"opswm-log-1"


class Mark:
    """Remembers the last acknowledged offset outside the log, so that a log that lost its end can be told.

    It is written after each commit without waiting for the disk, which is enough unless the machine itself
    stops, and synced once per checkpoint, which is enough to tell that a write-ahead log is gone. A mark is
    always a lower bound: what it names was synced before.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def read(self) -> int | None:
        """Return the offset that must be in the log; None where nothing readable was written."""
        found = os.pread(self._file, _SIZE, 0)
        words = found.split()
        if len(found) != _SIZE or len(words) != 3 or words[0] != _TITLE or words[2] != _sum(words[1]):
            return None
        return int(words[1])

    def write(self, offset: int, *, sync: bool) -> None:
        """Keep an offset that is in the log.

        Args:
            offset: Not smaller than that of the mark before.
            sync: Whether to wait until it is on disk.
        """
        number = b"%019d" % offset
        os.pwrite(self._file, b"%s %s %s\n" % (_TITLE, number, _sum(number)), 0)
        if sync:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class WriteLock:
    """Lets one writer or checkpoint of all processes at the log at a time.

    SQLite has locks of its own. This one also keeps a checkpoint from running beside a commit or another
    checkpoint, in which case versions before 3.51.3 may skip frames (sqlite.org/wal.html, "WAL-reset bug"),
    and makes writers wait in turn rather than ask again and again.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run a block while no other process writes. Threads of one process must take turns by themselves."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _sum(number: bytes) -> bytes:
    return b"%08x" % crc32(number)
