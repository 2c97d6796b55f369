"""Compaction, retention, removal and checkpoints: the same is read, from fewer and newer files."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from opswm.errors import StoreError
from opswm.store.tables import upkeep as upkeep_module
from opswm.store.tables.damage import mend
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.snapshot import Snapshot
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import NOON, SHOP, after, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import read, values

MALL = SystemKey("default", "mall/eu")


def grown(folder: Path, log: MemoryLog, number: int = 9) -> LoggedTelemetry:
    """Return telemetry with one part per batch; equal keys repeat with other values."""
    telemetry = logged(folder, log)
    for batch in range(number):
        rows = [("web.rps", batch % 2, batch % 2, float(batch)), ("db.p99", batch, batch, 100.0 + batch)]
        telemetry.append_metrics(SHOP, readings(rows), f"b{batch}")
        if batch % 4 == 0:
            telemetry.append_metrics(MALL, readings(rows), f"b{batch}")
        telemetry.flush()
    return telemetry


def num_parts(telemetry: LoggedTelemetry) -> int:
    """Return how many parts the shop has."""
    return len(telemetry.table.snapshot().parts[SHOP])


def test_compaction_changes_no_answer(tmp_path: Path) -> None:
    """Before, after and after removing the old files the same rows are read in the same order; versions stay."""
    telemetry = grown(tmp_path / "t", MemoryLog())
    before, version = read(telemetry), telemetry.version(SHOP, after(3))
    upkeep = Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=4, removed_after_s=0.0))
    upkeep.run()
    assert num_parts(telemetry) == 3
    assert len(list((tmp_path / "t").glob("**/system_id=shop/*.parquet"))) == 3
    assert read(telemetry) == before
    assert telemetry.version(SHOP, after(3)) == version
    assert len(read(telemetry, MALL)) == 6
    assert read(logged(tmp_path / "t", telemetry.log)) == before
    upkeep.run()
    assert num_parts(telemetry) == 3


def test_others_get_their_turn_between_compactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each compaction the lock is free for those who wait for it; what they take stops nothing but themselves."""
    telemetry = grown(tmp_path / "t", MemoryLog())
    turns: list[bool] = []

    def waits(_seconds: float) -> None:
        with MetricsTable(tmp_path / "t").writing(0.0) as free:
            turns.append(free)

    monkeypatch.setattr(upkeep_module, "_pause", waits)
    Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=2)).run()
    assert len(turns) > 2
    assert all(turns)
    with MetricsTable(tmp_path / "t").writing(0.0):
        Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=2, removed_after_s=0.0)).run()
    assert len(list((tmp_path / "t").glob("**/system_id=shop/*.parquet"))) > num_parts(telemetry)


def test_a_reader_of_an_older_version_finds_the_newer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that compaction and removal took away under a reader's hands are looked for in the newest version."""
    log = MemoryLog()
    telemetry = grown(tmp_path / "t", log)
    stale = logged(tmp_path / "t", log)
    before, old, look = read(stale), stale.table.snapshot(), stale.table.snapshot

    def late(*, fresh: bool = False) -> Snapshot:
        return look(fresh=True) if fresh else old

    Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=2, removed_after_s=0.0)).run()
    monkeypatch.setattr(stale.table, "snapshot", late)
    assert read(stale) == before


def test_retention_takes_out_what_is_old_and_keeps_counting(tmp_path: Path) -> None:
    """Readings older than the retention are gone with their parts; the number of batches known stays."""
    telemetry = grown(tmp_path / "t", MemoryLog())
    clock = HandClock(NOON)
    clock.forward(64.5)
    Upkeep(telemetry.table, clock, UpkeepConfig(retention_s=60.0, num_merged=99)).run()
    assert [value for value in values(telemetry) if value > 50] == [105.0, 106.0, 107.0, 108.0]
    assert telemetry.version(SHOP) == 9


