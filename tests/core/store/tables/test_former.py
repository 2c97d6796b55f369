"""A store folder of the former version opens, is read the same, and counts and refuses as before."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from opswm.errors import BadInputError, StoreError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.open import open_store
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, after, readings
from tests.core.store.tables.former_store import append_formerly
from tests.core.store.test_telemetry import read

EU = SystemKey("default", "shop/eu:1#a")


def test_a_former_store_keeps_its_readings_names_and_counts(tmp_path: Path) -> None:
    """Its batches are read, counted as of every moment, known by their names, and the former table is gone."""
    same = ArrowTelemetry()
    batches = [(SHOP, f"recording:{n}", [("web.rps", 1, n, float(n)), ("db.p99", n, 5, 9.0)]) for n in range(3)]
    for system, batch_id, rows in [*batches, (EU, "a/b", [("web.rps", 1, 1, 5.0)])]:
        append_formerly(tmp_path / "metrics", system, readings(rows), batch_id)
        same.append_metrics(system, readings(rows), batch_id)
    store = open_store(tmp_path)
    for _ in range(2):
        telemetry = store.telemetry
        for system in (SHOP, EU):
            assert read(telemetry, system) == read(same, system)
        assert [telemetry.version(SHOP, after(second)) for second in (0, 1.5, 9)] == [1, 2, 3]
        assert telemetry.append_metrics(EU, readings([("web.rps", 1, 1, 5.0)]), "a/b") == 1
        with pytest.raises(BadInputError, match="other content"):
            telemetry.append_metrics(SHOP, readings([("web.rps", 1, 0, 0.5)]), "recording:0")
        store.close()
        assert not (tmp_path / "metrics").exists()
        store = open_store(tmp_path)
    store.close()


def test_a_former_table_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    """A missing file is an error that names the table, and nothing of it is removed."""
    append_formerly(tmp_path / "metrics", SHOP, readings([("web.rps", 1, 1, 5.0)]), "b")
    for file in (tmp_path / "metrics").glob("**/*.parquet"):
        file.unlink()
    with pytest.raises(StoreError, match="former metrics table"):
        open_store(tmp_path)
    assert (tmp_path / "metrics" / "_delta_log").is_dir()


def test_batches_whose_names_the_former_log_forgot_are_counted_all_the_same(tmp_path: Path) -> None:
    """Where old commits were summed up in a checkpoint and removed, a file counts as a batch."""
    for number in range(3):
        append_formerly(tmp_path / "metrics", SHOP, readings([("web.rps", 1, number, 5.0)]), f"b{number}")
    DeltaTable(tmp_path / "metrics").create_checkpoint()
    for commit in range(3):
        (tmp_path / "metrics" / "_delta_log" / f"{commit:020d}.json").unlink()
    store = open_store(tmp_path)
    assert [store.telemetry.version(SHOP, after(second)) for second in (0, 1, 2)] == [1, 2, 3]
    assert len(read(store.telemetry)) == 3
    store.close()
