"""Intervals of metrics: worlds resampled with replacement, alike for all models; an exact bound on rare harm."""

from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.evaluation.metrics import Ratio

NUM_DRAWS: Final = 2_000


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % percentile interval; all NaN where nothing counted.

    Attributes:
        num_worlds: How many worlds it rests on.
    """

    value: float
    low: float
    high: float
    num_worlds: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; for a paired difference, whether one may claim to be ahead."""
        return self.low > 0 or self.high < 0


def bootstrap(
    ratio: Ratio,
    world: NDArray[np.int64],
    seed: int,
    reference: Ratio | None = None,
    num_draws: int = NUM_DRAWS,
) -> Interval:
    """Resample worlds with replacement (world-cluster bootstrap).

    The draws depend on the seed and the worlds alone, so two models on the same points are resampled alike.

    Args:
        ratio: The metric of one model.
        world: ``[P]`` the world of each point.
        seed: Of the resampling.
        reference: The metric of another model on the same points; the result is then the difference to it.
        num_draws: How often to resample.

    Raises:
        BadInputError: When the points of ratio, reference and worlds differ in number.
    """
    sizes = {world.size, ratio.part.size, ratio.part.size if reference is None else reference.part.size}
    if len(sizes) > 1:
        raise BadInputError(f"metrics and worlds are of {sorted(sizes)} points; they must be of the same ones")
    worlds, member = np.unique(world, return_inverse=True)
    weight = np.random.default_rng(seed).multinomial(worlds.size, np.full(worlds.size, 1.0 / worlds.size), num_draws)
    value, draws = ratio.value, _resampled(ratio, member, worlds.size, weight)
    if reference is not None:
        value, draws = value - reference.value, draws - _resampled(reference, member, worlds.size, weight)
    draws = draws[np.isfinite(draws)]
    if draws.size == 0 or not np.isfinite(value):
        return Interval(float("nan"), float("nan"), float("nan"), int(worlds.size))
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, float(low), float(high), int(worlds.size))


def upper_bound(num_hits: int, num_trials: int, level: float = 0.95) -> float:
    """Return the exact one-sided upper bound on a probability (Clopper and Pearson 1934); 1 without trials.

    Args:
        num_hits: How often it happened.
        num_trials: How often it could have.
        level: Confidence of the bound.

    Raises:
        BadInputError: When there are more hits than trials, or either is negative.
    """
    if not 0 <= num_hits <= num_trials:
        raise BadInputError(f"{num_hits} hits in {num_trials} trials cannot be")
    if num_hits == num_trials:
        return 1.0
    low, high = num_hits / num_trials, 1.0
    for _ in range(100):
        middle = (low + high) / 2.0
        if _at_most(num_hits, num_trials, middle) > 1.0 - level:
            low = middle
        else:
            high = middle
    return high


def _resampled(
    ratio: Ratio, member: NDArray[np.int64], num_worlds: int, weight: NDArray[np.int64]
) -> NDArray[np.float64]:
    part = weight @ np.bincount(member, weights=ratio.part, minlength=num_worlds)
    whole = weight @ np.bincount(member, weights=ratio.whole, minlength=num_worlds)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _at_most(num_hits: int, num_trials: int, probability: float) -> float:
    """Return the binomial probability of at most this many hits."""
    if probability in (0.0, 1.0):
        return 1.0 - probability
    terms = (
        lgamma(num_trials + 1) - lgamma(hits + 1) - lgamma(num_trials - hits + 1)
        + hits * log(probability) + (num_trials - hits) * log1p(-probability)
        for hits in range(num_hits + 1)
    )  # fmt: skip
    return sum(map(exp, terms))
