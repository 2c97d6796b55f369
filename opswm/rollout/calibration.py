"""Conformal calibration of effect intervals, per action type, horizon and whether an effect is foreseen at all.

Conformalised quantile regression (Romano, Patterson & Candes 2019) on the paired effect, in groups (Mondrian). Courses
that are expected to change hardly anything outnumber the others and are foreseen far better; sharing one factor with
them would make the intervals of those that matter too narrow. The two ends have scores of their own: a model whose
estimates are drawn towards nothing errs mostly on one side, and a doubt about benefit is none about harm. Scores are
relative to the width that the model states, so that one number serves calm and severe incidents alike. They come from
worlds disjoint from training and from every test; coverage then holds on average over worlds like those, which for
simulated ones is a statement about the simulator.
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
CLEAR: Final = "/clear"
"""Ends the name of a group of courses whose expected effect exceeds the noise floor."""

MIN_SCORES: Final = 40
"""A group with fewer scores uses those of its type, or the pooled ones; an end of a 90 % interval needs 19 at least."""

_SMALLEST: Final = -0.95


@dataclass(frozen=True)
class Calibration:
    """Factors by which stated half widths grow, per group and horizon.

    Attributes:
        level: Coverage aimed at.
        source: What the scores come from, in words.
        growth: ``growth[group][horizon_ticks]``, of the half width below the middle and of that above: ``w`` becomes
            ``w * (1 + growth)``. Groups are action types, those whose effects are expected to exceed the noise floor
            where there are enough (ending in ``CLEAR``), and ``pooled``.
        counts: Scores behind each group.
    """

    level: float = 0.9
    source: str = "none"
    growth: Mapping[str, Mapping[int, tuple[float, float]]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_fitted(self) -> bool:
        """Whether there is anything to apply."""
        return POOLED in self.growth

    def growth_of(self, groups: Sequence[str], horizon_ticks: int) -> NDArray[np.float64]:
        """Return the growth of each course ``[S, 2]``, below and above, 0 where nothing was fitted.

        Args:
            groups: From :func:`sized`, per course.
            horizon_ticks: The nearest horizon that was fitted counts.
        """
        if not self.is_fitted:
            return np.zeros((len(groups), 2))
        found = [
            self.growth.get(group) or self.growth.get(group.removesuffix(CLEAR)) or self.growth[POOLED]
            for group in groups
        ]
        return np.array([row[min(row, key=lambda ticks: abs(ticks - horizon_ticks))] for row in found])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        growth = {
            group: {str(ticks): list(both) for ticks, both in sorted(row.items())}
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
                str(group): {int(ticks): _pair(both) for ticks, both in row.items()}
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
        values = [value for row in growth.values() for both in row.values() for value in both]
        if not all(map(math.isfinite, values)) or any(not row for row in growth.values()):
            raise CheckpointError("the calibration holds a value that is not finite; calibrate the checkpoint again")
        return read


def group_of(types: Sequence[int]) -> str:
    """Return the calibration group of a course: its action type, ``pooled`` for a composite one or ``no_op``."""
    return ACTION_TYPES[types[0]] if len(types) == 1 else POOLED


def sized(groups: Sequence[str], middle: NDArray[np.float64], floor: float) -> list[str]:
    """Return the groups of courses with what they are expected to change taken into account.

    Args:
        groups: From :func:`group_of`, per course.
        middle: Expected effect of each, bad minutes.
        floor: Noise floor of the decision point.
    """
    return [f"{group}{CLEAR}" if abs(effect) > floor else group for group, effect in zip(groups, middle, strict=True)]


def scores(
    lower: NDArray[np.float64],
    middle: NDArray[np.float64],
    upper: NDArray[np.float64],
    truth: NDArray[np.float64],
    floor: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how far each truth lies below and above its interval ``[..., 2]``, in half widths; negative inside.

    Args:
        lower: Lower end of the stated interval, any shape.
        middle: Its middle.
        upper: Its upper end.
        truth: True effects.
        floor: Smallest half width that counts, same unit.
    """
    down, up = half_widths(lower, middle, upper, floor)
    return np.stack([(middle - truth) / down, (truth - middle) / up], axis=-1) - 1.0


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
        by_horizon: Per horizon in ticks, the group and the scores of each calibration course ``[M, 2]``.
        source: What the scores come from, in words.
        level: Coverage aimed at; each end leaves out half of the rest.
    """
    growth: dict[str, dict[int, tuple[float, float]]] = {}
    one_sided = 0.5 * (1.0 + level)
    counts: dict[str, int] = {}
    for horizon_ticks, (groups, values) in by_horizon.items():
        names = np.asarray(groups)
        types = np.asarray([group.removesuffix(CLEAR) for group in groups])
        for group in [POOLED, *sorted({*groups, *types.tolist()} - {POOLED})]:
            members = values if group == POOLED else values[(names if group.endswith(CLEAR) else types) == group]
            if len(members) >= MIN_SCORES or (group == POOLED and len(members)):
                counts[group] = len(members)
                below, above = (conformal_quantile(members[:, side], one_sided) for side in (0, 1))
                growth.setdefault(group, {})[horizon_ticks] = (below, above)
    return Calibration(level, source, growth, counts)


def _pair(both: Sequence[float]) -> tuple[float, float]:
    below, above = both
    return float(below), float(above)


def conformal_quantile(values: NDArray[np.float64], level: float) -> float:
    """Return the ``ceil((n + 1) * level)``-th smallest score, the largest where there are too few; above -0.95."""
    rank = min(values.size, math.ceil((values.size + 1) * level))
    return max(_SMALLEST, float(np.sort(values)[rank - 1]))
