"""Turns channels and an interval into requests that each stay within what a server answers at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opswm_connectors.prometheus.selector import Question, is_plain, together
from opswm_schemas.descriptor import Channel

_SERIES_PER_HISTOGRAM: Final = 16


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        question: What is asked for.
        since_ms, until_ms: Milliseconds since 1970; the end is left out.
        step_ms: At which step an expression is evaluated; None for raw samples.
    """

    question: Question
    since_ms: int
    until_ms: int
    step_ms: int | None

    def halves(self) -> tuple["Request", "Request"] | None:
        """Return two requests that together ask the same, or None where this one can be no shorter."""
        unit = self.step_ms or 1
        size = (self.until_ms - self.since_ms) // unit
        if size < 2:
            return None
        middle = self.since_ms + size // 2 * unit
        return (
            Request(self.question, self.since_ms, middle, self.step_ms),
            Request(self.question, middle, self.until_ms, self.step_ms),
        )


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes:
        max_points: Points per series.
        max_series: Series.
        step_s: The step of channels that name none.
    """

    max_points: int
    max_series: int
    step_s: float


def requests(
    channels: Sequence[Channel], since_ms: int, until_ms: int, step_s: float | None, limits: Limits
) -> list[Request]:
    """Return what to ask for the readings of channels in ``[since_ms, until_ms)``.

    Raw samples are asked for wherever a query is a plain selector: they carry their own times, and a counter's resets
    are seen. Everything else is an expression and evaluated: at the step that is asked for, counted from ``since_ms``,
    else at the channel's own, counted from 1970, so that neighbouring intervals ask for the same instants.

    Args:
        channels: Those that have a query.
        since_ms: Where the interval begins, milliseconds since 1970.
        until_ms: Where it ends, left out.
        step_s: The step that is asked for, if any.
        limits: Of one request.
    """
    found: list[Request] = []
    for step_ms, alike in _by_step([channel for channel in channels if is_plain(channel.query)], limits):
        for is_histogram in (False, True):
            queries = {
                channel.channel_id: channel.query
                for channel in alike
                if (channel.instrument == "histogram") == is_histogram
            }
            per_question = max(1, limits.max_series // (_SERIES_PER_HISTOGRAM if is_histogram else 1))
            for question in together(queries, per_question):
                spans = _cut(since_ms, until_ms, step_ms * limits.max_points)
                found.extend(Request(question, first, end, None) for first, end in spans)
    for own_ms, alike in _by_step([channel for channel in channels if not is_plain(channel.query)], limits):
        step_ms = own_ms if step_s is None else max(1, round(step_s * 1000))
        first_ms = since_ms if step_s is not None else -(-since_ms // own_ms) * own_ms
        owners: dict[str, tuple[str, ...]] = {}
        for channel in alike:
            owners[channel.query] = (*owners.get(channel.query, ()), channel.channel_id)
        for query, channel_ids in sorted(owners.items()):
            question = Question(query, "", {"": channel_ids})
            spans = _cut(first_ms, until_ms, step_ms * (limits.max_points - 1))
            found.extend(Request(question, first, end, step_ms) for first, end in spans)
    return found


def _by_step(channels: Sequence[Channel], limits: Limits) -> list[tuple[int, list[Channel]]]:
    groups: dict[int, list[Channel]] = {}
    for channel in channels:
        groups.setdefault(max(1, round((channel.step_s or limits.step_s) * 1000)), []).append(channel)
    return sorted(groups.items())


def _cut(since_ms: int, until_ms: int, length_ms: int) -> Iterator[tuple[int, int]]:
    for first in range(since_ms, until_ms, length_ms):
        yield first, min(first + length_ms, until_ms)
