"""Classic histograms to quantiles: what was observed within a tick, interpolated inside its bucket."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from opswm.timeline.grid import Grid

Flat = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]
"""Lists end to end: all elements, where each list begins, how long it is."""


def classic_ticks(
    at_us: NDArray[np.int64], bounds: Flat, counts: Flat, quantile: float, grid: Grid, stale_us: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bring one channel of cumulative histograms with explicit bounds to a quantile per tick.

    Counts grow from reading to reading; what a tick saw is the growth over the readings inside and the one
    before them. Any bucket that shrinks means a restart from zero, as for counters. Where the bounds change
    the growth between the two readings is unknown, unless the total shrank; a tick with two layouts is read
    in the later one.

    Args:
        at_us: When each histogram was read, increasing.
        bounds: Finite upper bounds of each.
        counts: Cumulative counts of each, the infinite bucket last.
        quantile: Which one, in (0, 1).
        grid: The ticks.
        stale_us: How old the reading before may be.

    Returns:
        The quantile per tick, 0 where unseen, and which ticks saw any observation.
    """
    value, seen = np.zeros(grid.num_ticks), np.zeros(grid.num_ticks, dtype=bool)
    if at_us.size < 2:
        return value, seen
    tick = grid.tick_of(at_us)
    fresh = np.insert(np.diff(at_us) <= stale_us, 0, False)
    for first, end in _layouts(bounds):
        size = int(counts[2][first])
        begin = int(counts[1][first])
        cumulative = counts[0][begin : begin + size * (end - first)].reshape(end - first, size)
        grown, known = _growth(np.diff(cumulative, axis=1, prepend=0.0), cumulative[:, -1], counts, first)
        usable = np.flatnonzero(known & fresh[first:end] & (tick[first:end] >= 0) & (tick[first:end] < grid.num_ticks))
        if usable.size == 0:
            continue
        ticks, starts = np.unique(tick[first:end][usable], return_index=True)
        observed = np.add.reduceat(grown[usable], starts, axis=0)
        upper = bounds[0][bounds[1][first] : bounds[1][first] + size - 1]
        anything = observed.sum(axis=1) > 0
        seen[ticks] = anything
        value[ticks] = 0.0
        value[ticks[anything]] = classic_quantile(upper, observed[anything], quantile)
    return value, seen


def classic_quantile(upper: NDArray[np.float64], observed: NDArray[np.float64], quantile: float) -> NDArray[np.float64]:
    """Return a quantile of each histogram, linear inside its bucket (``histogram_quantile`` of Prometheus 3).

    The first bucket begins at 0, or is its own bound where that is not positive; beyond the last finite
    bound nothing is known but that bound, which is returned.

    Args:
        upper: Finite upper bounds, ``B - 1`` of them.
        observed: Observations per bucket (not cumulative), ``[n, B]``, at least one each.
        quantile: In (0, 1).
    """
    cumulative = np.cumsum(observed, axis=1)
    rank = quantile * cumulative[:, -1]
    bucket = np.argmax(cumulative >= rank[:, None], axis=1)
    rows = np.arange(observed.shape[0])
    finite = np.minimum(bucket, upper.size - 1)
    lower = np.where(finite > 0, upper[finite - 1], min(0.0, float(upper[0])))
    inside = observed[rows, finite]
    before = cumulative[rows, finite] - inside
    share = np.divide(rank - before, inside, out=np.ones_like(rank), where=inside > 0)
    inner = lower + (upper[finite] - lower) * np.clip(share, 0.0, 1.0)
    return np.asarray(np.where(bucket >= upper.size, upper[-1], inner), dtype=np.float64)


def _layouts(bounds: Flat) -> list[tuple[int, int]]:
    """Return the stretches ``[first, end)`` of readings with the same bounds."""
    flat, begin, length = bounds
    edges: list[int] = []
    for first, end in pairwise([0, *(np.flatnonzero(np.diff(length)) + 1).tolist(), length.size]):
        rows = flat[begin[first] : begin[end - 1] + length[end - 1]].reshape(end - first, length[first])
        edges += [first, *(first + 1 + np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1))).tolist()]
    return list(pairwise([*edges, length.size]))


def _growth(
    observed: NDArray[np.float64], total: NDArray[np.float64], counts: Flat, first: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what each reading of a stretch added, and whether that is known."""
    grown = observed.copy()
    step = np.diff(observed, axis=0)
    restarted = np.asarray(np.any(step < 0, axis=1), dtype=bool)
    grown[1:] = np.where(restarted[:, None], observed[1:], step)
    known = np.ones(total.size, dtype=bool)
    if first == 0:
        known[0] = False
    else:
        previous_total = counts[0][counts[1][first] - 1]
        known[0] = total[0] < previous_total
    return grown, known
