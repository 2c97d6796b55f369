"""One writer at a time, across threads and processes of a machine: a lock the kernel takes back from the dead."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from opswm.errors import StoreError
from opswm.store.durable_files import make_folder

_POLL_S: Final = 0.02


class TableLock:
    """Guards a table with ``flock``: every holder opens the file anew, so that threads exclude each other, too.

    Args:
        path: The lock's file; made where it is not there, never removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self, wait_s: float) -> Iterator[bool]:
        """Hold the lock for a block.

        Args:
            wait_s: How long to wait for another holder.

        Yields:
            Whether it is held; not, where somebody else held it all the time.

        Raises:
            StoreError: When the file cannot be opened.
        """
        until = time.monotonic() + wait_s
        try:
            make_folder(self._path.parent)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise StoreError(f"the lock {self._path} cannot be opened: {problem}") from problem
        try:
            held = _try(handle)
            while not held and time.monotonic() < until:
                time.sleep(_POLL_S)
                held = _try(handle)
            yield held
        finally:
            os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
