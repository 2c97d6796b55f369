"""Intervals by resampling start groups, since the pairs of one group share their twins and their minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.pairs import Group, accuracy

NUM_DRAWS: Final = 2_000

Hits = Mapping[Group, Sequence[float]]


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % percentile interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; for a paired difference, whether one may claim to be ahead."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class AccuracyIntervals:
    """Both accuracies, or both paired differences of accuracies, with intervals."""

    pair: Interval
    group: Interval


def bootstrap(
    hits: Hits, reference: Hits | None = None, seed: int = 0, num_draws: int = NUM_DRAWS
) -> AccuracyIntervals:
    """Resample groups with replacement, the same draws for both rankers where two are compared.

    Args:
        hits: Hits of one ranker.
        reference: Hits of another on the same groups; the result is then the difference to it.
        seed: Of the resampling.
        num_draws: How often to resample.
    """
    groups = sorted(hits)
    chosen = np.random.default_rng(seed).integers(0, len(groups), (num_draws, len(groups)))
    difference, draws = _accuracies(hits, groups, chosen)
    if reference is not None:
        other, other_draws = _accuracies(reference, groups, chosen)
        difference, draws = difference - other, draws - other_draws
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    pair, group = (
        Interval(float(value), float(below), float(above))
        for value, below, above in zip(difference, low, high, strict=True)
    )
    return AccuracyIntervals(pair, group)


def _accuracies(
    hits: Hits, groups: Sequence[Group], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pair and group accuracy over all groups, and of every draw of them (rows)."""
    right = np.array([np.sum(hits[group]) for group in groups])
    num_pairs = np.array([len(hits[group]) for group in groups])
    by_pair = right[chosen].sum(1) / num_pairs[chosen].sum(1)
    by_group = (right / num_pairs)[chosen].mean(1)
    whole = accuracy(hits)
    return np.array([whole.pair, whole.group]), np.stack([by_pair, by_group], axis=1)
