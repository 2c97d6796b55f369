"""Splits of decision points that cannot leak: by group, and by time with an embargo on both clocks."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opswm.errors import BadInputError


@dataclass(frozen=True)
class Span:
    """All that one sample reads, inputs and outcome together, on both clocks.

    Attributes:
        event_since, event_until: From the start of its context to the end of its horizon.
        known_since, known_until: From when its first fact was known to when its last one was; telemetry that
            came late makes this longer than the events.

    Raises:
        BadInputError: When an end comes before its start.
    """

    event_since: datetime
    event_until: datetime
    known_since: datetime
    known_until: datetime

    def __post_init__(self) -> None:
        if self.event_until < self.event_since or self.known_until < self.known_since:
            raise BadInputError(f"a span ends before it starts: {self}")

    @property
    def since(self) -> datetime:
        """The earlier start of the two clocks."""
        return min(self.event_since, self.known_since)

    @property
    def until(self) -> datetime:
        """The later end of the two clocks."""
        return max(self.event_until, self.known_until)


def span_of(
    at: datetime, step_s: float, context_ticks: int, horizon_ticks: int, outcome_known_at: datetime | None = None
) -> Span:
    """Return what a decision point reads, where facts become known as they happen or up to a stated moment.

    Args:
        at: The decision.
        step_s: Length of a tick, seconds.
        context_ticks: Ticks before the decision.
        horizon_ticks: Ticks after it.
        outcome_known_at: When the last reading of the outcome was known, where that was later.
    """
    since = at - timedelta(seconds=step_s * context_ticks)
    until = at + timedelta(seconds=step_s * horizon_ticks)
    return Span(since, until, since, max(until, outcome_known_at or until))


def split_by_group(groups: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Assign whole groups (worlds, systems, runs) to sides by a seeded hash of their names.

    A group's side depends on its name, the seed and the shares alone, so data that come later never move it.

    Args:
        groups: Group of each sample.
        shares: Share of each side; they sum to 1.
        seed: Of the hash.

    Returns:
        Indices of the samples on each side.

    Raises:
        BadInputError: When shares are negative or do not sum to 1.
    """
    if min(shares.values(), default=-1.0) < 0.0 or abs(sum(shares.values()) - 1.0) > 1e-9:
        raise BadInputError(f"shares {dict(shares)} must not be negative and must sum to 1")
    sides: dict[str, list[int]] = {name: [] for name in shares}
    for index, group in enumerate(groups):
        sides[_side(group, shares, seed)].append(index)
    return sides


def split_by_time(
    spans: Sequence[Span], boundaries: Sequence[datetime], embargo: timedelta = timedelta(0)
) -> list[list[int]]:
    """Assign samples to the stretches between boundaries; what touches a boundary is on no side.

    A sample is on a side only if everything it reads happened and was known within that side's stretch, so
    no two samples of different sides share a reading or an outcome on either clock.

    Args:
        spans: What each sample reads.
        boundaries: Increasing instants; ``n`` of them make ``n + 1`` sides.
        embargo: Further time to leave free after each boundary, for effects that outlast the horizon.

    Returns:
        Indices of the samples on each side, in time order of the sides.

    Raises:
        BadInputError: When boundaries do not increase or the embargo is negative.
    """
    if any(later <= earlier for earlier, later in itertools.pairwise(boundaries)):
        raise BadInputError("boundaries must increase")
    if embargo < timedelta(0):
        raise BadInputError(f"embargo {embargo} is negative")
    sides: list[list[int]] = [[] for _ in range(len(boundaries) + 1)]
    for index, span in enumerate(spans):
        for side, members in enumerate(sides):
            after = side == 0 or span.since >= boundaries[side - 1] + embargo
            before = side == len(boundaries) or span.until <= boundaries[side]
            if after and before:
                members.append(index)
                break  # a sample of no length on a boundary would fit both sides
    return sides


def _side(group: str, shares: Mapping[str, float], seed: int) -> str:
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2.0**64
    below = 0.0
    for name, share in shares.items():
        below += share
        if draw < below:
            return name
    return next(name for name in reversed(list(shares)) if shares[name] > 0.0)
