"""The thread that fills a table outlives whatever fails, and says what keeps it from its work."""

import time
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from opswm.store.tables.background import Background, BackgroundConfig
from opswm.store.tables.filler import Filler
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep
from tests.core.store.shop import SHOP, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import HandClock


def until(telemetry: LoggedTelemetry, *, troubled: bool) -> str:
    """Wait until filling is troubled or no longer, and return what is told then."""
    ends = time.monotonic() + 30
    while bool(telemetry.filling_problem()) is not troubled and time.monotonic() < ends:
        Event().wait(0.005)
    return telemetry.filling_problem()


@pytest.mark.parametrize(
    "failure", [pa.ArrowMemoryError("malloc of size 64 failed"), pa.ArrowCapacityError("too long")]
)
def test_memory_that_runs_out_does_not_end_filling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Failures of Arrow are told with how many batches wait; once they are over, the table is filled."""

    def fails(_self: Filler) -> int:
        raise failure

    log, table, clock = MemoryLog(), MetricsTable(tmp_path), HandClock()
    filler = Filler(log, table, clock)
    background = Background(table, filler, Upkeep(table, clock), BackgroundConfig(fill_every_s=0.002))
    with monkeypatch.context() as broken:
        broken.setattr(Filler, "fill_once", fails)
        telemetry = LoggedTelemetry(log, table, filler, background=background)
        assert telemetry.filling_problem() == ""
        telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0)]), "b1")
        told = until(telemetry, troubled=True)
        assert "times in a row" in told
        assert "1 batches wait" in told
    assert until(telemetry, troubled=False) == ""
    assert table.snapshot().through == 1
    telemetry.close()
    assert telemetry.filling_problem() == ""


def test_a_thread_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the thread ended though nobody stopped it, that is said with how many batches wait."""
    monkeypatch.setattr(Background, "_work", lambda _self: None)
    log, table, clock = MemoryLog(), MetricsTable(tmp_path), HandClock()
    filler = Filler(log, table, clock)
    telemetry = LoggedTelemetry(log, table, filler, background=Background(table, filler, Upkeep(table, clock)))
    assert "the thread for it ended; 0 batches wait" in until(telemetry, troubled=True)
    telemetry.close()
