"""Native (exponential) histograms to quantiles: what was observed within a tick, whatever its resolution.

Bucket ``i`` at scale ``s`` holds values in ``(base**i, base**(i + 1)]`` with ``base = 2 ** (2 ** -s)``, as in
the OpenTelemetry metrics data model 1.0. Going down one scale merges buckets in pairs: ``i`` becomes
``i >> 1``. Histograms are kept as entries (reading, bucket, count), since indices may lie far apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opswm.timeline.grid import Grid


@dataclass(frozen=True)
class NativeReadings:
    """One channel of native histograms, counting up from reading to reading.

    Attributes:
        at_us: When each was read, increasing.
        scale: Resolution of each.
        zero_count: Observations of zero in each.
        reading, bucket, count: One entry per positive bucket: whose it is, its index, its observations.
    """

    at_us: NDArray[np.int64]
    scale: NDArray[np.int64]
    zero_count: NDArray[np.float64]
    reading: NDArray[np.int64]
    bucket: NDArray[np.int64]
    count: NDArray[np.float64]


@dataclass(frozen=True)
class _Entries:
    """Observations per row and bucket."""

    row: NDArray[np.int64]
    bucket: NDArray[np.int64]
    count: NDArray[np.float64]


def native_ticks(
    readings: NativeReadings, quantile: float, grid: Grid, stale_us: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bring one channel of native histograms to a quantile per tick.

    What a tick saw is the growth over the readings inside and the one before them, at the coarsest scale
    among them. A bucket or a total that shrinks, or a scale that rises, means a restart from zero.

    Args:
        readings: The channel.
        quantile: Which one, in (0, 1).
        grid: The ticks.
        stale_us: How old the reading before may be.

    Returns:
        The quantile per tick, 0 where unseen, and which ticks saw any observation.
    """
    value, seen = np.zeros(grid.num_ticks), np.zeros(grid.num_ticks, dtype=bool)
    tick = grid.tick_of(readings.at_us)
    fresh = np.insert(np.diff(readings.at_us) <= stale_us, 0, False)
    usable = fresh & (tick >= 0) & (tick < grid.num_ticks)
    if not usable.any():
        return value, seen
    grown, zero_grown, scale = _growth(readings)
    coarsest = np.full(grid.num_ticks, np.iinfo(np.int64).max)
    np.minimum.at(coarsest, tick[usable], scale[usable])
    kept = usable[grown.row]
    row, bucket = grown.row[kept], grown.bucket[kept]
    observed = _summed(tick[row], bucket >> (scale[row] - coarsest[tick[row]]), grown.count[kept])
    zero = _per_tick(tick[usable], zero_grown[usable], grid)
    total = zero + _per_tick(observed.row, observed.count, grid)
    seen = total > 0
    value[seen] = _quantile(observed, zero, total, coarsest, quantile)[seen]
    finite = np.isfinite(value)
    return np.where(finite, value, 0.0), seen & finite


def _per_tick(tick: NDArray[np.int64], count: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    return np.bincount(tick, weights=count, minlength=grid.num_ticks).astype(np.float64)


def _growth(readings: NativeReadings) -> tuple[_Entries, NDArray[np.float64], NDArray[np.int64]]:
    """Return what each reading added to the one before it, and the scale that is expressed in."""
    size = readings.at_us.size
    before = np.insert(readings.scale[:-1], 0, readings.scale[0])
    scale = np.minimum(readings.scale, before)
    own = readings.bucket >> (readings.scale - scale)[readings.reading]
    has_next = readings.reading + 1 < size
    following = readings.reading[has_next] + 1
    shifted = readings.bucket[has_next] >> (before - scale)[following]
    step = _summed(
        np.concatenate([readings.reading, following]),
        np.concatenate([own, shifted]),
        np.concatenate([readings.count, -readings.count[has_next]]),
    )
    zero_step = np.diff(readings.zero_count, prepend=0.0)
    restarted = (readings.scale > before) | (zero_step < 0)
    restarted[step.row[step.count < 0]] = True
    from_zero, continued = restarted[readings.reading], ~restarted[step.row]
    grown = _Entries(
        np.concatenate([readings.reading[from_zero], step.row[continued]]),
        np.concatenate([readings.bucket[from_zero], step.bucket[continued]]),
        np.concatenate([readings.count[from_zero], step.count[continued]]),
    )
    zero_grown = np.where(restarted, readings.zero_count, zero_step)
    return grown, zero_grown, np.where(restarted, readings.scale, scale)


def _summed(row: NDArray[np.int64], bucket: NDArray[np.int64], count: NDArray[np.float64]) -> _Entries:
    """Add up entries of the same row and bucket, and sort them by row, then bucket."""
    order = np.lexsort((bucket, row))
    row, bucket = row[order], bucket[order]
    first = np.ones(row.size, dtype=bool)
    first[1:] = (np.diff(row) != 0) | (np.diff(bucket) != 0)
    starts = np.flatnonzero(first)
    if starts.size == 0:
        return _Entries(row, bucket, count)
    return _Entries(row[starts], bucket[starts], np.add.reduceat(count[order], starts))


def _quantile(
    observed: _Entries,
    zero: NDArray[np.float64],
    total: NDArray[np.float64],
    scale: NDArray[np.int64],
    quantile: float,
) -> NDArray[np.float64]:
    """Return a quantile per tick: zero in the zero bucket, else logarithmic inside its bucket (Prometheus 3)."""
    rank = quantile * total
    value = np.zeros(total.size)
    if observed.row.size == 0:
        return value
    running = np.cumsum(observed.count)
    first = np.ones(observed.row.size, dtype=bool)
    first[1:] = np.diff(observed.row) != 0
    starts = np.flatnonzero(first)
    base = np.repeat(running[starts] - observed.count[starts], np.diff(np.append(starts, running.size)))
    cumulative = running - base + zero[observed.row]
    holds = (
        (observed.count > 0)
        & (cumulative >= rank[observed.row] * (1 - 1e-12))
        & (rank[observed.row] > zero[observed.row])
    )
    entry = np.flatnonzero(holds)
    ticks, which = np.unique(observed.row[entry], return_index=True)
    entry = entry[which]
    share = (rank[ticks] - (cumulative[entry] - observed.count[entry])) / observed.count[entry]
    exponent = (observed.bucket[entry] + np.clip(share, 0.0, 1.0)) * np.exp2(-scale[ticks].astype(np.float64))
    with np.errstate(over="ignore"):
        value[ticks] = np.exp2(exponent)
    return value
