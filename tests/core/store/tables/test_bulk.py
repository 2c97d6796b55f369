"""Large batches go into the table directly: once, whole, counted, and never lost without a word."""

from pathlib import Path

import pyarrow as pa
import pytest

from opswm.errors import BadInputError, StoreError
from opswm.store.batches import in_order
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.tables import bulk as bulk_module
from opswm.store.tables import telemetry as telemetry_module
from opswm.store.tables.bulk import BulkImport, bulk_number
from opswm.store.tables.damage import mend
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_files import encoded
from opswm.store.tables.telemetry import RECEIVED, LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from opswm_schemas.ports import Batch
from tests.core.store.shop import SHOP, after, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import values

LARGE = readings([("web.rps", second, second + 3, float(second)) for second in range(8, 0, -1)])
LARGE_VALUES = [float(second) for second in range(1, 9)]


@pytest.fixture(autouse=True)
def _eight_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches of eight readings count as large."""
    monkeypatch.setattr(telemetry_module, "BULK_ROWS", 8)


def test_a_large_batch_is_in_the_table_at_once_and_counts_once(tmp_path: Path) -> None:
    """It is read and counted as of its first moment; again, it adds nothing; with other content it is refused."""
    log = MemoryLog()
    telemetry = logged(tmp_path / "t", log)
    telemetry.append_metrics(SHOP, readings([("db.p99", 1, 9, 77.0)]), "small")
    for rows in (LARGE, LARGE.take(pa.array(range(7, -1, -1)))):
        assert telemetry.append_metrics(SHOP, rows, "large") == 2
    assert log.end() == 1
    telemetry.flush()
    again = logged(tmp_path / "t", log)
    for opened in (telemetry, again):
        assert values(opened) == [77.0, *LARGE_VALUES]
        assert values(opened, as_of=after(5)) == [1.0, 2.0]
        assert [opened.version(SHOP, after(second)) for second in (3.9, 4, 9)] == [0, 1, 2]
    with pytest.raises(BadInputError, match="other content"):
        again.append_metrics(SHOP, readings([("web.rps", second, 9, 0.5) for second in range(8)]), "large")
    assert again.append_metrics(SHOP, LARGE, "another name") == 3


SMALL = readings([("web.rps", 1, 4, 0.5)])


def test_an_id_stands_for_one_batch_however_large(tmp_path: Path) -> None:
    """A large batch under a small one's id is refused, and a small one under a large one's; also opened anew."""
    log = SqliteIngestLog(tmp_path / "log")
    telemetry = logged(tmp_path / "t", log)
    telemetry.append_metrics(SHOP, SMALL, "small")
    telemetry.append_metrics(SHOP, LARGE, "large")
    for opened in (telemetry, logged(tmp_path / "t", log)):
        for rows, batch_id in ((LARGE, "small"), (SMALL, "large")):
            with pytest.raises(BadInputError, match="other content"):
                opened.append_metrics(SHOP, rows, batch_id)
        assert opened.append_metrics(SHOP, SMALL, "small") == opened.append_metrics(SHOP, LARGE, "large") == 2
        assert [opened.version(SHOP, after(second)) for second in (3.9, 4)] == [0, 2]
        assert log.end() == 1
    log.close()


def test_a_large_batch_that_was_not_stored_keeps_its_name(tmp_path: Path) -> None:
    """Where it could not be written, no small batch comes under its name, and it may be sent again."""

    class Failed(Exception):
        """Ends the import before its commit."""

    def fails(_label: str) -> None:
        raise Failed

    log = SqliteIngestLog(tmp_path / "log")
    telemetry = logged(tmp_path / "t", log)
    with pytest.raises(Failed):
        BulkImport(telemetry.table, log, reached=fails).append(Batch(SHOP, "received", "large", LARGE))
    with pytest.raises(BadInputError, match="other content"):
        telemetry.append_metrics(SHOP, SMALL, "large")
    assert telemetry.version(SHOP) == 0
    assert telemetry.append_metrics(SHOP, LARGE, "large") == 1
    log.close()


def test_slashes_in_names_make_no_two_batches_one(tmp_path: Path) -> None:
    """Source and id are told apart wherever their slashes are."""
    telemetry = logged(tmp_path)
    for source, batch_id in (("gate", "x/y"), ("gate/x", "y"), ("gate%2Fx", "y")):
        telemetry.append(Batch(SHOP, source, batch_id, LARGE))
    assert telemetry.version(SHOP) == 3


def test_large_batches_of_before_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was imported when no log kept the name is not stored again, and nothing else comes under its id."""
    with monkeypatch.context() as former:
        former.setattr(bulk_module, "_transaction_name", bulk_module._former_name)
        BulkImport(MetricsTable(tmp_path)).append(Batch(SHOP, RECEIVED, "large", LARGE))
    telemetry = logged(tmp_path)
    assert telemetry.append_metrics(SHOP, LARGE, "large") == 1
    other = logged(tmp_path)  # on a log that never heard of it
    with pytest.raises(BadInputError, match="other content"):
        other.append_metrics(SHOP, SMALL, "large")
    assert other.append_metrics(SHOP, SMALL, "small") == 2


