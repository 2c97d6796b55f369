"""What a write-ahead log of SQLite shows that its recovery does not tell: commits behind a damaged place.

Recovery takes frames up to the last commit before the first one that is not whole, and is silent about the
rest (SQLite file format, "WAL-mode file format", version 3007000). After a crash the rest is a transaction that
nobody acknowledged. It cannot be that where a frame stands behind a later commit, because that commit was
synced before the next frame was written: then acknowledged data are damaged.
"""

import struct
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from opswm.errors import StoreError

_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_SUMMED_OF_FRAME_HEADER: Final = 8
_MAGIC: Final = (0x377F0682, 0x377F0683)
_VERSION: Final = 3007000
_FRAMES_AT_ONCE: Final = 512

Words = NDArray[np.uint32]


def require_whole_frames(wal: Path) -> None:
    """Check that recovery will leave out nothing but the end of what was being written.

    To be called before SQLite opens the log and while nobody writes.

    Args:
        wal: The write-ahead log; may be missing.

    Raises:
        StoreError: When it is damaged before its end.
    """
    if not wal.exists() or wal.stat().st_size <= _HEADER_BYTES:
        return
    with wal.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
        magic, version, page_bytes = struct.unpack(">3I", header[:12])
        order = ">u4" if magic & 1 else "<u4"
        sums = _add(_weights(3), np.zeros(2, np.uint32), np.frombuffer(header[:24], order).astype(np.uint32)[None])
        stored = np.frombuffer(header[24:], ">u4")
        if magic not in _MAGIC or version != _VERSION or not np.array_equal(sums[0], stored):
            raise StoreError(
                f"the first {_HEADER_BYTES} bytes of {wal} are damaged, so that nothing in it can be read; restore the "
                "log from a copy, or remove its files that end in '-wal' and '-mark' to go on with what is left"
            )
        frame = _damaged_frame(stream, page_bytes, order, header[16:24], sums[0])
    if frame is not None:
        raise StoreError(
            f"{wal} is damaged in frame {frame}, and acknowledged batches stand behind it; restore the log from a "
            "copy, or remove its file that ends in '-mark' to go on with what is left"
        )


def _damaged_frame(stream: BinaryIO, page_bytes: int, order: str, salts: bytes, sums: Words) -> int | None:
    """Return the number, from 1, of a frame that is damaged though a commit behind it was synced."""
    step = _FRAME_HEADER_BYTES + page_bytes
    weights = _weights((_SUMMED_OF_FRAME_HEADER + page_bytes) // 8)
    position, damaged, commit_behind = 0, None, False
    while rows := len(read := stream.read(step * _FRAMES_AT_ONCE)) // step:
        raw = np.frombuffer(read, np.uint8, rows * step).reshape(rows, step)
        of_this_log = (raw[:, 8:16] == np.frombuffer(salts, np.uint8)).all(axis=1)
        if damaged is None:
            summed = np.concatenate([raw[:, :_SUMMED_OF_FRAME_HEADER], raw[:, _FRAME_HEADER_BYTES:]], axis=1)
            chain = _add(weights, sums, summed.view(order).astype(np.uint32))
            right = of_this_log & (chain == raw[:, 16:24].copy().view(">u4")).all(axis=1)
            sums = chain[-1]
            good = rows if right.all() else int(np.argmin(right))
            damaged = None if good == rows else position + good + 1
        else:
            good = 0
        for row in range(good, rows):
            if of_this_log[row] and commit_behind:
                return damaged
            commit_behind |= bool(of_this_log[row] and raw[row, 4:8].any())
        position += rows
    return None


@cache
def _weights(pairs: int) -> tuple[Words, Words, Words]:
    """Return what each pair of words, left and right, adds to both sums behind the last pair, and what the sums become.

    A step is ``a += left + b; b += right + a`` modulo 2**32, which is linear.
    """
    left, right = np.empty((pairs, 2), np.uint32), np.empty((pairs, 2), np.uint32)
    power = np.eye(2, dtype=np.uint32)
    advance = np.array([[1, 1], [1, 2]], np.uint32)
    for pair in range(pairs - 1, -1, -1):
        left[pair], right[pair] = power @ np.array([1, 1], np.uint32), power @ np.array([0, 1], np.uint32)
        power = power @ advance
    return left, right, power


def _add(weights: tuple[Words, Words, Words], sums: Words, rows: Words) -> Words:
    """Return the running sums behind each row of words."""
    left, right, power = weights
    added = rows[:, 0::2] @ left + rows[:, 1::2] @ right
    behind = np.empty_like(added)
    for row in range(len(rows)):
        sums = power @ sums + added[row]
        behind[row] = sums
    return behind
