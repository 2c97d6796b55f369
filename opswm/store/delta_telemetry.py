"""Telemetry at rest in a Delta Lake table, which Polars, DuckDB and Spark can read as well."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from opswm.clock import to_utc
from opswm.errors import StoreError
from opswm.instrument import timed
from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order, last_of_steps, require_same
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.ports import SystemKey

_PARTITIONS: Final = ["tenant_id", "system_id"]
_SCHEMA: Final = pa.schema([*(pa.field(name, pa.string(), nullable=False) for name in _PARTITIONS), *METRICS])
_ROW_GROUP: Final = 16_384
_ATTEMPTS: Final = 5
_COARSE: Final = timedelta(milliseconds=2)
"""Statistics in the log may be cut to milliseconds; nearer than this, the file itself is asked."""


class DeltaTelemetry:
    """Reads and writes metrics in one Delta table, partitioned by tenant and system.

    A batch is one commit that carries a Delta application transaction (``txn`` action of the Delta
    protocol): ``appId`` names tenant, system and batch, ``version`` is a digest of the content. The log thus
    knows every batch it holds, a second delivery adds nothing, and of two writers that deliver the same
    batch at once, the protocol's conflict check lets one commit.

    Raises:
        StoreError: When the table cannot be opened, read or written.
    """

    def __init__(self, url: str | Path) -> None:
        self._url = str(url)
        try:
            DeltaTable.create(self._url, _SCHEMA, mode="ignore", partition_by=_PARTITIONS, name="metrics")
            self._table()
        except (DeltaError, OSError) as problem:
            raise StoreError(f"the metrics table at {self._url} cannot be opened: {problem}") from problem

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str) -> int:
        """Append a batch once and whole.

        Args:
            system: Whose readings they are.
            table: Readings in the metric columns.
            batch_id: Names the batch within its system; the same id with the same content adds nothing.

        Returns:
            A table version that holds it.

        Raises:
            BadInputError: When the batch cannot be admitted, or its id stands for other content.
            StoreError: When the table cannot be written; nothing of the batch is there then.
        """
        admitted = in_order(admit_metrics(table))
        number = content_number(admitted)
        app_id = "/".join(("opswm", system.tenant_id, system.system_id, batch_id))
        rows = admitted
        for position, (name, value) in enumerate(zip(_PARTITIONS, (system.tenant_id, system.system_id), strict=True)):
            rows = rows.add_column(position, name, pa.repeat(pa.scalar(value), rows.num_rows))
        with timed("store.append_metrics", rows=rows.num_rows):
            for _ in range(_ATTEMPTS):
                delta = self._table()
                known = delta.transaction_version(app_id)
                if known is not None:
                    require_same(batch_id, known, number)
                    return delta.version()
                if self._commit(delta, rows.cast(_SCHEMA), Transaction(app_id, number)):
                    return self._table().version()
        raise StoreError(f"batch {batch_id!r} lost {_ATTEMPTS} races to commit and is not stored; send it again")

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

        Partitions, files and row groups that cannot match are not read.

        Raises:
            BadInputError: On a naive instant.
            StoreError: When the table cannot be read.
        """
        event_at, known_at = pc.field("event_at"), pc.field("known_at")
        wanted = (
            pc.field("channel_id").isin(list(channel_ids))
            & (event_at >= _scalar(since))
            & (event_at < _scalar(until))
            & (known_at <= _scalar(as_of))
        )
        if not channel_ids:
            return METRICS.empty_table()
        with timed("store.read_metrics", channels=len(channel_ids)) as span:
            try:
                dataset = self._table().to_pyarrow_dataset(
                    file_pruning_predicate=[("tenant_id", "=", system.tenant_id), ("system_id", "=", system.system_id)]
                )
                found = dataset.to_table(columns=METRICS.names, filter=wanted)
            except (DeltaError, OSError, pa.ArrowInvalid) as problem:
                raise StoreError(f"the metrics table at {self._url} cannot be read: {problem}") from problem
            span.set_attribute("rows", found.num_rows)
            return last_of_steps(in_order(found.cast(METRICS)), to_utc(since), step_s)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many stored batches of a system hold something known by a moment.

        The table's own version counts commits of all systems, whatever they hold; this number changes only with
        what a reading as of the moment may find. Most batches are told by the statistics in the table's log.

        Raises:
            BadInputError: On a naive moment.
            StoreError: When the table cannot be read.
        """
        horizon = None if as_of is None else to_utc(as_of)
        mine = [("tenant_id", "=", system.tenant_id), ("system_id", "=", system.system_id)]
        try:
            table = self._table()
            files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
            count = 0
            unsure: set[str] = set()
            for file in files:
                if (file["partition.tenant_id"], file["partition.system_id"]) != (system.tenant_id, system.system_id):
                    continue
                first = file.get("min.known_at")
                if horizon is None or (first is not None and first <= horizon - _COARSE):
                    count += 1
                elif first is None or first <= horizon:
                    unsure.add(_file_name(file["path"]))
            if not unsure or horizon is None:
                return count
            known = pc.field("known_at") <= _scalar(horizon)
            dataset = table.to_pyarrow_dataset(file_pruning_predicate=mine)
            chosen = [part for part in dataset.get_fragments() if _file_name(part.path) in unsure]
            return count + sum(bool(part.head(1, filter=known, columns=["known_at"]).num_rows) for part in chosen)
        except (DeltaError, OSError, pa.ArrowInvalid) as problem:
            raise StoreError(f"the metrics table at {self._url} cannot be read: {problem}") from problem

    def check(self) -> None:
        """Open the table and do no more.

        Raises:
            StoreError: When it cannot be read.
        """
        self._table()

    def _commit(self, delta: DeltaTable, rows: pa.Table, transaction: Transaction) -> bool:
        """Commit rows; False when another writer came in between, and nothing was added."""
        try:
            write_deltalake(
                delta,
                rows,
                mode="append",
                writer_properties=WriterProperties(compression="ZSTD", max_row_group_size=_ROW_GROUP),
                commit_properties=CommitProperties(app_transactions=[transaction]),
            )
        except CommitFailedError:
            return False
        except (DeltaError, OSError) as problem:
            raise StoreError(f"{rows.num_rows} readings cannot be written to {self._url}: {problem}") from problem
        return True

    def _table(self) -> DeltaTable:
        try:
            return DeltaTable(self._url)
        except (DeltaError, OSError) as problem:
            raise StoreError(f"the metrics table at {self._url} cannot be read: {problem}") from problem


def _file_name(path: str) -> str:
    """Return the last part of a path, unique in the table; the folders before it are escaped in different ways."""
    return path.rpartition("/")[2]


def _scalar(moment: datetime) -> pa.Scalar:
    return pa.scalar(to_utc(moment), INSTANT)
