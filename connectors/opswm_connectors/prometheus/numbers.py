"""Series of numbers, as the HTTP API writes them, to readings; what was not measured is left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm_connectors.errors import TerminalSourceError
from opswm_schemas.columns import INSTANT, METRICS

_US_PER_MS: Final = 1000


@dataclass(frozen=True)
class Series:
    """Samples of one series that are finite numbers, in order of time.

    Attributes:
        labels: Of the series; text from outside.
        at_ms: When each was taken, milliseconds since 1970.
        value: The numbers.
    """

    labels: Mapping[str, str]
    at_ms: NDArray[np.int64]
    value: NDArray[np.float64]

    def within(self, since_ms: int, until_ms: int) -> "Series":
        """Return the samples with ``since_ms <= at < until_ms``."""
        inside = (self.at_ms >= since_ms) & (self.at_ms < until_ms)
        return self if inside.all() else Series(self.labels, self.at_ms[inside], self.value[inside])


def read_series(entry: Mapping[str, Any]) -> Series:
    """Return an entry of a matrix; NaN, which also marks a series that ended, and infinities are left out.

    Raises:
        TerminalSourceError: When it is not what the API promises.
    """
    samples = entry.get("values", ())
    try:
        at_ms = instants_ms(sample[0] for sample in samples)
        value = np.array([float(sample[1]) for sample in samples], dtype=np.float64)
        labels = {str(name): str(text) for name, text in entry["metric"].items()}
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as problem:
        raise malformed(problem) from problem
    there = np.isfinite(value)
    return in_order(Series(labels, at_ms[there], value[there]))


def malformed(problem: Exception) -> TerminalSourceError:
    """Return the error for a series that cannot be read."""
    return TerminalSourceError(f"a series of the response is malformed ({problem}); check what the URL leads to")


def instants_ms(seconds: Iterable[Any]) -> NDArray[np.int64]:
    """Return times in seconds with up to three decimals as whole milliseconds."""
    given = np.array([float(second) for second in seconds], dtype=np.float64)
    if not np.all(np.abs(given) < 1e12):
        raise ValueError("a time is out of range")
    return np.rint(given * 1000.0).astype(np.int64)


def in_order(series: Series) -> Series:
    """Return the samples in order of time, at most one an instant."""
    if np.all(np.diff(series.at_ms) > 0):
        return series
    at_ms, first = np.unique(series.at_ms, return_index=True)
    return Series(series.labels, at_ms, series.value[first])


def one_after_another(channel_id: str, series: Sequence[Series]) -> Series:
    """Return the series of one channel as one, where each ended before the next began, as when a replica is replaced.

    Raises:
        TerminalSourceError: When two overlap, so that nobody can tell which is the channel's.
    """
    found = sorted((one for one in series if one.at_ms.size), key=lambda one: int(one.at_ms[0]))
    if not found:
        return Series({}, np.zeros(0, np.int64), np.zeros(0))
    for before, after in pairwise(found):
        if after.at_ms[0] <= before.at_ms[-1]:
            raise ambiguous(channel_id, len(found))
    at_ms, value = (np.concatenate([getattr(one, name) for one in found]) for name in ("at_ms", "value"))
    return Series(found[0].labels, at_ms, value)


def ambiguous(channel_id: str, num_series: int) -> TerminalSourceError:
    """Return the error for a channel whose query finds several series at once."""
    return TerminalSourceError(
        f"channel {channel_id!r}: its query finds {num_series} series at the same time; select one by its labels, or "
        "aggregate them, for instance with sum(...)"
    )


def number_rows(channel_id: str, series: Series, delay_us: int) -> pa.Table:
    """Return the samples of a channel of numbers as rows of ``METRICS``.

    Args:
        channel_id: Whose.
        series: Its samples.
        delay_us: From a sample's time to when it was known.
    """
    return rows(channel_id, series.at_ms, delay_us, {"value": pa.array(series.value)})


def rows(channel_id: str, at_ms: NDArray[np.int64], delay_us: int, told: Mapping[str, pa.Array]) -> pa.Table:
    """Return rows of ``METRICS`` for one channel; columns that are not told are empty."""
    event_us = at_ms * _US_PER_MS
    columns = {
        "channel_id": pa.repeat(pa.scalar(channel_id), len(at_ms)),
        "event_at": pa.array(event_us).cast(INSTANT),
        "known_at": pa.array(event_us + delay_us).cast(INSTANT),
    } | dict(told)
    whole = [columns.get(field.name, pa.nulls(len(at_ms), field.type)).cast(field.type) for field in METRICS]
    return pa.Table.from_arrays(whole, schema=METRICS)
