"""Reads a few channels of a time span out of many parts: parts and row groups that cannot match are left out."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opswm.clock import to_utc
from opswm.store.tables.snapshot import Part
from opswm_schemas.columns import INSTANT, METRICS

_NEEDED: Final = ("channel_id", "event_at", "known_at")
_FAR: Final = np.iinfo(np.int64)


@dataclass(frozen=True)
class Wanted:
    """Which readings: ``since <= event_at < until`` and ``known_at <= as_of``, of some channels.

    Attributes:
        channel_ids: Sorted, each once.
    """

    channel_ids: Sequence[str]
    since: datetime
    until: datetime
    as_of: datetime

    @classmethod
    def of(cls, channel_ids: Sequence[str], since: datetime, until: datetime, as_of: datetime) -> "Wanted":
        """Return a question.

        Raises:
            BadInputError: On a naive instant.
        """
        return cls(sorted(set(channel_ids)), to_utc(since), to_utc(until), to_utc(as_of))

    def keep(self, rows: pa.Table) -> pa.Table:
        """Return the rows that were asked for."""
        first, end, known = (pa.scalar(moment, INSTANT) for moment in (self.since, self.until, self.as_of))
        wanted = pc.is_in(rows["channel_id"], pa.array(self.channel_ids, pa.string()))
        for condition in (
            pc.greater_equal(rows["event_at"], first),
            pc.less(rows["event_at"], end),
            pc.less_equal(rows["known_at"], known),
        ):
            wanted = pc.and_(wanted, condition)
        return rows.filter(wanted)

    def may_be_in(self, part: Part) -> bool:
        """Return whether a part can hold any of it."""
        if part.event_to < self.since or part.event_from >= self.until or part.known_from > self.as_of:
            return False
        if part.channel_from is None or part.channel_to is None or not self.channel_ids:
            return bool(self.channel_ids)
        return _any_between(self.channel_ids, part.channel_from, part.channel_to)


@dataclass(frozen=True)
class _Index:
    """What a part's footer says, kept because parts never change.

    Attributes:
        footer: As Parquet has it.
        columns: Those in which anything stands.
        channels: Least and greatest channel of each row group, None where it is not known.
        event_us, known_us: Bounds of each row group, microseconds since 1970; of ``known_at`` the lower one.
    """

    footer: pq.FileMetaData
    columns: list[str]
    channels: list[tuple[str, str] | None]
    event_us: NDArray[np.int64]
    known_us: NDArray[np.int64]


class PartReader:
    """Reads parts; what their footers say is kept for the next time.

    Args:
        max_footers: How many are kept.
    """

    def __init__(self, max_footers: int = 512) -> None:
        self._max_footers = max_footers
        self._indices: OrderedDict[Path, _Index] = OrderedDict()
        self._lock = Lock()

    def read(self, parts: Sequence[Part], wanted: Wanted) -> list[pa.Table]:
        """Return what parts hold of something, in the order of the parts.

        Raises:
            OSError: When a part cannot be read; ``FileNotFoundError`` when it is gone.
            pa.ArrowInvalid: When it is no Parquet file.
        """
        return [self._read(part.file, wanted) for part in parts if wanted.may_be_in(part)]

    def _read(self, path: Path, wanted: Wanted) -> pa.Table:
        index = self._index(path)
        groups = _groups(index, wanted)
        if not groups:
            return METRICS.empty_table()
        with pq.ParquetFile(path, metadata=index.footer, read_dictionary=["channel_id"], memory_map=True) as file:
            rows = _keep(file.read_row_groups(groups, columns=index.columns, use_threads=False), wanted)
        columns = [
            rows[field.name].cast(field.type)
            if field.name in index.columns
            else pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
            for field in METRICS
        ]
        return pa.table(columns, schema=METRICS)

    def _index(self, path: Path) -> _Index:
        with self._lock:
            known = self._indices.get(path)
            if known is not None:
                self._indices.move_to_end(path)
                return known
        made = _index_of(pq.read_metadata(path))
        with self._lock:
            self._indices[path] = made
            while len(self._indices) > self._max_footers:
                self._indices.popitem(last=False)
        return made


def _keep(rows: pa.Table, wanted: Wanted) -> pa.Table:
    """Do as :meth:`Wanted.keep`, for rows whose channels are encoded in each row group."""
    since, until, as_of = (int(pa.scalar(m, INSTANT).value) for m in (wanted.since, wanted.until, wanted.as_of))
    event_us, known_us = (np.asarray(rows[name].cast(pa.int64())) for name in ("event_at", "known_at"))
    names = frozenset(wanted.channel_ids)
    asked = [
        np.fromiter((name in names for name in chunk.dictionary.to_pylist()), bool, len(chunk.dictionary))[
            np.asarray(chunk.indices)
        ]
        for chunk in rows["channel_id"].chunks
    ]
    return rows.filter(pa.array(np.concatenate(asked) & (event_us >= since) & (event_us < until) & (known_us <= as_of)))


def _index_of(footer: pq.FileMetaData) -> _Index:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    names = [footer.schema.column(column).path.partition(".")[0] for column in range(footer.num_columns)]
    present = set(_NEEDED)
    bounds = np.empty((len(groups), 3), dtype=np.int64)
    channels: list[tuple[str, str] | None] = []
    for number, group in enumerate(groups):
        for column, name in enumerate(names):
            statistics = group.column(column).statistics
            told = statistics is not None and statistics.has_min_max
            if name == "channel_id":
                channels.append((statistics.min, statistics.max) if told else None)
            elif name == "event_at":
                ends = (statistics.min_raw, statistics.max_raw) if told else (_FAR.min, _FAR.max)
                bounds[number, :2] = ends
            elif name == "known_at":
                bounds[number, 2] = statistics.min_raw if told else _FAR.min
            if statistics is None or not statistics.has_null_count or statistics.null_count < group.num_rows:
                present.add(name)
    columns = [name for name in METRICS.names if name in present]
    return _Index(footer, columns, channels, bounds[:, :2], bounds[:, 2])


def _groups(index: _Index, wanted: Wanted) -> list[int]:
    """Return the row groups that can hold something of what is asked for."""
    since, until, as_of = (int(pa.scalar(m, INSTANT).value) for m in (wanted.since, wanted.until, wanted.as_of))
    in_time = (index.event_us[:, 1] >= since) & (index.event_us[:, 0] < until) & (index.known_us <= as_of)
    return [
        number
        for number in np.flatnonzero(in_time).tolist()
        if (ends := index.channels[number]) is None or _any_between(wanted.channel_ids, *ends)
    ]


def _any_between(ordered: Sequence[str], least: str, most: str) -> bool:
    """Return whether any of some ordered names lies between two, both included."""
    place = bisect_left(ordered, least)
    return place < len(ordered) and ordered[place] <= most
