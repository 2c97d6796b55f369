"""How long until users are well served again."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

GOOD_SHARE: Final = 0.05
HOLD_TICKS: Final = 3
"""Recovered means: at most 5 % bad, for three ticks on end."""


def recovery_minutes(
    bad: NDArray[np.float64], step_s: NDArray[np.float64], good_share: float = GOOD_SHARE, hold_ticks: int = HOLD_TICKS
) -> NDArray[np.float64]:
    """Return the minutes until the bad share is low and stays low for a while.

    Args:
        bad: Weighted bad share, ``[B, ..., H]``.
        step_s: Length of a tick ``[B]``, seconds.
        good_share: What counts as low.
        hold_ticks: Ticks it must stay so; fewer count where the horizon ends first.

    Returns:
        ``[B, ...]``: 0 where it is low from the start, the whole horizon where it never recovers within it.
    """
    horizon = bad.shape[-1]
    low = bad <= good_share
    held = low.copy()
    for ahead in range(1, min(hold_ticks, horizon)):
        held[..., : horizon - ahead] &= low[..., ahead:]
    first = np.where(held.any(axis=-1), held.argmax(axis=-1), horizon)
    return np.asarray(first * (step_s / 60.0).reshape(-1, *[1] * (first.ndim - 1)))
