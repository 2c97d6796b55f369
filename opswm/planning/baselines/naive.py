"""Rankers that know nothing: doing nothing is best, or any course is as good as another.

They have learned from nothing, so no question is further from it than another: support is 1.
"""

from collections.abc import Iterable

import numpy as np

from opswm.planning.horizon import floors, whole_horizon
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm.tensors import ActionSlots, Batch, Situation


class NoOpRanker:
    """Believes that whatever is done costs more than it brings, by half the horizon.

    Args:
        horizon_ticks: How far ahead is looked.
    """

    name = "no_op"

    def __init__(self, horizon_ticks: int) -> None:
        self.horizon_ticks = horizon_ticks

    def fit(self, batches: Iterable[Batch]) -> "NoOpRanker":
        """Return itself: there is nothing to learn."""
        return self

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return the same harm for every course but ``no_op``."""
        shape = tuple(courses.there.shape[:2])
        harm = np.broadcast_to(whole_horizon(situation, self.horizon_ticks)[:, None] / 2.0, shape)
        floor = floors(situation, self.horizon_ticks)
        return effects_from_intervals(harm, harm, harm, np.ones(shape), np.zeros(shape[0]), floor, seed)


class RandomRanker:
    """Makes every course, ``no_op`` among them, equally likely to come out best.

    Args:
        horizon_ticks: How far ahead is looked.
    """

    name = "random"

    def __init__(self, horizon_ticks: int) -> None:
        self.horizon_ticks = horizon_ticks

    def fit(self, batches: Iterable[Batch]) -> "RandomRanker":
        """Return itself: there is nothing to learn."""
        return self

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return exchangeable draws, as differences to the draw of ``no_op``, with no claim to certainty."""
        shape = tuple(courses.there.shape[:2])
        scale = whole_horizon(situation, self.horizon_ticks)[:, None]
        draws = np.random.default_rng(seed).random(shape) * scale
        value = draws - draws[:, :1]
        floor = floors(situation, self.horizon_ticks)
        return effects_from_intervals(
            value, value - scale, value + scale, np.ones(shape), np.zeros(shape[0]), floor, seed
        )
