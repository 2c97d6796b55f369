"""From a central value and a 90 % interval to probabilities, where a ranker has no samples of its own."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from opswm.planning.ranker import Effects

_Z95: Final = 1.6448536269514722
"""Standard normal quantile of 0.95: half a 90 % interval in standard deviations."""

NUM_DRAWS: Final = 512
"""Draws behind ``p_best``; its standard error is then at most 0.022."""


def exceedance(
    value: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], limit: float
) -> NDArray[np.float64]:
    """Return the probability of lying above ``limit`` under a split normal with that mode and 90 % interval.

    Args:
        value: Mode, any shape.
        lower: 5 % end.
        upper: 95 % end.
        limit: On the same scale.
    """
    below, above = (value - lower) / _Z95, (upper - value) / _Z95
    spread = np.where(limit < value, below, above)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance = (limit - value) / spread
    certain = np.where(limit < value, -np.inf, np.inf)
    distance = np.where(spread > 0.0, distance, certain)
    return np.asarray(torch.special.ndtr(torch.from_numpy(-distance)).numpy(), dtype=np.float64)


def effects_from_intervals(
    value: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    support: NDArray[np.float64],
    cost_no_op: NDArray[np.float64],
    floor: NDArray[np.float64],
    seed: int,
) -> Effects:
    """Return effects whose probabilities follow from their intervals, courses taken as independent.

    Args:
        value: Central effect ``[B, S]``, bad minutes; scenario 0 is set to zero.
        lower: 5 % end.
        upper: 95 % end.
        support: ``[B, S]``.
        cost_no_op: ``[B]``.
        floor: Noise floor of each decision point ``[B]``, bad minutes.
        seed: Of the draws behind ``p_best``.
    """
    value, lower, upper = (np.where(np.arange(value.shape[1]) == 0, 0.0, part) for part in (value, lower, upper))
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    below, draws = _draws(value.shape[1], seed)
    best = np.zeros(value.shape)
    for row in range(value.shape[0]):
        reach = np.where(below, lower[row] - value[row], upper[row] - value[row])
        sampled = value[row] + reach * draws
        best[row] = (sampled <= sampled.min(axis=1, keepdims=True) + floor[row]).mean(axis=0)
    p_harm = np.stack([exceedance(value[b], lower[b], upper[b], float(floor[b])) for b in range(value.shape[0])])
    p_harm[:, 0] = 0.0
    return Effects(
        value=value,
        lower=lower,
        upper=upper,
        p_harm=p_harm,
        p_best=best,
        support=support,
        cost_no_op=cost_no_op,
    )


def _draws(num_courses: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Side and distance, in half widths, of each draw ``[NUM_DRAWS, S]``; the same for every decision point."""
    generator = np.random.default_rng(seed)
    distance = np.abs(generator.standard_normal((NUM_DRAWS, num_courses))) / _Z95
    return generator.random(distance.shape) < 0.5, distance
