"""Which files of a Delta table may hold what a question asks for, by partition and by the statistics in its log."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from opswm.errors import StoreError
from opswm.store.readers.scan import Wanted
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import SystemKey

_COARSE: Final = timedelta(milliseconds=2)
"""Statistics in the log may be cut to milliseconds, so their ends are taken this much wider."""

_STATISTICS: Final = {
    "min.channel_id": pa.string(),
    "max.channel_id": pa.string(),
    "min.event_at": INSTANT,
    "max.event_at": INSTANT,
    "min.known_at": INSTANT,
}


@dataclass(frozen=True)
class _Listing:
    """The files of one table version.

    Attributes:
        version: Of the table.
        systems: Per system, the files' places and statistics, one a row.
    """

    version: int
    systems: dict[SystemKey, pa.Table]


class DeltaFiles:
    """Lists the files of a local Delta table; only what was committed since the last question is read anew.

    Args:
        folder: Where the table is.

    Raises:
        StoreError: When there is no table, or its log cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        try:
            self._table = DeltaTable(str(folder))
            self._listing = _listed(self._table)
        except (DeltaError, OSError) as problem:
            raise StoreError(f"the metrics table at {folder} cannot be opened: {problem}") from problem

    def may_hold(self, system: SystemKey, wanted: Wanted) -> list[Path]:
        """Return the files that statistics do not rule out, in the order of their names.

        Raises:
            StoreError: When the log cannot be read.
        """
        files = self._current().systems.get(system)
        if files is None or wanted.nothing:
            return []
        since, until, as_of = (
            pa.scalar(moment, INSTANT)
            for moment in (wanted.since - _COARSE, wanted.until + _COARSE, wanted.as_of + _COARSE)
        )
        late_enough = pc.fill_null(pc.greater_equal(files["max.event_at"], since), True)
        early_enough = pc.fill_null(pc.less(files["min.event_at"], until), True)
        known = pc.fill_null(pc.less_equal(files["min.known_at"], as_of), True)
        in_time = files.filter(pc.and_(pc.and_(late_enough, early_enough), known))
        channels = sorted(wanted.channel_ids)
        ends = zip(
            *(in_time[name].to_pylist() for name in ("path", "min.channel_id", "max.channel_id")),
            strict=True,
        )
        return sorted(self._folder / path for path, first, last in ends if _meets(channels, first, last))

    def _current(self) -> _Listing:
        with self._lock:
            try:
                self._table.update_incremental()
                if self._table.version() != self._listing.version:
                    self._listing = _listed(self._table)
            except (DeltaError, OSError) as problem:
                raise StoreError(f"the metrics table at {self._folder} cannot be read: {problem}") from problem
            return self._listing


def _listed(table: DeltaTable) -> _Listing:
    actions = pa.table(table.get_add_actions(flatten=True))
    told = {name: _column(actions, name, kind) for name, kind in _STATISTICS.items()}
    paths = pa.array([unquote(path) for path in actions["path"].to_pylist()], pa.string())
    files = pa.table({"path": paths} | told)
    rows: dict[SystemKey, list[int]] = {}
    owners = zip(
        actions["partition.tenant_id"].to_pylist() if actions.num_rows else (),
        actions["partition.system_id"].to_pylist() if actions.num_rows else (),
        strict=True,
    )
    for row, (tenant_id, system_id) in enumerate(owners):
        rows.setdefault(SystemKey(tenant_id, system_id), []).append(row)
    return _Listing(table.version(), {system: files.take(chosen) for system, chosen in rows.items()})


def _column(actions: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name not in actions.column_names:
        return pa.nulls(actions.num_rows, kind)
    return actions[name].cast(kind)


def _meets(channels: list[str], first: str | None, last: str | None) -> bool:
    """Return whether one of the channels, which are sorted, may lie between two ends, of which the last may be cut."""
    if first is None or last is None:
        return True
    place = bisect_left(channels, first)
    return place < len(channels) and (channels[place] <= last or channels[place].startswith(last))