def test_a_compacted_part_is_made_again_of_its_inputs(tmp_path: Path) -> None:
    """While the parts it was made of are on disk, a lost compacted part is no loss, though the log has let go."""
    log = MemoryLog()
    telemetry = grown(tmp_path / "t", log, 8)
    before = read(telemetry)
    Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=8)).run()
    log.trim(log.end())
    (part,) = telemetry.table.snapshot().parts[SHOP]
    part.file.unlink()
    assert mend(telemetry.table, log) == {}
    assert read(telemetry) == before


def test_a_damaged_part_is_not_compacted_away(tmp_path: Path) -> None:
    """A part that cannot be read stops compaction with an error; nothing leaves the table."""
    telemetry = grown(tmp_path / "t", MemoryLog())
    version = telemetry.table.snapshot().version
    telemetry.table.snapshot().parts[SHOP][2].file.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="cannot be compacted"):
        Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=4)).run()
    assert DeltaTable(tmp_path / "t").version() == version


def test_the_log_of_the_table_is_summed_up(tmp_path: Path) -> None:
    """A checkpoint every few versions; a torn one is set aside, and the commits tell the same."""
    log = MemoryLog()
    telemetry = grown(tmp_path / "t", log, 5)
    before = read(telemetry)
    upkeep = Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=99, checkpoint_every=4))
    assert [upkeep.checkpoint(), upkeep.checkpoint()] == [True, False]
    (checkpoint,) = (tmp_path / "t" / "_delta_log").glob("*.checkpoint.parquet")
    assert read(logged(tmp_path / "t", log)) == before
    checkpoint.write_bytes(checkpoint.read_bytes()[:99])
    assert mend(telemetry.table, log) == {}
    assert not checkpoint.exists()
    assert read(logged(tmp_path / "t", log)) == before


def duckdb_rows(table: DeltaTable) -> list[tuple[float, str]]:
    """Return value and system of every row as DuckDB reads the files."""
    files = [str(file) for file in table.file_uris()]
    asked = "SELECT value, system_id FROM read_parquet($files, hive_partitioning = true)"
    rows: list[tuple[float, str]] = duckdb.execute(asked, {"files": files}).fetchall()
    return rows


def polars_rows(table: DeltaTable) -> list[tuple[float, str]]:
    """Return value and system of every row as Polars reads the table."""
    return pl.read_delta(table).select("value", "system_id").rows()


@pytest.mark.parametrize("engine", [duckdb_rows, polars_rows])
def test_other_engines_read_the_table(tmp_path: Path, engine: Callable[[DeltaTable], list[tuple[float, str]]]) -> None:
    """The protocol stays at reader 1 and writer 2 without features, and others read the same rows."""
    telemetry = grown(tmp_path / "t", MemoryLog())
    Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=3, removed_after_s=0.0)).run()
    table = DeltaTable(tmp_path / "t")
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version, protocol.reader_features) == (1, 2, None)
    ours = [(row["value"], system.system_id) for system in (SHOP, MALL) for row in read(telemetry, system)]
    assert sorted(engine(table)) == sorted(ours)


def test_a_table_of_a_newer_protocol_is_refused(tmp_path: Path) -> None:
    """A table that another program has upgraded is an error that says so."""
    telemetry = grown(tmp_path / "t", MemoryLog(), 1)
    DeltaTable(tmp_path / "t").alter.set_table_properties({"delta.minWriterVersion": "4"})
    with pytest.raises(StoreError, match="another program has upgraded it"):
        telemetry.table.load()


def test_statistics_reach_from_the_earliest_to_the_latest_instant(tmp_path: Path) -> None:
    """Bounds in the table's log are right to the millisecond outwards, so that nothing at an edge is left out."""
    telemetry = logged(tmp_path / "t")
    edges = [datetime(2000, 1, 1, tzinfo=UTC), after(0.0000005), after(1.999999)]
    seconds = [(edge - NOON).total_seconds() for edge in edges]
    telemetry.append_metrics(SHOP, readings([("web.rps", second, 5, 1.0) for second in seconds]), "b1")
    telemetry.flush()
    for second in seconds:
        assert values(telemetry, since=after(second), until=after(second + 0.000001)) == [1.0]
