"""Writes a metrics table as opswm 0.1 did: a commit per batch, named by an application transaction."""

from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey

PARTITIONS = ["tenant_id", "system_id"]
SCHEMA = pa.schema([*(pa.field(name, pa.string(), nullable=False) for name in PARTITIONS), *METRICS])


def append_formerly(folder: Path, system: SystemKey, table: pa.Table, batch_id: str) -> None:
    """Append a batch to a table of the former version, which is made where it is not there."""
    DeltaTable.create(folder, SCHEMA, mode="ignore", partition_by=PARTITIONS, name="metrics")
    rows = in_order(admit_metrics(table))
    name = "/".join(("opswm", system.tenant_id, system.system_id, batch_id))
    transaction = Transaction(name, content_number(rows))
    for position, (column, value) in enumerate(zip(PARTITIONS, (system.tenant_id, system.system_id), strict=True)):
        rows = rows.add_column(position, column, pa.repeat(pa.scalar(value), rows.num_rows))
    write_deltalake(
        folder, rows.cast(SCHEMA), mode="append", commit_properties=CommitProperties(app_transactions=[transaction])
    )
