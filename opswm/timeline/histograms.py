"""Histogram channels to ticks: finds what kind each channel's readings are and takes them apart."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.timeline.classic import Flat, classic_ticks
from opswm.timeline.grid import Grid
from opswm.timeline.native import NativeReadings, native_ticks
from opswm.timeline.numbers import Ticked
from opswm.timeline.readings import Readings
from opswm_schemas.descriptor import Channel


def histogram_ticks(readings: Readings, grid: Grid, channels: Sequence[Channel], stale_us: NDArray[np.int64]) -> Ticked:
    """Bring histograms to their channel's quantile per tick.

    Where a channel changed from classic to native histograms or back, both parts are read on their own and
    the later part wins where they share a tick.

    Args:
        readings: Of histogram channels.
        grid: The ticks.
        channels: The descriptor's channels.
        stale_us: Per channel, how old the reading before may be, microseconds.

    Raises:
        BadInputError: When a histogram's lists do not fit each other.
    """
    shape = (grid.num_ticks, len(channels))
    value, seen = np.zeros(shape), np.zeros(shape, dtype=bool)
    table = readings.table.take(readings.row)
    edges = np.flatnonzero(np.diff(readings.channel, prepend=-1, append=-1))
    for first, end in pairwise(edges):
        index = int(readings.channel[first])
        quantile = channels[index].quantile
        if quantile is None:
            raise BadInputError(f"channel {channels[index].channel_id!r} holds histograms and names no quantile")
        rows, at_us = table.slice(first, end - first), readings.at_us[first:end]
        native = np.asarray(pc.is_valid(rows["histogram_scale"]).to_numpy(), dtype=bool)
        parts = []
        for wanted in (False, True):
            where = np.flatnonzero(native == wanted)
            if where.size:
                part, stale = rows.take(where), int(stale_us[index])
                if wanted:
                    ticked = native_ticks(_native(part, at_us[where]), quantile, grid, stale)
                else:
                    bounds, counts = _flat(part["upper_bounds"]), _flat(part["counts"])
                    _check_lengths(channels[index].channel_id, bounds, counts)
                    ticked = classic_ticks(at_us[where], bounds, counts, quantile, grid, stale)
                parts.append((at_us[where][-1], wanted, ticked))
        for _, _, (part_value, part_seen) in sorted(parts, key=lambda part: part[:2]):
            value[part_seen, index] = part_value[part_seen]
            seen[:, index] |= part_seen
    return value, seen


def _native(rows: pa.Table, at_us: NDArray[np.int64]) -> NativeReadings:
    flat, _, length = _flat(rows["counts"])
    reading = np.repeat(np.arange(length.size), length)
    within = np.arange(flat.size) - np.repeat(np.cumsum(length) - length, length)
    return NativeReadings(
        at_us=at_us,
        scale=_whole(rows["histogram_scale"]),
        zero_count=np.asarray(pc.fill_null(rows["zero_count"], 0.0).to_numpy(), dtype=np.float64),
        reading=reading,
        bucket=_whole(rows["histogram_offset"])[reading] + within,
        count=flat,
    )


def _flat(column: pa.ChunkedArray) -> Flat:
    flat = np.asarray(pc.list_flatten(column).to_numpy(), dtype=np.float64)
    length = _whole(pc.list_value_length(column))
    return flat, np.cumsum(length) - length, length


def _whole(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(column, 0).to_numpy(), dtype=np.int64)


def _check_lengths(channel_id: str, bounds: Flat, counts: Flat) -> None:
    wrong = (counts[2] != bounds[2] + 1) | (bounds[2] < 1)
    if wrong.any():
        raise BadInputError(
            f"channel {channel_id!r}: {int(wrong.sum())} classic histogram(s) have not one count per upper bound and "
            "one for the infinite bucket"
        )
