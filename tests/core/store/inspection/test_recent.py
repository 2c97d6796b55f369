"""How much of a store is in memory while it is looked at."""

from pathlib import Path

import pyarrow as pa

from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.inspection.log_state import inspect_log
from opswm.store.inspection.recent import recent_times
from opswm.store.inspection.table_files import inspect_table
from opswm.store.layout import LOG_FILE, METRICS_TABLE
from opswm_schemas.ports import Batch
from tests.core.store.inspection.stores import CHANNELS, NOW, SHOP, TICKS, batch, whole_store


def test_channels_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """Each table has all readings of some channels, out of table and log, and no more rows than are wanted."""
    folder = whole_store(tmp_path / "store", num_filled=2)
    table = inspect_table(folder / METRICS_TABLE, NOW.timestamp())
    waiting = [one.times for one in inspect_log(folder / LOG_FILE, 2).waiting[SHOP]]
    for rows_at_once, sizes in ((3 * TICKS, [1, 1, 1]), (6 * TICKS, [2, 1]), (10**9, [3])):
        parts = list(recent_times(list(CHANNELS), table.files, waiting, 24.0, rows_at_once))
        assert [part.num_rows for part in parts] == [3 * TICKS * size for size in sizes]
        assert [len(part["channel_id"].unique()) for part in parts] == sizes
    (last,) = recent_times(["web.cpu", "web.gone"], table.files, waiting, 0.25, 10**9)
    assert 0 < last.num_rows < TICKS
    assert list(recent_times(list(CHANNELS), [], [], 24.0)) == []


def test_of_waiting_batches_only_the_times_stay_in_memory(tmp_path: Path) -> None:
    """Histograms of sixteen buckets, of which a log may hold gigabytes, take no more than numbers."""
    log = SqliteIngestLog(tmp_path / LOG_FILE)
    rows = batch(0)
    counts = pa.array([[float(bucket + row) for bucket in range(16)] for row in range(rows.num_rows)])
    wide = rows.drop_columns("value").append_column("counts", counts)
    wide = wide.append_column("upper_bounds", pa.array([[float(bucket) for bucket in range(15)]] * rows.num_rows))
    log.append([Batch(SHOP, "test", f"b{number}", wide) for number in range(4)])
    log.close()
    before = pa.total_allocated_bytes()
    found = inspect_log(tmp_path / LOG_FILE, 1)
    assert [one.offset for one in found.waiting[SHOP]] == [2, 3, 4]
    assert pa.total_allocated_bytes() - before < wide.nbytes / 4
