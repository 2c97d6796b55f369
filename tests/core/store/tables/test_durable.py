"""What only the durable telemetry store has: files, partitions, threads, and a background that fills."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from opswm.errors import LogFullError, StoreError
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from opswm.store.open import open_store, open_telemetry
from opswm.store.tables.background import Background, BackgroundConfig
from opswm.store.tables.filler import Filler, FillerConfig
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, readings
from tests.core.store.tables.rig import HandClock
from tests.core.store.test_telemetry import read, values

BATCH = readings([("web.rps", 1, 1, 1.0), ("web.errors", 2, 2, 2.0)])


@contextmanager
def opened(folder: Path) -> Iterator[LoggedTelemetry]:
    """Open telemetry as a store does, and close it."""
    folder.mkdir(exist_ok=True)
    telemetry = open_telemetry(folder, SqliteIngestLog(folder / "ingest.sqlite"))
    try:
        yield telemetry
    finally:
        telemetry.close()


def test_it_is_there_when_opened_again(tmp_path: Path) -> None:
    """A second opening sees the readings, knows the batches, and finds them in the table: closing has filled it."""
    with opened(tmp_path) as telemetry:
        version = telemetry.append_metrics(SHOP, BATCH, "b1")
    with opened(tmp_path) as telemetry:
        assert telemetry.table.snapshot().through == 1
        assert telemetry.append_metrics(SHOP, BATCH, "b1") == version == telemetry.version(SHOP)
        assert values(telemetry) == [2.0, 1.0]


def test_one_of_many_writers_stores_a_batch(tmp_path: Path) -> None:
    """Writers that deliver the same batch at once all succeed, and it is stored once; no other batch is lost."""
    with opened(tmp_path) as one, opened(tmp_path) as two, ThreadPoolExecutor(4) as pool:
        jobs = [
            (telemetry, SystemKey("default", f"s{number % 3}"), f"b{number}")
            for number in range(12)
            for telemetry in (one, two)
        ]
        list(pool.map(lambda job: job[0].append_metrics(job[1], BATCH, job[2]), jobs))
        one.flush()
        two.append_metrics(SystemKey("default", "s0"), BATCH, "last")
        for telemetry in (one, two):
            assert [telemetry.version(SystemKey("default", f"s{number}")) for number in range(3)] == [5, 4, 4]
            assert [len(read(telemetry, SystemKey("default", f"s{number}"))) for number in range(3)] == [10, 8, 8]


def test_a_part_that_vanishes_while_open_is_an_error_for_its_system(tmp_path: Path) -> None:
    """Reading one system works although the files of another are gone; reading that other one says so."""
    mall = SystemKey("default", "mall")
    with opened(tmp_path) as telemetry:
        for system in (SHOP, mall):
            telemetry.append_metrics(system, BATCH, "b1")
        telemetry.flush()
        for file in tmp_path.glob("**/system_id=mall/*.parquet"):
            file.unlink()
        assert len(read(telemetry)) == 2
        with pytest.raises(StoreError, match="cannot be read"):
            read(telemetry, mall)


def test_a_place_that_cannot_be_written_is_no_loss(tmp_path: Path) -> None:
    """A file where the table belongs: batches are taken and read, filling fails and says where."""
    (tmp_path / "tables").write_text("in the way", encoding="utf-8")
    with opened(tmp_path) as telemetry:
        telemetry.append_metrics(SHOP, BATCH, "b1")
        with pytest.raises(StoreError, match="tables"):
            telemetry.flush()
        assert len(read(telemetry)) == 2
    (tmp_path / "tables").unlink()
    with opened(tmp_path) as telemetry:
        telemetry.flush()
        assert len(read(telemetry)) == 2


def test_the_background_fills_and_compacts_while_readers_read(tmp_path: Path) -> None:
    """With fills, compaction and removal under way, every reading finds each acknowledged batch once."""
    log, table, clock = SqliteIngestLog(tmp_path / "log"), MetricsTable(tmp_path / "t"), HandClock()
    filler = Filler(log, table, clock, FillerConfig(commit_bytes=1, keep_s=0.0))
    upkeep = Upkeep(table, clock, UpkeepConfig(num_merged=2, removed_after_s=0.0, checkpoint_every=5))
    background = Background(table, filler, upkeep, BackgroundConfig(0.05, 0.2))
    telemetry = LoggedTelemetry(log, table, filler, background=background)
    for number in range(15):
        telemetry.append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
        assert values(telemetry) == [float(before) for before in range(number + 1)]
    until = time.monotonic() + 60
    while filler.lag() and time.monotonic() < until:
        Event().wait(0.01)
    assert table.snapshot().through == 15
    telemetry.close()


def until_refused(telemetry: LoggedTelemetry) -> str:
    """Append batches until the log takes no more."""
    for number in range(100, 300):
        try:
            telemetry.append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
        except LogFullError as full:
            return f"it is full: {full}"
    return "it took all"


def test_a_full_log_is_emptied_where_nobody_else_does(tmp_path: Path) -> None:
    """Without a background, appending fills the table itself when the log is full; with one, it is refused."""
    table, clock = MetricsTable(tmp_path / "t"), HandClock()
    log = SqliteIngestLog(tmp_path / "log", SqliteIngestLogConfig(max_bytes=3_000))
    filler = Filler(log, table, clock, FillerConfig(keep_bytes=0))
    telemetry = LoggedTelemetry(log, table, filler)
    for number in range(12):
        telemetry.append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
    assert table.snapshot().through > 0
    assert values(telemetry) == [float(number) for number in range(12)]
    idle = Background(table, filler, Upkeep(table, clock), BackgroundConfig(fill_every_s=3600.0))
    busy = LoggedTelemetry(log, table, filler, background=idle)
    assert "is full" in until_refused(busy)
    busy.close()


def test_a_store_may_receive_in_another_log(tmp_path: Path) -> None:
    """Given a log, a store receives in that one, makes no file of its own for it, and closes it at the end."""
    log = SqliteIngestLog(tmp_path / "elsewhere.sqlite")
    store = open_store(tmp_path / "store", log=log)
    store.telemetry.append_metrics(SHOP, BATCH, "b1")
    assert log.end() == 1
    store.close()
    assert not list((tmp_path / "store").glob("ingest.sqlite*"))
    with pytest.raises(StoreError):
        log.end()
