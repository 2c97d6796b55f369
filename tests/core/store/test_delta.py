"""What only the durable telemetry store has: files, partitions and concurrent writers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from opswm.errors import StoreError
from opswm.store.delta_telemetry import DeltaTelemetry
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, after, readings

BATCH = readings([("web.rps", 1, 1, 1.0), ("web.errors", 2, 2, 2.0)])


def test_it_is_there_when_opened_again(tmp_path: Path) -> None:
    """A second store on the same folder sees the readings and knows the batches."""
    version = DeltaTelemetry(tmp_path / "metrics").append_metrics(SHOP, BATCH, "b1")
    again = DeltaTelemetry(tmp_path / "metrics")
    assert again.append_metrics(SHOP, BATCH, "b1") == version == again.version(SHOP)
    assert again.read_metrics(SHOP, ["web.rps"], after(0), after(9), after(9)).num_rows == 1


def test_one_of_many_writers_stores_a_batch(tmp_path: Path) -> None:
    """Writers that deliver the same batch at once all succeed, and it is stored once."""
    stores = [DeltaTelemetry(tmp_path / "metrics") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: store.append_metrics(SHOP, BATCH, "b1"), stores * 2))
    assert stores[0].read_metrics(SHOP, ["web.rps", "web.errors"], after(0), after(9), after(9)).num_rows == 2


def test_writers_of_different_batches_all_get_through(tmp_path: Path) -> None:
    """No reading is lost when several batches and systems are written at once."""
    store = DeltaTelemetry(tmp_path / "metrics")

    def write(number: int) -> None:
        store.append_metrics(SystemKey("default", f"s{number % 3}"), BATCH, f"b{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    for number in range(3):
        system = SystemKey("default", f"s{number}")
        assert store.read_metrics(system, ["web.rps"], after(0), after(9), after(9)).num_rows == 4


def test_files_of_other_systems_are_not_opened(tmp_path: Path) -> None:
    """Reading one system works although the files of another are gone; reading that other one says so."""
    store = DeltaTelemetry(tmp_path / "metrics")
    other = SystemKey("default", "mall")
    for system in (SHOP, other):
        store.append_metrics(system, BATCH, "b1")
    for file in (tmp_path / "metrics").glob("**/system_id=mall/*.parquet"):
        file.unlink()
    assert store.read_metrics(SHOP, ["web.rps"], after(0), after(9), after(9)).num_rows == 1
    with pytest.raises(StoreError, match="cannot be read"):
        store.read_metrics(other, ["web.rps"], after(0), after(9), after(9))


def test_other_engines_read_the_table(tmp_path: Path) -> None:
    """The table is plain Delta Lake: Polars reads the same rows, with tenant and system as columns."""
    DeltaTelemetry(tmp_path / "metrics").append_metrics(SHOP, BATCH, "b1")
    frame = pl.read_delta(str(tmp_path / "metrics")).sort("value")
    assert frame.select("tenant_id", "system_id", "channel_id", "value").rows() == [
        ("default", "shop", "web.rps", 1.0),
        ("default", "shop", "web.errors", 2.0),
    ]


def test_a_broken_log_is_an_error(tmp_path: Path) -> None:
    """A commit that is no JSON makes opening, reading and writing fail with the place of the table."""
    store = DeltaTelemetry(tmp_path / "metrics")
    store.append_metrics(SHOP, BATCH, "b1")
    (tmp_path / "metrics" / "_delta_log" / f"{1:020d}.json").write_text("{ torn", encoding="utf-8")
    for attempt in (
        lambda: DeltaTelemetry(tmp_path / "metrics"),
        lambda: store.version(SHOP),
        lambda: store.append_metrics(SHOP, BATCH, "b2"),
    ):
        with pytest.raises(StoreError, match="metrics"):
            attempt()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file where the folder belongs is reported as such."""
    (tmp_path / "metrics").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be opened"):
        DeltaTelemetry(tmp_path / "metrics")
