"""Two small files beside the log: who may write now; who has it open, and an offset that it holds whatever happened."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

from opswm.errors import StoreError

_SIZE: Final = 41
_TITLE: Final = b"opswm-log-1"
_POLL_S: Final = 0.001
_MAX_POLL_S: Final = 0.02


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

    def claim(self) -> bool:
        """Return whether nobody else has the log open; to be called under the write lock, with :meth:`share` after it.

        The kernel takes back what the dead held, so a log whose last process was killed is open nowhere.
        """
        return _try_lock(self._file)

    def share(self) -> None:
        """Have the log open, together with others, until the file is closed."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

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
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def held(self, wait_s: float = 30.0) -> Iterator[None]:
        """Run a block while no other process writes. Threads of one process must take turns by themselves.

        Args:
            wait_s: How long to wait for another process.

        Raises:
            StoreError: When another one held it all the time, naming it.
        """
        until, pause_s = time.monotonic() + wait_s, _POLL_S
        while not _try_lock(self._file):
            if time.monotonic() >= until:
                raise StoreError(
                    f"{_holder(self._file)} has held {self._path} for {wait_s:g} s; nothing was written, try again, "
                    "and end that process if it does not go on"
                )
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _MAX_POLL_S)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _sum(number: bytes) -> bytes:
    return b"%08x" % crc32(number)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> str:
    """Return who holds the lock on a file, as far as the kernel tells."""
    inode = os.fstat(file).st_ino
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return "another process"
    for lock in locks:  # such as: 1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF
        words = lock.split()
        if len(words) == 8 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return f"process {words[4]}"
    return "another process"
