"""Conformal calibration of effect intervals, per action type and horizon.

Conformalised quantile regression (Romano, Patterson & Candes 2019) on the paired effect, grouped by action type
(Mondrian). Scores are relative to the width that the model states, so that one number serves calm and severe
incidents alike. They come from worlds disjoint from training and from every test; coverage then holds on average
over worlds like those, which for simulated ones is a statement about the simulator.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opswm.errors import CheckpointError
from opswm_schemas.vocabulary import ACTION_TYPES

POOLED: Final = "pooled"
MIN_SCORES: Final = 150
"""A group with fewer scores than this uses the pooled ones."""

_SMALLEST: Final = -0.95


@dataclass(frozen=True)
class Calibration:
    """Factors by which stated half widths grow, per group and horizon.

    Attributes:
        level: Coverage aimed at.
        source: What the scores come from, in words.
        growth: ``growth[group][horizon_ticks]``: a half width ``w`` becomes ``w * (1 + growth)``; groups are action
            types and ``pooled``.
        counts: Scores behind each group.
    """

    level: float = 0.9
    source: str = "none"
    growth: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_fitted(self) -> bool:
        """Whether there is anything to apply."""
        return POOLED in self.growth

    def growth_of(self, groups: Sequence[str], horizon_ticks: int) -> NDArray[np.float64]:
        """Return the growth of each course, 0 where nothing was fitted.

        Args:
            groups: An action type, or ``pooled``, per course.
            horizon_ticks: The nearest horizon that was fitted counts.
        """
        if not self.is_fitted:
            return np.zeros(len(groups))
        found = [self.growth.get(group, self.growth[POOLED]) for group in groups]
        return np.array([row[min(row, key=lambda ticks: abs(ticks - horizon_ticks))] for row in found])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        growth = {
            group: {str(ticks): value for ticks, value in sorted(row.items())}
            for group, row in sorted(self.growth.items())
        }
        return {
            "level": self.level,
            "source": self.source,
            "growth": growth,
            "counts": dict(sorted(self.counts.items())),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Calibration":
        """Read what :meth:`to_json` wrote.

        Raises:
            CheckpointError: When a value is missing, of a wrong kind, or not finite.
        """
        try:
            growth = {
                str(group): {int(ticks): float(value) for ticks, value in row.items()}
                for group, row in plain["growth"].items()
            }
            read = cls(
                float(plain["level"]),
                str(plain["source"]),
                growth,
                {str(k): int(v) for k, v in plain["counts"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"the calibration cannot be read ({type(error).__name__}: {error}); calibrate the checkpoint again"
            ) from error
        values = [value for row in growth.values() for value in row.values()]
        if not all(map(math.isfinite, values)) or any(not row for row in growth.values()):
            raise CheckpointError("the calibration holds a value that is not finite; calibrate the checkpoint again")
        return read


def group_of(types: Sequence[int]) -> str:
    """Return the calibration group of a course: its action type, ``pooled`` for a composite one or ``no_op``."""
    return ACTION_TYPES[types[0]] if len(types) == 1 else POOLED


def scores(
    lower: NDArray[np.float64],
    middle: NDArray[np.float64],
    upper: NDArray[np.float64],
    truth: NDArray[np.float64],
    floor: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how far each truth lies outside its interval, in half widths; negative inside.

    Args:
        lower: Lower end of the stated interval, any shape.
        middle: Its middle.
        upper: Its upper end.
        truth: True effects.
        floor: Smallest half width that counts, same unit.
    """
    down, up = half_widths(lower, middle, upper, floor)
    return np.maximum((middle - truth) / down, (truth - middle) / up) - 1.0


def half_widths(
    lower: NDArray[np.float64], middle: NDArray[np.float64], upper: NDArray[np.float64], floor: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the half widths below and above the middle, at least ``floor``."""
    return np.maximum(middle - lower, floor), np.maximum(upper - middle, floor)


def fit_growth(
    by_horizon: Mapping[int, tuple[Sequence[str], NDArray[np.float64]]], source: str, level: float = 0.9
) -> Calibration:
    """Fit the growth of every group that has enough scores, and of all together.

    Args:
        by_horizon: Per horizon in ticks, the group and the score of each calibration course.
        source: What the scores come from, in words.
        level: Coverage aimed at.
    """
    growth: dict[str, dict[int, float]] = {}
    counts: dict[str, int] = {}
    for horizon_ticks, (groups, values) in by_horizon.items():
        names = np.asarray(groups)
        for group in [POOLED, *sorted(set(groups) - {POOLED})]:
            members = values if group == POOLED else values[names == group]
            if members.size >= MIN_SCORES or (group == POOLED and members.size):
                counts[group] = int(members.size)
                growth.setdefault(group, {})[horizon_ticks] = conformal_quantile(members, level)
    return Calibration(level, source, growth, counts)


def conformal_quantile(values: NDArray[np.float64], level: float) -> float:
    """Return the ``ceil((n + 1) * level)``-th smallest score, the largest where there are too few; above -0.95."""
    rank = min(values.size, math.ceil((values.size + 1) * level))
    return max(_SMALLEST, float(np.sort(values)[rank - 1]))
