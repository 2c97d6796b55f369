"""The newest readings of a system, some channels at a time, so that a look at them takes the same memory for any store.

One channel is the least that is read at once.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opswm.store.inspection.readings import TIMES
from opswm.store.inspection.table_files import StoredFile
from opswm_schemas.columns import INSTANT, METRICS

ROWS_AT_ONCE: Final = 4_000_000
"""About so many readings are in memory at once, some 40 bytes each."""

_COLUMNS: Final = pa.schema([METRICS.field(name) for name in TIMES])


def recent_times(
    channels: Sequence[str],
    stored: Sequence[StoredFile],
    waiting: Sequence[pa.Table],
    last_h: float,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[pa.Table]:
    """Yield the times of a system's newest readings, out of files that are whole and of the log.

    Args:
        channels: Which are read; each is in one of the tables that are yielded, whole.
        stored: Files of the system.
        waiting: Times that no file holds.
        last_h: The hours before the newest reading.
        rows_at_once: Channels are divided so that each table has about so many rows.
    """
    ends = [file.event_to for file in stored if file.event_to is not None]
    ends += [pc.max(rows["event_at"]).as_py() for rows in waiting if rows.num_rows]
    if not ends:
        return
    since = max(ends) - timedelta(hours=last_h)
    files = [file for file in stored if file.event_to is None or file.event_to >= since]
    num_rows = sum(file.num_rows for file in files) + sum(rows.num_rows for rows in waiting)
    at_once = max(1, len(channels) * rows_at_once // max(1, num_rows))
    for first in range(0, len(channels), at_once):
        wanted = pa.array(channels[first : first + at_once], pa.string())
        yield pa.concat_tables([_COLUMNS.empty_table(), *_of(wanted, files, waiting, since)])


def _of(
    channels: pa.Array, files: Sequence[StoredFile], waiting: Sequence[pa.Table], since: datetime
) -> Iterator[pa.Table]:
    chosen = pc.field("channel_id").isin(channels) & (pc.field("event_at") >= pa.scalar(since, INSTANT))
    for stored in files:
        with pq.ParquetFile(stored.file) as file:
            for batch in file.iter_batches(columns=list(TIMES)):
                yield pa.Table.from_batches([batch]).select(TIMES).cast(_COLUMNS).filter(chosen)
    for rows in waiting:
        yield rows.select(TIMES).cast(_COLUMNS).filter(chosen)
