"""Memory that a long simulation gets and gives back thousands of times a second stays with the process.

The C library hands larger pieces back to the operating system each time, which then has to find and clear pages for
the next operation: a quarter of the time of a large batch. And Python looks through all objects again and again for
circles to free while systems are drawn, which have none: a quarter of the time of drawing.
"""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TRIM_THRESHOLD: Final = -1  # numbers of glibc's malloc.h
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_LARGEST_PIECE: Final = 32 * 1024 * 1024
_AHEAD: Final = 64 * 1024 * 1024
_KEPT: Final = 512 * 1024 * 1024


def keep_memory() -> bool:
    """Let this process keep the memory that it frees; meant for processes that do nothing but simulate.

    Returns:
        Whether the C library can be told so, which only that of most Linux systems can; elsewhere nothing changes.
    """
    try:
        option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = {_MMAP_THRESHOLD: _LARGEST_PIECE, _TRIM_THRESHOLD: _KEPT, _TOP_PAD: _AHEAD}
    return all([option(name, value) for name, value in wanted.items()])


@contextmanager
def circles_kept() -> Iterator[None]:
    """Put off looking for circles among objects until the work inside is done."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
