"""A disk that is full or read-only, a clock that steps back, and what is counted of all this."""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from opswm.errors import BadInputError, LogFullError, StoreError
from opswm.store.ingest_log import counts
from opswm.store.ingest_log.deliveries import deliveries
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from opswm_schemas.ports import Batch
from tests.core.store.ingest_log.logs import batch, names
from tests.core.store.shop import SHOP, after, readings

Remount = Callable[[str], None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Remount]]:
    """A disk of its own of half a megabyte, and a function that mounts it anew with other options."""
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=480k", "tmpfs", folder], capture_output=True).returncode
        != 0
    ):
        pytest.skip("mounting is not permitted here")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True, capture_output=True)

    yield folder, remount
    subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)


def large(number: int) -> Batch:
    """Return a batch of a few pages."""
    chance = random.Random(number)
    rows = [(f"web.{row}", float(row), float(row), chance.random()) for row in range(900)]
    return Batch(SHOP, "otlp", f"b{number}", readings(rows))


def fill(log: SqliteIngestLog, first: int, number: int) -> tuple[list[str], list[str]]:
    """Append batches one by one; return the ids of those kept, and what was said of the others."""
    kept, said = [], []
    for count in range(first, first + number):
        try:
            log.append([large(count)])
            kept.append(f"b{count}")
        except StoreError as problem:
            said.append(str(problem))
    return kept, said


def test_a_full_disk_refuses_and_loses_nothing(small_disk: tuple[Path, Remount]) -> None:
    """On a full disk appending fails and reading goes on; with room again, the same log takes what is sent again."""
    folder, remount = small_disk
    config = SqliteIngestLogConfig(checkpoint_bytes=200_000)
    log = SqliteIngestLog(folder / "ingest.sqlite", config)
    kept, said = fill(log, 0, 40)
    assert kept
    assert said
    assert all("disk is full" in line or "No space left" in line for line in said)
    there = names(log)
    assert set(kept) <= there.keys()
    assert set(there.values()) == {1}
    remount("size=16m")
    again, said = fill(log, 0, 40)
    assert (len(again), said) == (40, [])
    log.close()
    log = SqliteIngestLog(folder / "ingest.sqlite", config)
    assert names(log) == {f"b{count}": 1 for count in range(40)}
    log.close()


def test_a_disk_that_becomes_read_only_refuses(small_disk: tuple[Path, Remount]) -> None:
    """A log on a disk mounted read-only cannot be opened and says why; made writable again, it has everything."""
    folder, remount = small_disk
    log = SqliteIngestLog(folder / "ingest.sqlite")
    kept, _ = fill(log, 0, 4)
    log.close()
    remount("ro")
    with pytest.raises(StoreError, match=r"cannot be opened: .*[Rr]ead-only"):
        SqliteIngestLog(folder / "ingest.sqlite")
    with pytest.raises(StoreError, match=r"cannot be opened: .*[Rr]ead-only"):
        SqliteIngestLog(folder / "new" / "ingest.sqlite")
    remount("rw")
    log = SqliteIngestLog(folder / "ingest.sqlite")
    assert names(log) == dict.fromkeys(kept, 1)
    log.close()


def test_a_clock_that_steps_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets and identities do not follow a clock: not this machine's, and not what the readings say."""
    log = SqliteIngestLog(tmp_path / "ingest.sqlite")
    offsets = []
    for step, now in enumerate((2e9, 1e9, 0.0)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        monkeypatch.setattr("time.time_ns", lambda now=now: int(now * 1e9))
        offsets += log.append([batch(f"b{step}", known_s=-3_600.0 * step)])
    assert offsets == [1, 2, 3]
    assert log.append([batch("b0", known_s=0.0)]) == [1]
    assert [log.count(SHOP, after(-3_600.0 * step)) for step in range(4)] == [3, 2, 1, 0]
    log.close()


def test_what_was_offered_is_counted_by_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches kept, refused as bad input, refused while the log is full, and failed are told apart."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(counts, "meter", lambda: provider.get_meter("test"))
    counts._batches.cache_clear()
    large = [batch("b4", rows=90), batch("b5")]
    room = sum(len(delivery.body.data) for delivery in deliveries(large))
    log = SqliteIngestLog(tmp_path / "ingest.sqlite", SqliteIngestLogConfig(max_bytes=room))
    log.append([batch("b1"), batch("b1")])
    for bad in ([batch("b1", 2.0)], [batch("b2"), batch("b3", float("nan"))]):
        with pytest.raises(BadInputError):
            log.append(bad)
    with pytest.raises(LogFullError):
        log.append(large)
    log.close()
    with pytest.raises(StoreError):
        log.append([batch("b7")])
    counts._batches.cache_clear()
    data = reader.get_metrics_data()
    assert data is not None
    [metric] = data.resource_metrics[0].scope_metrics[0].metrics
    found = {
        str((point.attributes or {})["outcome"]): getattr(point, "value", None) for point in metric.data.data_points
    }
    assert (metric.name, found) == ("opswm.ingest_log.batches", {"kept": 2, "refused": 3, "full": 2, "failed": 1})
    provider.shutdown()
