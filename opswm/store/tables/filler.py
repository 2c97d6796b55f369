"""Moves batches from the ingest log into the table: in large commits, each batch exactly once, whatever stops it.

A commit carries the last offset it takes in as a Delta application transaction, so the table itself says where the next
one begins. The log drops readings only after the version that holds them was read again and verified, and a while later
still, so that a part that is damaged can be written again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from deltalake.transaction import AddAction

from opswm.clock import Clock
from opswm.errors import StoreError
from opswm.instrument import meter, timed
from opswm.store.tables.failpoints import Failpoint, nowhere
from opswm.store.tables.kept import Fill, Kept, read_kept, write_kept
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_files import write_part
from opswm.store.tables.snapshot import Snapshot
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import IngestLog, LoggedBatch, SystemKey

_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class FillerConfig:
    """How the log is emptied into the table.

    Attributes:
        commit_bytes: How much one commit takes in at most, as the log counts it.
        keep_s: How long the log keeps what a verified version holds, for repairs.
        keep_bytes: How much of that it keeps at most, in memory's measure; well below what makes the log full.
        wait_s: How long to wait for another writer of the table.
    """

    commit_bytes: int = 64 * _MIB
    keep_s: float = 600.0
    keep_bytes: int = 128 * _MIB
    wait_s: float = 60.0


class Filler:
    """Fills a table from a log, and trims the log.

    Any number of processes may have one; the table's lock lets one of them work at a time.

    Args:
        log: From where.
        table: Where to.
        clock: Says when something was verified.
        config: How.
        reached: For tests: told where the work is.
    """

    def __init__(
        self,
        log: IngestLog,
        table: MetricsTable,
        clock: Clock,
        config: FillerConfig | None = None,
        reached: Failpoint = nowhere,
    ) -> None:
        self._log = log
        self._table = table
        self._clock = clock
        self._config = config or FillerConfig()
        self._reached = reached
        self._lag = meter().create_gauge(
            "opswm.store.fill.lag", unit="{batch}", description="Offsets of the ingest log that no table holds yet."
        )

    def lag(self) -> int:
        """Return how many offsets of the log the table does not hold yet.

        Raises:
            StoreError: When log or table cannot be read.
        """
        lag = self._log.end() - (self._table.snapshot().through if self._table.exists() else 0)
        self._lag.set(lag)
        return lag

    def is_idle(self) -> bool:
        """Return whether there is nothing to fill and nothing to trim later, at the cost of a look.

        Raises:
            StoreError: When log or table cannot be read.
        """
        return self.lag() == 0 and not read_kept(self._table.kept_file).fills

    def flush(self) -> None:
        """Fill until the table holds all that the log held at the call.

        Raises:
            StoreError: When something cannot be read or written, or another writer keeps the table.
        """
        end = self._log.end()
        while end > (self._table.snapshot().through if self._table.exists() else 0):
            with self._table.writing(self._config.wait_s) as free:
                if not free:
                    raise StoreError(
                        f"another process has been writing {self._table.folder} for {self._config.wait_s:g} s; "
                        "nothing is lost, it stays in the ingest log until the table takes it"
                    )
                self.fill_once()

    def fill_once(self) -> int:
        """Take the next batches into the table, while holding its lock; return how many, 0 where none is left.

        Raises:
            StoreError: When something cannot be read or written; the log still holds it then.
        """
        if not self._table.exists():
            if self._log.end() == 0:
                return 0
            self._table.create()
        before = self._table.snapshot(fresh=True)
        self._catch_up(before)
        batches = self._log.replay(before.through, self._config.commit_bytes)
        if batches:
            with timed("store.fill", batches=len(batches)) as span:
                self._take_in(before, batches)
                span.set_attribute("rows", sum(logged.batch.table.num_rows for logged in batches))
        self._trim()
        self.lag()
        return len(batches)

    def _take_in(self, before: Snapshot, batches: Sequence[LoggedBatch]) -> None:
        through = batches[-1].offset
        try:
            actions = write_parts(self._table, batches, before.through + 1, through)
        except OSError as problem:
            raise StoreError(f"parts of {self._table.folder} cannot be written: {problem}") from problem
        self._reached("fill:before-commit")
        after = self._table.commit(actions, "fill", through)
        self._reached("fill:after-commit")
        self._verify(before, after, len(actions))
        size = sum(logged.batch.table.nbytes for logged in batches)
        fill = Fill(self._clock.now().timestamp(), through, size)
        self._write(read_kept(self._table.kept_file).verified(after.version, fill))
        self._reached("fill:verified")

    def _catch_up(self, found: Snapshot) -> None:
        """Verify what was committed before a crash, or under another's hands, and not verified yet."""
        kept = read_kept(self._table.kept_file)
        if found.through <= kept.through:
            return
        unsure = [part for part in found.all_parts() if part.last > kept.through]
        self._table.verify(unsure)
        size = sum(part.size_bytes for part in unsure)
        self._write(kept.verified(found.version, Fill(self._clock.now().timestamp(), found.through, size)))

    def _verify(self, before: Snapshot, after: Snapshot, num_parts: int) -> None:
        known = {part.path for part in before.all_parts()}
        new = [part for part in after.all_parts() if part.path not in known]
        if len(new) != num_parts:
            raise StoreError(
                f"version {after.version} of {self._table.folder} has {len(new)} new parts instead of {num_parts}"
            )
        self._table.verify(new)

    def _trim(self) -> None:
        kept = read_kept(self._table.kept_file)
        due = kept.due(self._clock.now().timestamp(), self._config.keep_s, self._config.keep_bytes)
        if due <= kept.trimmed:
            return
        # Written down first: after a crash in between, the log holds more than it is said to, never less.
        self._write(kept.dropped(due))
        self._reached("fill:before-trim")
        self._log.trim(due)
        self._reached("fill:after-trim")

    def _write(self, kept: Kept) -> None:
        try:
            write_kept(self._table.kept_file, kept)
        except OSError as problem:
            raise StoreError(f"{self._table.kept_file} cannot be written: {problem}") from problem


def write_parts(table: MetricsTable, batches: Sequence[LoggedBatch], first: int, last: int) -> list[AddAction]:
    """Write one part per system for consecutive batches of a log.

    Args:
        table: Which table they are for.
        batches: In the order of their offsets.
        first: The first offset they cover.
        last: The last one.

    Raises:
        OSError: When one cannot be written.
    """
    found: dict[SystemKey, list[pa.Table]] = {}
    for logged in batches:
        found.setdefault(logged.batch.system, []).append(logged.batch.table.cast(METRICS))
    return [write_part(table.folder, system, pa.concat_tables(tables), first, last) for system, tables in found.items()]
