"""Draws of one out of few, and changed copies of parts and calls: what drawing a system does thousands of times.

Both do what ``Generator.choice`` and ``dataclasses.replace`` do, draw for draw and field for field, in a tenth of the
time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from opswm.simulation.kernel.blueprint import Link, Part

T = TypeVar("T")
Piece = TypeVar("Piece", Part, Link)


def pick(rng: np.random.Generator, options: Sequence[T], shares: tuple[float, ...] = ()) -> T:
    """Return one of the options, each as likely as its share, or as any other where no shares are given."""
    if shares:
        return options[bisect_right(_heights(shares), rng.random())]
    return options[int(rng.integers(0, len(options)))]


def altered(piece: Piece, **changes: Any) -> Piece:
    """Return a copy of a part or call with some fields changed.

    Raises:
        TypeError: When it has no such field.
    """
    if not changes.keys() <= vars(piece).keys():
        raise TypeError(f"{type(piece).__name__} has no {', '.join(sorted(changes.keys() - vars(piece).keys()))}")
    copy = object.__new__(type(piece))
    vars(copy).update(vars(piece), **changes)
    return copy


@lru_cache
def _heights(shares: tuple[float, ...]) -> tuple[float, ...]:
    heights = np.cumsum(shares)
    return tuple((heights / heights[-1]).tolist())
