"""Readings as they were known at a moment: one per channel and instant, in one order, whatever order they came in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm_schemas.descriptor import Channel

_SAID: Final = ("upper_bounds", "counts", "histogram_scale", "histogram_offset", "zero_count")


@dataclass(frozen=True)
class Readings:
    """Readings by channel, then instant; no two of one channel at the same instant.

    Attributes:
        channel: Position of each reading's channel in the descriptor.
        at_us: When each was taken, microseconds since 1970.
        value: The number; NaN where the reading is a histogram.
        row: Where each stands in ``table``.
        table: The readings as they came, in the columns of ``METRICS``.
    """

    channel: NDArray[np.int64]
    at_us: NDArray[np.int64]
    value: NDArray[np.float64]
    row: NDArray[np.int64]
    table: pa.Table

    def of_kind(self, wanted: NDArray[np.bool_]) -> "Readings":
        """Return the readings of the channels marked in ``wanted``."""
        where = np.flatnonzero(wanted[self.channel])
        if where.size == self.channel.size:
            return self
        return Readings(self.channel[where], self.at_us[where], self.value[where], self.row[where], self.table)


def known_readings(channels: Sequence[Channel], metrics: pa.Table, at_us: int) -> Readings:
    """Return what was known at a moment about what had happened by then.

    Of several readings of one channel at one instant, the one that became known last counts: a correction
    replaces what it corrects. Readings of channels that are not listed are left out.

    Args:
        channels: The descriptor's channels.
        metrics: Readings in any order, in the columns of ``METRICS``.
        at_us: The moment, microseconds since 1970.

    Raises:
        BadInputError: On NaN or infinite values, or a histogram where numbers belong, or the other way round.
    """
    names = pa.array([channel.channel_id for channel in channels], pa.string())
    position = pc.index_in(metrics["channel_id"].cast(pa.string()), value_set=names)
    channel = np.asarray(pc.fill_null(position, -1).to_numpy(), dtype=np.int64)
    taken, known = _instants(metrics["event_at"]), _instants(metrics["known_at"])
    row = np.flatnonzero((channel >= 0) & (known <= at_us) & (taken <= at_us))
    channel, taken, known = channel[row], taken[row], known[row]
    number = np.asarray(pc.is_valid(metrics["value"]).to_numpy(), dtype=bool)[row]
    histogram = np.asarray(pc.is_valid(metrics["counts"]).to_numpy(), dtype=bool)[row]
    value = np.asarray(metrics["value"].to_numpy(), dtype=np.float64)[row]
    _check_kinds(channels, channel, number, value, histogram)
    order = _order(channel, taken)
    order = order[_newest_known(metrics, order, row, channel, taken, known, value)]
    return Readings(channel[order], taken[order], value[order], row[order], metrics)


def _check_kinds(
    channels: Sequence[Channel],
    channel: NDArray[np.int64],
    number: NDArray[np.bool_],
    value: NDArray[np.float64],
    histogram: NDArray[np.bool_],
) -> None:
    wants_histogram = np.array([entry.instrument == "histogram" for entry in channels], dtype=bool)
    for wrong, what in (
        (number & ~np.isfinite(value), "holds NaN or infinite values; leave out what was not measured"),
        (number == histogram, "holds readings that are neither or both of a number and a histogram"),
        (histogram & ~wants_histogram[channel], "is described as numbers and holds histograms"),
        (number & wants_histogram[channel], "is described as histograms and holds numbers"),
    ):
        if wrong.any():
            first = channels[int(channel[np.argmax(wrong)])].channel_id
            raise BadInputError(f"channel {first!r} {what} ({int(wrong.sum())} in all channels)")


def _order(channel: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order by channel, then instant; quick where much is in order already."""
    if channel.size == 0:
        return np.zeros(0, dtype=np.int64)
    since, span = int(taken.min()), int(taken.max() - taken.min()) + 1
    if (int(channel.max()) + 1) * span >= 2**63:
        return np.lexsort((taken, channel))
    return np.argsort(channel * span + (taken - since), kind="stable")


def _newest_known(
    metrics: pa.Table,
    order: NDArray[np.int64],
    row: NDArray[np.int64],
    channel: NDArray[np.int64],
    taken: NDArray[np.int64],
    known: NDArray[np.int64],
    value: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the positions in ``order`` to keep: of each channel and instant, what became known last.

    Where two readings became known at the same time, what they say decides, not how they came.
    """
    same = (np.diff(channel[order]) == 0) & (np.diff(taken[order]) == 0)
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    kept = np.arange(order.size)
    if tied.size == 0:
        return kept
    rival = order[tied]
    group = np.cumsum(np.insert(~same, 0, True))[tied]
    said = np.nan_to_num(value[rival])
    histogram = np.flatnonzero(np.isnan(value[rival]))
    if histogram.size:
        said[histogram] = _rank_of_content(metrics.take(row[rival[histogram]]))
    best = np.lexsort((said, known[rival], group))
    last = np.append(np.diff(group) != 0, True)
    return np.sort(np.concatenate([np.delete(kept, tied), tied[best[last]]]))


def _rank_of_content(histograms: pa.Table) -> NDArray[np.float64]:
    text = [repr(sorted(row.items())) for row in histograms.select(_SAID).to_pylist()]
    rank = {said: position for position, said in enumerate(sorted(set(text)))}
    return np.array([rank[said] for said in text], dtype=np.float64)


def _instants(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(), dtype=np.int64)
