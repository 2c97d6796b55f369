"""Readings as they lie: gaps, channels that fell silent, and clocks that do not agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.store.inspection.findings import Finding, warning
from opswm_schemas.descriptor import SystemDescriptor

TIMES: Final = ("channel_id", "event_at", "known_at")
"""The columns this needs."""

_US: Final = 1_000_000
_STEADY: Final = 0.1
"""Delays that spread over less than this share of the time they were read in are the same delay."""

Instants = NDArray[np.int64]


@dataclass(frozen=True)
class Thresholds:
    """What counts as odd.

    Attributes:
        last_h: Looked at are the hours before a system's newest reading.
        gap_steps: A gap is more than so many steps of a channel without a reading.
        silent_steps, silent_s: A channel is silent that ends both so many of its steps and so many seconds before
            the system's newest reading.
        ahead_s: Readings may be known so long before they were measured, for clocks are never quite the same.
        behind_steps, behind_s: A clock is behind where the readings of a channel are always known at least so much
            later, both in steps and seconds, and always by about the same.
        future_s: Readings may be so far in the future.
    """

    last_h: float = 24.0
    gap_steps: int = 3
    silent_steps: int = 10
    silent_s: float = 300.0
    ahead_s: float = 1.0
    behind_steps: int = 10
    behind_s: float = 300.0
    future_s: float = 60.0


@dataclass(frozen=True)
class _Series:
    """Times of one channel's readings, microseconds since 1970, in order of measurement."""

    name: str
    step_us: int
    event_at: Instants
    known_at: Instants


def inspect_readings(
    descriptor: SystemDescriptor, readings: pa.Table, now: datetime, thresholds: Thresholds
) -> list[Finding]:
    """Look at the readings of one system.

    Args:
        descriptor: Its latest; says which channels there should be, at which step.
        readings: At least :data:`TIMES`, in any order.
        now: Of this machine.
        thresholds: What counts as odd.
    """
    where = f"{descriptor.tenant_id}/{descriptor.system_id}"
    series = _split(descriptor, readings)
    filled = [one for one in series if one.event_at.size]
    if not filled:
        if not descriptor.channels:
            return []
        what = f"none of its {len(descriptor.channels)} channels has a reading"
        return [warning("silent", where, what, "check that its source sends, under this tenant and system")]
    return [
        *_silent(where, series, filled, thresholds),
        *_gaps(where, filled, thresholds),
        *_skew(where, filled, _microseconds(now), thresholds),
    ]


def _split(descriptor: SystemDescriptor, readings: pa.Table) -> list[_Series]:
    """Return the times of every channel of the descriptor; what is no longer described is left out."""
    names = readings["channel_id"].combine_chunks().dictionary_encode()
    if isinstance(names, pa.ChunkedArray):
        names = names.combine_chunks()
    codes = np.asarray(names.indices)
    event_at, known_at = (np.asarray(readings[name].cast(pa.int64()).to_numpy()) for name in TIMES[1:])
    order = np.lexsort((event_at, codes))
    codes, event_at, known_at = codes[order], event_at[order], known_at[order]
    place: Mapping[str, int] = {name: index for index, name in enumerate(names.dictionary.to_pylist())}
    found = []
    for channel in descriptor.channels:
        step_us = round((channel.step_s or descriptor.step_s) * _US)
        code = place.get(channel.channel_id, -1)
        first, end = np.searchsorted(codes, [code, code + 1]) if code >= 0 else (0, 0)
        found.append(_Series(channel.channel_id, step_us, event_at[first:end], known_at[first:end]))
    return found


def _silent(
    where: str, series: Sequence[_Series], filled: Sequence[_Series], thresholds: Thresholds
) -> Iterator[Finding]:
    newest = max(int(one.event_at[-1]) for one in filled)
    remedy = "check its source and its query; if it is gone for good, take it out of the descriptor"
    for one in series:
        if not one.event_at.size:
            what = f"has no reading in the last {thresholds.last_h:g} h of the system"
            yield warning("silent", f"{where}, channel {one.name}", what, remedy)
            continue
        last = int(one.event_at[-1])
        if newest - last > max(thresholds.silent_steps * one.step_us, thresholds.silent_s * _US):
            what = f"is silent since {_told(last)}; others go on until {_told(newest)}"
            yield warning("silent", f"{where}, channel {one.name}", what, remedy)


