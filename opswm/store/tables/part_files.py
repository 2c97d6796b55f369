"""Writes the parts of a table: sorted Parquet files that are on disk before anybody hears of them."""

import json
import time
import uuid
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from opswm.store.batches import in_order
from opswm.store.durable_files import make_folder, sync_file, sync_folder
from opswm.store.tables.layout import PARTITIONS, part_name, partition_folder
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey

ROW_GROUP: Final = 4_096
"""Rows that are read together: few, so that a few channels out of many cost little; still fewer would make parts larger
and slower to write."""

_SAMPLE: Final = 16_384
"""Rows that tell whether channels repeat."""

_SMALL_DICTIONARY: Final = 4_096
"""Channels of a part up to which their names are handed to the writer once each."""

_LONGEST_STATISTIC: Final = 128
"""Characters of a channel's name beyond which a part has no bounds for it in the table's log."""


def write_part(
    table: Path, system: SystemKey, rows: pa.Table, first: int, last: int, *, data_change: bool = True
) -> AddAction:
    """Write readings of a system as one part and return the action that takes it into the table.

    The file and the names of its folders are on disk when this returns; no reader sees it before a commit.

    Args:
        table: The table's folder.
        system: Whose.
        rows: Readings in the columns of ``METRICS``; equal ones in the order of their offsets.
        first: Offset of the first batch it may hold.
        last: Offset of the last one.
        data_change: Whether it says something the table does not say; not so for a compacted part.

    Raises:
        OSError: When it cannot be written.
    """
    ordered = _ordered(rows)
    name = part_name(first, last, ordered.num_rows, uuid.uuid4().hex)
    return write_ordered(table, system, ordered, name, data_change=data_change)


def write_ordered(
    table: Path, system: SystemKey, ordered: pa.Table, name: str, *, data_change: bool = True
) -> AddAction:
    """Write readings that are in order as a part of a name; see :func:`write_part`.

    Raises:
        OSError: When it cannot be written.
    """
    column = ordered["channel_id"]
    if pa.types.is_dictionary(column.type) and len(column.chunk(0).dictionary) > _SMALL_DICTIONARY:
        # The writer goes through the whole dictionary once per row group.
        ordered = ordered.set_column(0, "channel_id", column.cast(pa.string()))
    kinds = {name: ordered.schema.field(name).type for name in ordered.column_names}
    ordered = ordered.cast(pa.schema([field.with_type(kinds[field.name]) for field in METRICS]))
    path = partition_folder(system) / name
    file = table / path
    make_folder(file.parent)
    pq.write_table(
        ordered,
        file,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=["channel_id"],
        column_encoding={"event_at": "DELTA_BINARY_PACKED", "known_at": "DELTA_BINARY_PACKED"},
        store_schema=False,
        write_page_checksum=True,
    )
    sync_file(file)
    sync_folder(file.parent)
    partition = dict(zip(PARTITIONS, (system.tenant_id, system.system_id), strict=True))
    now_ms = time.time_ns() // 1_000_000
    return AddAction(str(path), file.stat().st_size, partition, now_ms, data_change, _statistics(ordered))


def _ordered(rows: pa.Table) -> pa.Table:
    """Return readings in order, equal ones as they stood: by numbers where names repeat, else by the names."""
    some = rows["channel_id"].slice(0, _SAMPLE)
    if pa.types.is_dictionary(some.type) or 2 * pc.count_distinct(some).as_py() <= len(some):
        return in_order(encoded(rows))
    keys = [(name, "ascending") for name in ("channel_id", "event_at", "known_at")]
    return rows.take(pc.sort_indices(rows, keys))


def encoded(rows: pa.Table) -> pa.Table:
    """Return readings with each channel's name once: what follows then compares numbers, not texts.

    Args:
        rows: Readings, the channel's column first.
    """
    channels = rows["channel_id"].combine_chunks()
    if not pa.types.is_dictionary(channels.type):
        channels = channels.dictionary_encode()
    return rows.set_column(0, "channel_id", channels)


def _statistics(rows: pa.Table) -> str:
    """Return a part's bounds for the table's log; instants widened to milliseconds, which every engine can tell."""
    least: dict[str, str] = {}
    most: dict[str, str] = {}
    for name in ("event_at", "known_at"):
        ends = pc.min_max(rows[name].cast(pa.int64())).as_py()
        least[name] = _instant(ends["min"] // 1000)
        most[name] = _instant(-(-ends["max"] // 1000))
    # Sorted by channel, so the ends are the bounds.
    channels = (rows["channel_id"][0].as_py(), rows["channel_id"][-1].as_py())
    if max(map(len, channels)) <= _LONGEST_STATISTIC:
        least["channel_id"], most["channel_id"] = channels
    counts = {"numRecords": rows.num_rows, "nullCount": {name: rows[name].null_count for name in METRICS.names}}
    return json.dumps(counts | {"minValues": least, "maxValues": most})


def _instant(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"
