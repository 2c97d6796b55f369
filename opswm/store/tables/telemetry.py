"""Telemetry that is durable when it is acknowledged: appended to an ingest log, filled into a table, read from both.

Reading looks at the log first and at the table afterwards, and takes from the log only what the table's version lacks.
Whatever a filler commits or trims in between, a batch is thus found exactly once.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Final

import pyarrow as pa

from opswm.clock import to_utc
from opswm.errors import LogFullError, StoreError
from opswm.instrument import timed
from opswm.store.batches import in_order, last_of_steps
from opswm.store.tables.background import Background
from opswm.store.tables.bulk import BULK_ROWS, BulkImport
from opswm.store.tables.damage import require_together
from opswm.store.tables.filler import Filler
from opswm.store.tables.limits import TenantGate
from opswm.store.tables.log_tail import LogTail
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_reading import PartReader, Wanted
from opswm.store.tables.snapshot import Snapshot
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.ports import Batch, IngestLog, SystemKey

_LOG: Final = logging.getLogger(__name__)

RECEIVED: Final = "received"
"""Source of batches that came without one: over HTTP, or out of a recording."""

_ATTEMPTS: Final = 3


class LoggedTelemetry:
    """Readings in an ingest log and the table it is filled into; see :mod:`opswm.store.tables`.

    Args:
        log: Where batches are kept first; closed with this.
        table: Where they come to rest.
        filler: Moves them.
        lost: By system, what damage took from the table; questions about these systems are refused with it.
        background: Fills and keeps the table meanwhile; where there is none, that is done at the end.
        gate: Keeps tenants to their limits; without one, there are none.
    """

    def __init__(
        self,
        log: IngestLog,
        table: MetricsTable,
        filler: Filler,
        lost: Mapping[SystemKey, str] | None = None,
        background: Background | None = None,
        gate: TenantGate | None = None,
    ) -> None:
        self._gate = gate
        self._lost = dict(lost or {})
        self._background = background
        self.log = log
        self.table = table
        self.filler = filler
        self._bulk = BulkImport(table, log)
        self._tail = LogTail(log)
        self._parts = PartReader()
        self._filled = 0
        if background is not None:
            background.start()

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str, source: str = RECEIVED) -> int:
        """Append a batch once and whole; it is on disk when this returns.

        Args:
            system: Whose readings they are.
            table: Readings in the metric columns.
            batch_id: Names the batch within its system and source; the same id with the same content adds nothing.
            source: Who delivered it.

        Returns:
            How many batches of the system there are with it.

        Raises:
            BadInputError: When the batch cannot be admitted, is beyond a limit of its tenant, or its id stands for
                other content.
            StoreError: When the log is full or cannot be written; nothing of the batch is there then.
        """
        self.append(Batch(system, source, batch_id, table))
        return self.version(system)

    def append(self, batch: Batch) -> None:
        """Append a batch once and whole; it is on disk when this returns.

        Raises:
            BadInputError: When the batch cannot be admitted, is beyond a limit of its tenant, or its name stands for
                other content.
            StoreError: When the log is full or cannot be written; nothing of the batch is there then.
        """
        with timed("store.append_metrics", rows=batch.table.num_rows):
            if self._gate is not None:
                self._gate.require(batch)
            if batch.table.num_rows >= BULK_ROWS:
                self._bulk.append(batch)
                return
            self._bulk.require_unused(batch)
            try:
                self.log.append([batch])
            except LogFullError:
                if self._background is not None:
                    raise
                self.flush()
                self.log.append([batch])

    def read_metrics(
        self,
        system: SystemKey,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None = None,
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``, of each step the last.

        What was acknowledged before the call is in it. Equal readings stand in the order of their offsets, wherever
        they are.

        Raises:
            BadInputError: On a naive instant.
            StoreError: When log or table cannot be read.
        """
        if system in self._lost:
            raise StoreError(f"readings of system {system.system_id!r} cannot be answered for: {self._lost[system]}")
        wanted = Wanted.of(channel_ids, since, until, as_of)
        with timed("store.read_metrics", channels=len(channel_ids)) as span:
            found = self._read(system, wanted) if wanted.channel_ids else METRICS.empty_table()
            span.set_attribute("rows", found.num_rows)
            return last_of_steps(in_order(found), wanted.since, step_s)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many batches of a system hold something known by a moment, in the log or the table.

        Raises:
            BadInputError: On a naive moment.
            StoreError: When the log cannot be read.
        """
        horizon = None if as_of is None else to_utc(as_of)
        horizon_us = None if horizon is None else int(pa.scalar(horizon, INSTANT).value)
        return self.log.count(system, horizon) + self._snapshot().num_imports(system, horizon_us)

    def check(self) -> None:
        """Look at log and table, and do no more.

        Raises:
            StoreError: When one cannot be read, or they are not of the same store.
        """
        require_together(self.table, self.log)

    def filling_problem(self) -> str:
        """Return what keeps the table from being filled in the background, in words; empty where nothing does."""
        return "" if self._background is None else self._background.problem()

    def flush(self) -> None:
        """Fill until the table holds all that was acknowledged before the call.

        Raises:
            StoreError: When it cannot be written.
        """
        self.filler.flush()

    def close(self) -> None:
        """Fill the table, unless another process is about it, and close the log; what it holds stays."""
        if self._background is not None:
            self._background.stop()
        try:
            with self.table.writing(0.0) if self.filler.lag() else nullcontext(False) as free:
                while free and self.filler.fill_once():
                    pass
        except StoreError as problem:
            _LOG.warning("the table is not filled (%s); nothing is lost, the ingest log has it", problem)
        finally:
            self.log.close()

    def _read(self, system: SystemKey, wanted: Wanted) -> pa.Table:
        for attempt in range(_ATTEMPTS):
            tail = self._tail.read(system, self._filled)
            snapshot = self._snapshot(fresh=attempt > 0)
            self._filled = max(self._filled, snapshot.through)
            try:
                stored = self._parts.read(snapshot.parts.get(system, ()), wanted)
            except FileNotFoundError as gone:
                # Compacted and vacuumed since; the next version says where it is now.
                if attempt == _ATTEMPTS - 1:
                    raise self._unreadable(gone) from gone
                continue
            except (OSError, pa.ArrowInvalid) as problem:
                raise self._unreadable(problem) from problem
            logged = [table for offset, table in tail if offset > snapshot.through]
            rows = wanted.keep(pa.concat_tables([METRICS.empty_table(), *logged]))
            return pa.concat_tables([*stored, rows])
        raise AssertionError("unreachable")

    def _snapshot(self, *, fresh: bool = False) -> Snapshot:
        return self.table.snapshot(fresh=fresh) if self.table.exists() else Snapshot(version=-1, through=0)

    def _unreadable(self, problem: BaseException) -> StoreError:
        return StoreError(f"the metrics table at {self.table.folder} cannot be read: {problem}")
