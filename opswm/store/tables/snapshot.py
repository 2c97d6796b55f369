"""A version of a metrics table: which parts it has, of whom, and what they can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import RemoveAction

from opswm.store.tables.layout import FILLED, PARTITIONS, import_of, on_disk, part_offsets
from opswm_schemas.ports import SystemKey


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table.

    Attributes:
        system: Whose readings it holds.
        path: As it stands in the table's log.
        file: Where it is.
        size_bytes: Its length.
        num_rows: How many readings it holds.
        first, last: Offsets of the log it covers for its system; both 0 where it came into the table directly.
        imported: Then, what stands for its batch, and when the first of that was known, microseconds since 1970.
        modified_ms: When it was made, milliseconds since 1970.
        event_from, event_to: Bounds of when its readings were measured, to the millisecond outwards.
        known_from: Before this none of it was known.
        channel_from, channel_to: Bounds of its channels' names, None where they are too long to keep.
    """

    system: SystemKey
    path: str
    file: Path
    size_bytes: int
    num_rows: int
    first: int
    last: int
    imported: tuple[int, int] | None
    modified_ms: int
    event_from: datetime
    event_to: datetime
    known_from: datetime
    channel_from: str | None
    channel_to: str | None

    def removal(self, at_ms: int, *, data_change: bool) -> RemoveAction:
        """Return the action that takes it out of the table.

        Args:
            at_ms: When, milliseconds since 1970; vacuum counts from here.
            data_change: Whether its readings go with it.
        """
        partition: dict[str, str | None] = dict(
            zip(PARTITIONS, (self.system.tenant_id, self.system.system_id), strict=True)
        )
        return RemoveAction(unquote(self.path), data_change, at_ms, self.size_bytes, partition)


@dataclass(frozen=True)
class Snapshot:
    """What a table holds at a version.

    Attributes:
        version: Of the Delta table.
        through: Offset of the log up to which it is filled.
        parts: By system, in the order of offsets.
    """

    version: int
    through: int
    parts: Mapping[SystemKey, Sequence[Part]] = field(default_factory=dict)

    def num_imports(self, system: SystemKey, as_of_us: int | None = None) -> int:
        """Return how many batches of a system came into the table directly, or of these were known by a moment."""
        batches = {part.imported for part in self.parts.get(system, ()) if part.imported is not None}
        return sum(as_of_us is None or first_us <= as_of_us for _, first_us in batches)

    def all_parts(self) -> list[Part]:
        """Return the parts of all systems."""
        return [part for parts in self.parts.values() for part in parts]


def take_snapshot(table: DeltaTable, folder: Path) -> Snapshot:
    """Return what a table that was loaded holds.

    Raises:
        ValueError: When a file in it is not one of ours.
    """
    parts: dict[SystemKey, list[Part]] = {}
    for row in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        imported = import_of(row["path"])
        offsets = part_offsets(row["path"]) if imported is None else (0, 0)
        if offsets is None:
            raise ValueError(f"{row['path']} was not written by opswm; keep other writers away from {folder}")
        system = SystemKey(row["partition.tenant_id"], row["partition.system_id"])
        part = Part(
            system=system,
            path=row["path"],
            file=on_disk(folder, row["path"]),
            size_bytes=row["size_bytes"],
            num_rows=row["num_records"],
            first=offsets[0],
            last=offsets[1],
            imported=imported,
            modified_ms=row["modification_time"],
            event_from=row["min.event_at"],
            event_to=row["max.event_at"],
            known_from=row["min.known_at"],
            channel_from=row.get("min.channel_id"),
            channel_to=row.get("max.channel_id"),
        )
        parts.setdefault(system, []).append(part)
    ordered = {system: sorted(found, key=lambda part: (part.first, part.path)) for system, found in parts.items()}
    return Snapshot(table.version(), table.transaction_version(FILLED) or 0, ordered)
