"""Histograms, as the HTTP API writes them, to readings: ``le`` buckets to classic ones, native ones to exponents."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.prometheus.numbers import Series, ambiguous, in_order, instants_ms, malformed, rows

_MAX_BUCKETS: Final = 10_000
_SPAN_AROUND_ZERO: Final = 3
"""The API's name for a bucket that is closed at both ends: the one around zero."""


@dataclass(frozen=True)
class NativeHistogram:
    """A native histogram without negative observations.

    Attributes:
        at_ms: When it was taken, milliseconds since 1970.
        scale: Its resolution; None where it has no bucket but the one of zero.
        offset: Index of the first of ``counts``; bucket ``i`` holds ``(base**i, base**(i + 1)]``.
        counts: Observations in each bucket.
        zero_count: Observations of zero.
    """

    at_ms: int
    scale: int | None
    offset: int
    counts: list[float]
    zero_count: float


def classic_rows(channel_id: str, series: Sequence[Series], delay_us: int) -> pa.Table:
    """Return bucket series (label ``le``) as cumulative histograms, one per instant at which all of it is there.

    Args:
        channel_id: Whose.
        series: The buckets.
        delay_us: From a sample's time to when it was known.

    Raises:
        TerminalSourceError: When the buckets are of several histograms at the same time, or a bound is no number.
    """
    apart: dict[tuple[tuple[str, str], ...], dict[float, Series]] = {}
    for one in series:
        bound = _bound(channel_id, one.labels["le"])
        others = tuple(sorted((name, text) for name, text in one.labels.items() if name != "le"))
        buckets = apart.setdefault(others, {})
        buckets[bound] = one if bound not in buckets else _merged(buckets[bound], one)
    at_ms: list[int] = []
    uppers: list[list[float]] = []
    counts: list[list[float]] = []
    spans: list[tuple[int, int]] = []
    for buckets in apart.values():
        found = _cumulative(buckets)
        if found:
            spans.append((found[0][0], found[-1][0]))
        for instant, upper, count in found:
            at_ms.append(instant)
            uppers.append(upper)
            counts.append(count)
    spans.sort()
    if any(after[0] <= before[1] for before, after in pairwise(spans)):
        raise ambiguous(channel_id, len(spans))
    order = np.argsort(np.array(at_ms, dtype=np.int64), kind="stable")
    told = {
        "upper_bounds": pa.array([uppers[row] for row in order], pa.list_(pa.float64())),
        "counts": pa.array([counts[row] for row in order], pa.list_(pa.float64())),
    }
    return rows(channel_id, np.array(at_ms, dtype=np.int64)[order], delay_us, told)


def read_native(entry: Mapping[str, Any]) -> list[NativeHistogram]:
    """Return the native histograms of an entry of a matrix; those with negative observations or NaN are left out.

    The columns of ``METRICS`` hold positive buckets only, and a latency is never negative.

    Raises:
        TerminalSourceError: When it is not what the API promises, or its buckets are not exponential.
    """
    samples = entry.get("histograms", ())
    try:
        at_ms = instants_ms(sample[0] for sample in samples)
        found = [_native(int(instant), sample[1]) for instant, sample in zip(at_ms, samples, strict=True)]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as problem:
        raise malformed(problem) from problem
    return [histogram for histogram in found if histogram is not None]


def native_rows(channel_id: str, histograms: Sequence[NativeHistogram], delay_us: int) -> pa.Table:
    """Return native histograms as rows of ``METRICS``, in order of time.

    One without a bucket but that of zero shows no resolution; it gets that of the one before it, which keeps it from
    looking like a restart.
    """
    ordered = sorted(histograms, key=lambda histogram: histogram.at_ms)
    if any(before.at_ms == after.at_ms for before, after in pairwise(ordered)):
        raise ambiguous(channel_id, 2)
    scale = next((histogram.scale for histogram in ordered if histogram.scale is not None), 0)
    scales = []
    for histogram in ordered:
        scale = scale if histogram.scale is None else histogram.scale
        scales.append(scale)
    told = {
        "counts": pa.array([histogram.counts for histogram in ordered], pa.list_(pa.float64())),
        "histogram_scale": pa.array(scales, pa.int32()),
        "histogram_offset": pa.array([histogram.offset for histogram in ordered], pa.int32()),
        "zero_count": pa.array([histogram.zero_count for histogram in ordered], pa.float64()),
    }
    return rows(channel_id, np.array([histogram.at_ms for histogram in ordered], dtype=np.int64), delay_us, told)


def _bound(channel_id: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as problem:
        raise TerminalSourceError(f"channel {channel_id!r}: bucket bound {text[:80]!r} is no number") from problem


def _merged(first: Series, second: Series) -> Series:
    """Return two series of one bucket, which text such as ``1`` and ``1.0`` for the bound keeps apart."""
    at_ms, value = np.concatenate([first.at_ms, second.at_ms]), np.concatenate([first.value, second.value])
    return in_order(Series(first.labels, at_ms, value))


def _cumulative(buckets: Mapping[float, Series]) -> list[tuple[int, list[float], list[float]]]:
    """Return instant, finite upper bounds and counts, with the infinite bucket last, where that is there.

    A count below the one before it, as sums of different replicas give, is raised to it (``histogram_quantile`` of
    Prometheus does the same).
    """
    bounds = sorted(bound for bound in buckets if not math.isnan(bound))
    if not bounds or bounds[-1] != math.inf or len(bounds) < 2:
        return []
    instants = np.unique(buckets[math.inf].at_ms)
    table = np.full((instants.size, len(bounds)), np.nan)
    for column, bound in enumerate(bounds):
        series = buckets[bound]
        row = np.minimum(np.searchsorted(instants, series.at_ms), max(instants.size - 1, 0))
        hit = instants[row] == series.at_ms
        table[row[hit], column] = series.value[hit]
    found = []
    for instant, row in zip(instants.tolist(), table, strict=True):
        there = np.isfinite(row)
        if there.sum() > 1:
            upper = [bound for bound, is_there in zip(bounds, there, strict=True) if is_there and bound != math.inf]
            found.append((instant, upper, np.maximum.accumulate(row[there]).tolist()))
    return found


def _native(at_ms: int, told: Mapping[str, Any]) -> NativeHistogram | None:
    zero_count, scale = 0.0, None
    filled: dict[int, float] = {}
    for rule, low_text, high_text, count_text in told.get("buckets") or ():
        low, high, count = float(low_text), float(high_text), float(count_text)
        if not math.isfinite(count) or (rule != _SPAN_AROUND_ZERO and low < 0.0):
            return None
        if rule == _SPAN_AROUND_ZERO or low == 0.0:
            zero_count += count
            continue
        own = round(-math.log2(math.log2(high / low)))
        if not math.isclose(math.log2(high / low), 2.0**-own, rel_tol=1e-6) or scale not in (None, own):
            raise ValueError(f"bucket {low_text} to {high_text} is not exponential")
        scale = own
        filled[round(math.log2(low) * 2.0**own)] = count
    if not filled:
        return NativeHistogram(at_ms, None, 0, [], zero_count)
    offset, size = min(filled), max(filled) - min(filled) + 1
    if size > _MAX_BUCKETS:
        raise ValueError(f"a native histogram spans {size} buckets; {_MAX_BUCKETS} are read")
    counts = [filled.get(offset + place, 0.0) for place in range(size)]
    return NativeHistogram(at_ms, scale, offset, counts, zero_count)