def _gaps(where: str, filled: Sequence[_Series], thresholds: Thresholds) -> Iterator[Finding]:
    """Yield gaps that all channels share once, and those of single channels that these do not explain."""
    widest = thresholds.gap_steps * max(one.step_us for one in filled)
    shared = _holes(np.unique(np.concatenate([one.event_at for one in filled])), widest)
    for first, end in shared.tolist():
        what = f"no channel has a reading from {_told(first)} to {_told(end)}, {(end - first) / _US:,.0f} s"
        remedy = "the source or the way here was down, or recordings of different times were stored; nothing to mend"
        yield warning("gap", where, what, remedy)
    for one in filled:
        limit = thresholds.gap_steps * one.step_us
        own = [(first, end) for first, end in _holes(one.event_at, limit).tolist() if _own(first, end, shared) > limit]
        if own:
            longest = max(own, key=lambda hole: hole[1] - hole[0])
            missing = sum(round(_own(first, end, shared) / one.step_us) - 1 for first, end in own)
            count = "a gap" if len(own) == 1 else f"{len(own)} gaps"
            what = (
                f"has {count}, {missing:,} readings missing at its step of {one.step_us / _US:g} s; the longest from "
                f"{_told(longest[0])} to {_told(longest[1])}"
            )
            remedy = "look at its source at that time; a wrong step_s in the descriptor looks the same, everywhere"
            yield warning("gap", f"{where}, channel {one.name}", what, remedy)


def _skew(where: str, filled: Sequence[_Series], now_us: int, thresholds: Thresholds) -> Iterator[Finding]:
    ahead = [
        (one, lead) for one in filled if (lead := int((one.event_at - one.known_at).max())) > thresholds.ahead_s * _US
    ]
    if ahead:
        worst, lead = max(ahead, key=lambda pair: pair[1])
        what = f"{len(ahead)} channels have readings that were known before they were measured, {worst.name} by "
        remedy = "the source's clock is ahead of the receiver's: set both (NTP); readings are kept as they came"
        yield warning("skew", where, f"{what}{lead / _US:,.0f} s", remedy)
    behind = []
    for one in filled:
        low, middle, high = np.percentile(one.known_at - one.event_at, (5, 50, 95))
        # What is handed in later at once is late as well, but each reading by another time.
        is_steady = high - low < _STEADY * (one.event_at[-1] - one.event_at[0])
        if middle > max(thresholds.behind_steps * one.step_us, thresholds.behind_s * _US) and is_steady:
            behind.append((one, float(middle)))
    if behind:
        slowest, delay = max(behind, key=lambda pair: pair[1])
        what = (
            f"{len(behind)} channels are always known about as late, {slowest.name} {delay / _US:,.0f} s after its time"
        )
        remedy = (
            "the source's clock is behind (set it), or the way here is that slow: a ranking then sees that much less"
        )
        yield warning("skew", where, what, remedy)
    latest = max(int(one.event_at.max()) for one in filled)
    if latest > now_us + thresholds.future_s * _US:
        what = f"the newest reading is of {_told(latest)}, and it is {_told(now_us)} here"
        yield warning("skew", where, what, "set the source's clock, or this machine's (NTP)")


def _holes(times: Instants, longer_than_us: int) -> Instants:
    """Return begin and end ``[H, 2]`` of what lies between two instants that are further apart than that."""
    before = np.flatnonzero(np.diff(times) > longer_than_us)
    return np.stack([times[before], times[before + 1]], axis=1)


def _own(first: int, end: int, shared: Instants) -> int:
    """Return how much of a hole no shared one explains, microseconds."""
    overlap = np.minimum(shared[:, 1], end) - np.maximum(shared[:, 0], first)
    return end - first - int(overlap.clip(min=0).sum())


def _microseconds(moment: datetime) -> int:
    return int(pc.cast(pa.scalar(moment, pa.timestamp("us", tz="UTC")), pa.int64()).as_py())


def _told(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us / _US, UTC).strftime("%Y-%m-%d %H:%M:%S")
