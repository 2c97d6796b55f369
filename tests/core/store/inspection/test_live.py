"""A store that a service goes on with while it is looked at: nothing is called damaged, whatever happens in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from opswm.clock import FixedClock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.inspection import table_files
from opswm.store.inspection.findings import Inspection
from opswm.store.inspection.inspect import inspect_store
from opswm.store.inspection.sqlite_read_only import integrity_problem
from opswm.store.layout import LOG_FILE, METRICS_TABLE
from opswm.store.tables.filler import Filler, FillerConfig
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.ports import Batch
from tests.core.store.inspection.stores import NOON, NOW, SHOP, batch, told, whole_store


class Service:
    """Receives a batch, fills it into the table and drops it from the log, each time it is told to."""

    def __init__(self, folder: Path) -> None:
        self.log = SqliteIngestLog(folder / LOG_FILE)
        self.table = MetricsTable(folder / METRICS_TABLE)
        self._filler = Filler(self.log, self.table, FixedClock(NOON), FillerConfig(keep_s=0.0))
        self._number = count(3)

    def append(self) -> None:
        """Receive a batch."""
        number = next(self._number)
        self.log.append([Batch(SHOP, "test", f"b{number}", batch(number))])

    def go_on(self) -> None:
        """Receive a batch, fill and trim."""
        self.append()
        self._filler.flush()


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """Have a store in use."""
    service = Service(whole_store(folder, num_filled=2))
    try:
        yield service
    finally:
        service.log.close()


def after(real: Callable[..., Any], what: Callable[[], None]) -> Callable[..., Any]:
    """Return a function that lets something happen as soon as it is done."""

    def both(*arguments: Any) -> Any:
        result = real(*arguments)
        what()
        return result

    return both


@pytest.mark.parametrize("step", ["ledger", "notes", "ingest log", "table", "default/shop", "each"])
def test_filling_and_trimming_between_the_steps_is_no_damage(tmp_path: Path, step: str) -> None:
    """Versions and offsets that came up while something else was looked at were not lost."""
    with serving(tmp_path / "store") as service:

        def advance(what: str) -> None:
            if step in (what, "each"):
                service.go_on()

        found = inspect_store(tmp_path / "store", NOW + timedelta(hours=1), advance=advance)
    assert set(told(found)) <= {("warning", "lag")}
    assert service.table.snapshot(fresh=True).through >= 4


def looked_at(folder: Path) -> Inspection:
    """Inspect a store in use."""
    return inspect_store(folder, NOW)


def test_a_commit_while_the_commits_are_listed_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its second copy may be there where it itself was not seen yet."""
    with serving(tmp_path / "store") as service:
        monkeypatch.setattr(table_files, "_versions", after(table_files._versions, service.go_on))
        found = looked_at(tmp_path / "store")
    assert set(told(found)) <= {("warning", "lag")}


def test_a_batch_while_the_log_is_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is acknowledged, and not in the state that is being looked at."""
    with serving(tmp_path / "store") as service:
        check = "opswm.store.inspection.log_state.integrity_problem"
        monkeypatch.setattr(check, after(integrity_problem, service.append))
        found = looked_at(tmp_path / "store")
        assert (found.facts["log_end"], service.log.end()) == (3, 4)
    assert told(found) == [("warning", "lag")]