def test_upkeep_leaves_large_batches_as_they_are(tmp_path: Path) -> None:
    """Compaction goes by the parts of the log; what is read and counted stays."""
    telemetry = logged(tmp_path / "t")
    for number in range(4):
        telemetry.append_metrics(SHOP, LARGE, f"large{number}")
        telemetry.append_metrics(SHOP, readings([("db.p99", number, 9, 99.0)]), f"small{number}")
        telemetry.flush()
    before = values(telemetry)
    Upkeep(telemetry.table, HandClock(), UpkeepConfig(num_merged=2, removed_after_s=0.0)).run()
    assert values(telemetry) == before
    assert telemetry.version(SHOP) == 8
    assert sum(part.imported is None for part in telemetry.table.snapshot().parts[SHOP]) == 1


def lost_part(folder: Path) -> None:
    """Remove one file of the import."""
    next(folder.glob("**/imported-*.parquet")).unlink()


def lost_commit(folder: Path) -> None:
    """Remove the commit that took it in, and its copy."""
    last = max((folder / "_delta_log").glob("*.json"))
    (folder / "_opswm" / "commits" / last.name).unlink()
    last.unlink()


def test_a_lost_part_or_commit_is_named(tmp_path: Path) -> None:
    """No log has a large batch: whatever of it is gone is an error that says so."""
    for name, damage in (("part", lost_part), ("commit", lost_commit)):
        log = MemoryLog()
        telemetry = logged(tmp_path / name, log)
        telemetry.append_metrics(SHOP, LARGE, "large")
        damage(tmp_path / name)
        with pytest.raises(StoreError, match=r"lost"):
            values(LoggedTelemetry(log, telemetry.table, telemetry.filler, mend(telemetry.table, log)))


@pytest.mark.parametrize("place", ["import:before-commit", "import:after-commit"])
def test_stopped_on_the_way_it_is_there_whole_or_not_and_again_once(tmp_path: Path, place: str) -> None:
    """Ended before or after the commit, delivering again completes it; files of the first attempt are removed later."""

    class Stopped(BaseException):
        """Ends the import where a kill would."""

    def reached(label: str) -> None:
        if label == place:
            raise Stopped

    telemetry = logged(tmp_path / "t")
    batch = Batch(SHOP, "received", "large", LARGE)
    with pytest.raises(Stopped):
        BulkImport(telemetry.table, reached=reached).append(batch)
    assert values(telemetry) == ([] if place == "import:before-commit" else LARGE_VALUES)
    telemetry.append(batch)
    assert mend(telemetry.table, telemetry.log) == {}
    assert (values(telemetry), telemetry.version(SHOP)) == (LARGE_VALUES, 1)
    Upkeep(telemetry.table, HandClock(), UpkeepConfig(removed_after_s=0.0)).run()
    assert len(list((tmp_path / "t").glob("**/*.parquet"))) == 2


def number_of(table: pa.Table) -> int:
    """Return the number of a batch."""
    return bulk_number(in_order(encoded(table)))


def test_the_number_of_a_batch_tells_content_not_chunks() -> None:
    """The same rows in other chunks have the same number; another value, instant or channel has another."""
    mixed = readings([("web.rps", 1, 1, 1.0), ("db.p99", 1, 1, 2.0), ("web.errors", 1, 1, 3.0), ("db.p99", 2, 1, 2.0)])
    turned = pa.concat_tables([mixed.slice(1), mixed.slice(0, 1)])
    assert number_of(turned) == number_of(mixed)
    others = [
        readings([("web.rps", 1, 1, 1.0), ("web.rps", 1, 1, 2.0)]),
        readings([("web.rps", 1, 1, 1.0), ("web.rpt", 1, 1, 2.0)]),
        readings([("web.rps", 1, 1, 1.0), ("web.rps", 1, 2, 2.0)]),
        readings([("web.rps", 1, 1, 1.0), ("web.rps", 1, 1, 3.0)]),
    ]
    assert len({number_of(table) for table in others}) == len(others)
