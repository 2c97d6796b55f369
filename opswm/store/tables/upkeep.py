"""Keeps a table quick and small: parts are compacted, old readings leave, what nobody can read is removed.

A part is sorted by channel, then time, and small parts that lie next to each other in the log become one: a context of
a few channels is then a few row groups of a few parts. Sorting serves that better than a Z-order, which would trade it
for reading one instant of all channels.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from opswm.clock import Clock
from opswm.errors import StoreError
from opswm.instrument import timed
from opswm.store.durable_files import sync_file, sync_folder
from opswm.store.tables.failpoints import Failpoint, nowhere
from opswm.store.tables.layout import LOG_FOLDER
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_files import write_part
from opswm.store.tables.snapshot import Part, Snapshot

_HOUR_S: Final = 3600.0
_SMALL_ROWS: Final = 16_384
"""Parts of at most so many rows are of the first level."""

_COMPACTIONS: Final = 16
"""At most so many commits in a row."""

_TURN_S: Final = 0.05
"""The lock is free so long after each of them, so that those who wait for it, to fill or to import, get their turn."""


@dataclass(frozen=True)
class UpkeepConfig:
    """How a table is kept.

    Attributes:
        num_merged: So many parts of about one size become one of the next size.
        max_rows: A part is not made larger than this; one compaction reads no more at once.
        retention_s: Parts whose last reading was measured longer ago leave the table; None keeps all.
        removed_after_s: What left the table stays on disk so long, for readers of an older version.
        checkpoint_every: So many versions of the table's log are summed up in a checkpoint.
    """

    num_merged: int = 8
    max_rows: int = 4_000_000
    retention_s: float | None = None
    removed_after_s: float = 2 * _HOUR_S
    checkpoint_every: int = 50


class Upkeep:
    """Compaction, retention, removal and checkpoints of one table; each step alone holds the table's lock.

    Args:
        table: Which.
        clock: Says how old readings are.
        config: How.
        reached: For tests: told where the work is.
    """

    def __init__(
        self, table: MetricsTable, clock: Clock, config: UpkeepConfig | None = None, reached: Failpoint = nowhere
    ) -> None:
        self._table = table
        self._clock = clock
        self._config = config or UpkeepConfig()
        self._reached = reached

    def run(self, wait_s: float = 0.0) -> None:
        """Do what is due, and nothing where another writer has the table.

        Raises:
            StoreError: When something cannot be read or written; the table is as before, then.
        """
        if not self._table.exists():
            return
        if not self._alone(self.retire, wait_s):
            return
        for _ in range(_COMPACTIONS):
            num_merged = self._alone(self.compact, wait_s)
            if not num_merged or not num_merged[0]:
                break
            _pause(_TURN_S)
        if self._alone(self.checkpoint, wait_s):
            self._alone(self.vacuum, wait_s)

    def _alone(self, step: Callable[[], int], wait_s: float) -> tuple[int, ...]:
        """Take one step while holding the lock; return what came of it, nothing where another writer has the table."""
        with self._table.writing(wait_s) as free:
            return (step(),) if free else ()

    def compact(self) -> int:
        """Make fewer, larger parts in one commit, while holding the lock; return how many parts became fewer."""
        snapshot = self._table.snapshot(fresh=True)
        chosen = self._due(snapshot)
        if not chosen:
            return 0
        with timed("store.compact", parts=sum(map(len, chosen))):
            actions: list[AddAction | RemoveAction] = []
            for parts in chosen:
                actions += [part.removal(_now_ms(), data_change=False) for part in parts]
                actions.append(self._merged(parts))
            self._reached("compact:before-commit")
            after = self._table.commit(actions, "compact")
            self._reached("compact:after-commit")
            known = {part.path for part in snapshot.all_parts()}
            self._table.verify([part for part in after.all_parts() if part.path not in known])
        return sum(map(len, chosen))

    def retire(self) -> int:
        """Take parts out whose readings are all older than the retention; return how many."""
        if self._config.retention_s is None:
            return 0
        horizon = self._clock.now().timestamp() - self._config.retention_s
        old = [part for part in self._table.snapshot(fresh=True).all_parts() if part.event_to.timestamp() < horizon]
        if old:
            self._table.commit([part.removal(_now_ms(), data_change=True) for part in old], "retire")
        return len(old)

    def vacuum(self) -> int:
        """Remove files that left the table a while ago, or never came into it; return how many.

        Raises:
            StoreError: When they cannot be removed.
        """
        hours = int(-(-self._config.removed_after_s // _HOUR_S))
        try:
            table = self._table.load()
            before = table.version()
            found = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
            if not found:
                return 0
            self._reached("vacuum:before")
            table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
            self._reached("vacuum:after")
            self._table.settle(before)
        except (DeltaError, OSError) as problem:
            raise StoreError(f"old files of {self._table.folder} cannot be removed: {problem}") from problem
        return len(found)

    def checkpoint(self) -> bool:
        """Sum the table's log up where it has grown; return whether it was done.

        Raises:
            StoreError: When it cannot be written.
        """
        folder = self._table.folder / LOG_FOLDER
        done = [int(file.name.partition(".")[0]) for file in folder.glob("*.checkpoint.parquet")]
        version = self._table.snapshot().version
        if version - max(done, default=0) < self._config.checkpoint_every:
            return False
        try:
            table = self._table.load()
            table.create_checkpoint()
            for file in (*folder.glob(f"{table.version():020d}.checkpoint*"), folder / "_last_checkpoint"):
                sync_file(file)
            sync_folder(folder)
            table.cleanup_metadata()
        except (DeltaError, OSError) as problem:
            raise StoreError(f"the log of {self._table.folder} cannot be summed up: {problem}") from problem
        return True

    def _due(self, snapshot: Snapshot) -> list[Sequence[Part]]:
        """Return runs of parts to merge, as many as one commit may read."""
        chosen: list[Sequence[Part]] = []
        rows = 0
        for parts in snapshot.parts.values():
            run = next_run([part for part in parts if part.imported is None], self._config)
            size = sum(part.num_rows for part in run)
            if run and (not chosen or rows + size <= self._config.max_rows):
                chosen.append(run)
                rows += size
        return chosen

    def _merged(self, parts: Sequence[Part]) -> AddAction:
        try:
            tables = [pq.read_table(part.file, partitioning=None, read_dictionary=["channel_id"]) for part in parts]
            rows = pa.concat_tables(tables, promote_options="permissive")
            if rows.num_rows != sum(part.num_rows for part in parts):
                raise StoreError(f"parts of {self._table.folder} do not have the rows the table says; look for damage")
            return write_part(
                self._table.folder, parts[0].system, rows, parts[0].first, parts[-1].last, data_change=False
            )
        except (OSError, pa.ArrowInvalid) as problem:
            raise StoreError(f"parts of {self._table.folder} cannot be compacted: {problem}") from problem


def next_run(parts: Sequence[Part], config: UpkeepConfig) -> Sequence[Part]:
    """Return neighbouring parts of a system that should become one, none where all is well.

    Sizes grow by the factor ``num_merged`` from one level to the next, so a reading is written again about as often as
    there are levels.

    Args:
        parts: In the order of offsets.
        config: How a table is kept.
    """
    level = _SMALL_ROWS
    while level < config.max_rows * config.num_merged:
        run: list[Part] = []
        for part in parts:
            if part.num_rows > level or sum(one.num_rows for one in (*run, part)) > config.max_rows:
                run = []
            if part.num_rows <= level:
                run.append(part)
            if len(run) == config.num_merged:
                return run
        level *= config.num_merged
    return ()


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _now_ms() -> int:
    """Return the machine's time, by which the library tells what left the table long ago."""
    return time.time_ns() // 1_000_000
