"""Readings as they lie: gaps, channels that fell silent, and clocks that do not agree."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """What the readings of one channel come to; microseconds, instants since 1970.

    Attributes:
        first, last: When its first and its last reading were measured.
        holes: Begin and end ``[H, 2]`` of what is longer than a gap may be.
        lead: How long before it was measured a reading was known, at most.
        delays: 5th, 50th and 95th percentile of how long after it was measured one was known.
    """

    name: str
    step_us: int
    first: int
    last: int
    holes: Instants
    lead: int
    delays: tuple[float, float, float]


def inspect_readings(
    descriptor: SystemDescriptor, parts: Iterable[pa.Table], now: datetime, thresholds: Thresholds
) -> list[Finding]:
    """Look at the readings of one system, of which one part at a time is in memory.

    Args:
        descriptor: Its latest; says which channels there should be, at which step.
        parts: Each all readings of some channels: at least :data:`TIMES`, in any order.
        now: Of this machine.
        thresholds: What counts as odd.
    """
    where = f"{descriptor.tenant_id}/{descriptor.system_id}"
    found: dict[str, _Series] = {}
    for part in parts:
        found |= {one.name: one for one in _series(descriptor, part, thresholds)}
    if not found:
        if not descriptor.channels:
            return []
        what = f"none of its {len(descriptor.channels)} channels has a reading"
        return [warning("silent", where, what, "check that its source sends, under this tenant and system")]
    filled = [found[one.channel_id] for one in descriptor.channels if one.channel_id in found]
    return [
        *_silent(where, [one.channel_id for one in descriptor.channels], found, thresholds),
        *_gaps(where, filled, thresholds),
        *_skew(where, filled, _microseconds(now), thresholds),
    ]


def _series(descriptor: SystemDescriptor, readings: pa.Table, thresholds: Thresholds) -> Iterator[_Series]:
    """Yield the channels of the descriptor that have readings; what is no longer described is left out."""
    names = readings["channel_id"].combine_chunks().dictionary_encode()
    if isinstance(names, pa.ChunkedArray):
        names = names.combine_chunks()
    codes = np.asarray(names.indices)
    event_at, known_at = (np.asarray(readings[name].cast(pa.int64()).to_numpy()) for name in TIMES[1:])
    order = np.lexsort((event_at, codes))
    codes, event_at, known_at = codes[order], event_at[order], known_at[order]
    place: Mapping[str, int] = {name: index for index, name in enumerate(names.dictionary.to_pylist())}
    for channel in descriptor.channels:
        code = place.get(channel.channel_id, -1)
        first, end = np.searchsorted(codes, [code, code + 1]) if code >= 0 else (0, 0)
        if first == end:
            continue
        step_us = round((channel.step_s or descriptor.step_s) * _US)
        at, delays = event_at[first:end], known_at[first:end] - event_at[first:end]
        low, middle, high = np.percentile(delays, (5, 50, 95)).tolist()
        holes = _holes(at, thresholds.gap_steps * step_us)
        lead = -int(delays.min())
        yield _Series(channel.channel_id, step_us, int(at[0]), int(at[-1]), holes, lead, (low, middle, high))


def _silent(
    where: str, names: Sequence[str], found: Mapping[str, _Series], thresholds: Thresholds
) -> Iterator[Finding]:
    newest = max(one.last for one in found.values())
    remedy = "check its source and its query; if it is gone for good, take it out of the descriptor"
    for name in names:
        one = found.get(name)
        if one is None:
            what = f"has no reading in the last {thresholds.last_h:g} h of the system"
            yield warning("silent", f"{where}, channel {name}", what, remedy)
        elif newest - one.last > max(thresholds.silent_steps * one.step_us, thresholds.silent_s * _US):
            what = f"is silent since {_told(one.last)}; others go on until {_told(newest)}"
            yield warning("silent", f"{where}, channel {name}", what, remedy)


def _gaps(where: str, filled: Sequence[_Series], thresholds: Thresholds) -> Iterator[Finding]:
    """Yield gaps that all channels share once, and those of single channels that these do not explain."""
    shared = _shared(filled, thresholds.gap_steps * max(one.step_us for one in filled))
    for first, end in shared.tolist():
        what = f"no channel has a reading from {_told(first)} to {_told(end)}, {(end - first) / _US:,.0f} s"
        remedy = "the source or the way here was down, or recordings of different times were stored; nothing to mend"
        yield warning("gap", where, what, remedy)
    for one in filled:
        limit = thresholds.gap_steps * one.step_us
        own = [(first, end) for first, end in one.holes.tolist() if _own(first, end, shared) > limit]
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
    ahead = [one for one in filled if one.lead > thresholds.ahead_s * _US]
    if ahead:
        worst = max(ahead, key=lambda one: one.lead)
        what = f"{len(ahead)} channels have readings that were known before they were measured, {worst.name} by "
        remedy = "the source's clock is ahead of the receiver's: set both (NTP); readings are kept as they came"
        yield warning("skew", where, f"{what}{worst.lead / _US:,.0f} s", remedy)
    behind = []
    for one in filled:
        low, middle, high = one.delays
        # What is handed in later at once is late as well, but each reading by another time.
        is_steady = high - low < _STEADY * (one.last - one.first)
        if middle > max(thresholds.behind_steps * one.step_us, thresholds.behind_s * _US) and is_steady:
            behind.append((one, middle))
    if behind:
        slowest, delay = max(behind, key=lambda pair: pair[1])
        what = (
            f"{len(behind)} channels are always known about as late, {slowest.name} {delay / _US:,.0f} s after its time"
        )
        remedy = (
            "the source's clock is behind (set it), or the way here is that slow: a ranking then sees that much less"
        )
        yield warning("skew", where, what, remedy)
    latest = max(one.last for one in filled)
    if latest > now_us + thresholds.future_s * _US:
        what = f"the newest reading is of {_told(latest)}, and it is {_told(now_us)} here"
        yield warning("skew", where, what, "set the source's clock, or this machine's (NTP)")


def _shared(filled: Sequence[_Series], longer_than_us: int) -> Instants:
    """Return begin and end ``[H, 2]`` of what lies between the stretches of all channels, where that is longer."""
    begins = np.concatenate([np.concatenate([[one.first], one.holes[:, 1]]) for one in filled])
    ends = np.concatenate([np.concatenate([one.holes[:, 0], [one.last]]) for one in filled])
    order = np.argsort(begins)
    begins, covered = begins[order], np.maximum.accumulate(ends[order])
    holes = np.flatnonzero(begins[1:] - covered[:-1] > longer_than_us)
    return np.stack([covered[holes], begins[holes + 1]], axis=1).astype(np.int64)


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
