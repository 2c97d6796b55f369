"""Decision points small enough to reckon by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.decisions import Decisions
from opswm.evaluation.outcomes import Outcomes
from opswm.planning.ranker import Effects

FLOOR = 0.5


def outcomes(
    costs: Sequence[Sequence[float]], worlds: Sequence[int] | None = None, error: float = 0.0, floor: float = FLOOR
) -> Outcomes:
    """Return points from rows of costs, ``no_op`` first; shorter rows have fewer candidates."""
    width = max(map(len, costs))
    cost = np.array([[*row, *[0.0] * (width - len(row))] for row in costs])
    there = np.array([[True] * len(row) + [False] * (width - len(row)) for row in costs])
    effect_error = np.full(cost.shape, error)
    effect_error[:, 0] = 0.0
    world = np.arange(len(costs)) if worlds is None else np.array(worlds)
    return Outcomes(cost, effect_error, there, np.full(len(costs), floor), world.astype(np.int64))


def decided(
    truth: Outcomes,
    executed: Sequence[int],
    value: NDArray[np.float64] | None = None,
    half_width: float = 0.0,
    abstained: Sequence[bool] | None = None,
) -> Decisions:
    """Return decisions that carry out given courses, with effects estimated as ``value`` (the truth if left out)."""
    value = truth.effect if value is None else value
    chosen = np.array(executed, dtype=np.int64)
    return Decisions(
        value=value,
        lower=value - half_width,
        upper=value + half_width,
        score=np.where(truth.there, value, np.inf),
        preferred=chosen,
        recommended=chosen > 0,
        abstained=np.zeros(len(executed), dtype=bool) if abstained is None else np.array(abstained),
    )


def estimated(
    value: NDArray[np.float64], half_width: float, p_harm: NDArray[np.float64], p_best: NDArray[np.float64]
) -> Effects:
    """Return effects with given probabilities and full support."""
    return Effects(
        value=value,
        lower=value - half_width,
        upper=value + half_width,
        p_harm=p_harm,
        p_best=p_best,
        support=np.ones(value.shape),
        cost_no_op=np.ones(value.shape[0]),
    )
