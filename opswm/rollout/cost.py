"""SLO cost in bad minutes, and the difference below which two courses are tied."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FLOOR_BAD_MINUTES: Final = 0.05
FLOOR_SHARE: Final = 0.02
"""Two courses are tied within the larger of 0.05 bad minutes and 2 % of the horizon."""


def slo_cost(bad: NDArray[np.float64], weight: NDArray[np.float64], step_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(step_s / 60) * sum_o w_o * sum_h bad[h, o]``, without what doing the actions costs in itself.

    Args:
        bad: Bad share of first attempts, ``[B, ..., H, O]``, in [0, 1].
        weight: Objective weights ``[B, O]``, summing to 1.
        step_s: Length of a tick ``[B]``, seconds.

    Returns:
        Bad minutes, ``[B, ...]``.
    """
    return np.asarray(np.einsum("b...ho,bo,b->b...", bad, weight, step_s / 60.0))


def noise_floor(horizon_ticks: int, step_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the difference in bad minutes below which two courses count as equal.

    Args:
        horizon_ticks: Ticks the cost is summed over.
        step_s: Length of a tick, seconds, any shape.
    """
    return np.maximum(FLOOR_BAD_MINUTES, FLOOR_SHARE * horizon_ticks * step_s / 60.0)
