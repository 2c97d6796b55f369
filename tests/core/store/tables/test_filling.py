"""Filling a table from the log: once, in order, verified before the log lets go."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from opswm.errors import StoreError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.tables.filler import FillerConfig
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, after, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import values

MALL = SystemKey("default", "mall/eu:1#a% é")


def test_what_was_filled_is_read_from_the_table(tmp_path: Path) -> None:
    """After a fill and a trim the log holds nothing any more, and the same is read, in the same order."""
    log, clock = MemoryLog(), HandClock()
    telemetry = logged(tmp_path / "t", log, clock)
    telemetry.append_metrics(SHOP, readings([("web.rps", 2, 2, 2.0), ("web.rps", 1, 3, 1.0)]), "b1")
    telemetry.append_metrics(MALL, readings([("web.rps", 2, 2, 9.0)]), "b1")
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 3, 7.0), ("db.p99", 1, 1, 3.0)]), "b2")
    before = telemetry.read_metrics(SHOP, ["web.rps", "db.p99"], after(0), after(9), after(9))
    assert not telemetry.filler.is_idle()
    telemetry.flush()
    assert not telemetry.filler.is_idle()
    clock.forward(601)
    with telemetry.table.writing() as free:
        assert free
        assert telemetry.filler.fill_once() == 0
    assert log.trimmed == 3
    assert telemetry.filler.is_idle()
    assert telemetry.read_metrics(SHOP, ["web.rps", "db.p99"], after(0), after(9), after(9)).equals(before)
    assert values(telemetry, MALL) == [9.0]
    assert (telemetry.version(SHOP), telemetry.version(SHOP, after(1)), telemetry.filler.lag()) == (2, 1, 0)
    assert before.schema == METRICS
    frame = pl.read_delta(str(tmp_path / "t"))
    assert set(frame["system_id"]) == {"shop", MALL.system_id}
    assert frame.height == 5


def test_the_log_keeps_what_was_filled_for_a_while(tmp_path: Path) -> None:
    """Readings leave the log only when they were in a verified version for the stated time, or are too many."""
    log, clock = MemoryLog(), HandClock()
    telemetry = logged(tmp_path / "t", log, clock, FillerConfig(keep_s=60.0, keep_bytes=150))
    for number in range(3):
        telemetry.append_metrics(SHOP, readings([("web.rps", number, number, 1.0)]), f"b{number}")
        telemetry.flush()
    size = log.replay(2, 1)[0].batch.table.nbytes
    assert 50 < size < 150 < 3 * size
    kept = 150 // size
    assert log.trimmed == 3 - kept
    clock.forward(-3600)
    telemetry.append_metrics(SHOP, readings([("web.rps", 9, 9, 1.0)]), "late")
    telemetry.flush()
    assert log.trimmed == 4 - kept
    clock.forward(3600 + 61)
    with telemetry.table.writing():
        telemetry.filler.fill_once()
    assert log.trimmed == 4


def test_one_commit_takes_many_batches_but_not_too_much(tmp_path: Path) -> None:
    """Batches go into the table together, up to the size of a commit; their order stays."""
    log = MemoryLog()
    telemetry = logged(tmp_path / "t", log, config=FillerConfig(commit_bytes=400))
    for number in range(12):
        telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, float(number))]), f"b{number}")
    telemetry.flush()
    size = log.replay(0, 1)[0].batch.table.nbytes
    assert telemetry.table.snapshot().version == -(-12 // (400 // size))
    assert values(telemetry) == [float(number) for number in range(12)]


def test_a_log_of_another_time_is_refused(tmp_path: Path) -> None:
    """A table that is filled further than the log goes means that the log was lost, and says so."""
    telemetry = logged(tmp_path / "t")
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0)]), "b1")
    telemetry.flush()
    with pytest.raises(StoreError, match="filled up to offset 1, the ingest log ends at 0"):
        logged(tmp_path / "t").check()


def test_two_fillers_share_a_table(tmp_path: Path) -> None:
    """Two services on one folder take turns: nothing twice, nothing missing."""
    log = MemoryLog()
    both = [logged(tmp_path / "t", log, config=FillerConfig(commit_bytes=1)) for _ in range(2)]
    for number in range(8):
        both[number % 2].append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
    both[0].flush()
    both[1].flush()
    for number in range(8, 12):
        both[number % 2].append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
        both[number % 2].flush()
    for telemetry in both:
        assert values(telemetry) == [float(number) for number in range(12)]


def test_a_busy_table_is_said_so(tmp_path: Path) -> None:
    """Where another holds the writer's place for too long, flushing says that nothing is lost."""
    telemetry = logged(tmp_path / "t", config=FillerConfig(wait_s=0.05))
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0)]), "b1")
    with telemetry.table.writing() as free:
        assert free
        with pytest.raises(StoreError, match="another process has been writing"):
            telemetry.flush()
    telemetry.flush()
    assert telemetry.filler.lag() == 0


def test_parts_of_many_channels_are_in_order_and_equal_readings_as_they_came(tmp_path: Path) -> None:
    """Where nearly every reading is of another channel, order and ties are those of memory, across batches."""
    same, telemetry = ArrowTelemetry(), logged(tmp_path / "t")
    names = [f"c{number * 7919 % 1000:04d}" for number in range(1000)]
    for batch in range(3):
        rows = readings([(name, 1, 1, batch * 1000.0 + place) for place, name in enumerate(names)])
        for one in (same, telemetry):
            one.append_metrics(SHOP, rows, f"b{batch}")
    telemetry.flush()
    asked = ([*names, "c"], after(0), after(9), after(9))
    assert telemetry.read_metrics(SHOP, *asked).equals(same.read_metrics(SHOP, *asked))
    (part,) = telemetry.table.snapshot().parts[SHOP]
    stored = pq.read_table(part.file, partitioning=None)["channel_id"].to_pylist()
    assert stored == sorted(stored)
