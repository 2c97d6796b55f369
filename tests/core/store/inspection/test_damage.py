"""Damage to a store, planted one at a time: each is found where it is, and nothing else is."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from opswm.errors import NotFoundError
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.layout import FORMER_TABLE, LEDGER_FILE, LOG_FILE, METRICS_TABLE
from opswm_schemas.ports import Batch
from tests.core.store.inspection.stores import NOW, SHOP, batch, former_store, look, only, told, whole_store

Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One store of each kind, as it should be; tests work on copies."""
    folder = tmp_path_factory.mktemp("stores")
    return {
        "whole": whole_store(folder / "whole"),
        "behind": whole_store(folder / "behind", num_filled=1),
        "former": former_store(folder / "former"),
    }


def copied(stores: dict[str, Path], kind: str, tmp_path: Path) -> Path:
    """A copy of a store."""
    return shutil.copytree(stores[kind], tmp_path / "store")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def sql(file: str, *statements: str) -> Spoil:
    """Return a change of an SQLite file behind everybody's back."""

    def apply(folder: Path) -> None:
        connection = sqlite3.connect(folder / file)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return apply


def commit(version: int, table: Path = METRICS_TABLE) -> str:
    """The file of a commit."""
    return str(table / "_delta_log" / f"{version:020d}.json")


def part(folder: Path, number: int, table: Path = METRICS_TABLE) -> Path:
    """One of a table's files."""
    return sorted((folder / table).rglob("*.parquet"), key=lambda file: (file.stat().st_mtime_ns, file))[number]


def written(name: str, content: bytes) -> Spoil:
    """Return a change of a whole file."""
    return lambda folder: (folder / name).write_bytes(content)


def cut(find: Callable[[Path], Path], share: float) -> Spoil:
    """Return a change that leaves the beginning of a file."""

    def apply(folder: Path) -> None:
        content = find(folder).read_bytes()
        find(folder).write_bytes(content[: int(len(content) * share)])

    return apply


def overwritten(find: Callable[[Path], Path], first: int, size: int) -> Spoil:
    """Return a change of some bytes of a file, whose length stays."""

    def apply(folder: Path) -> None:
        content = bytearray(find(folder).read_bytes())
        content[first : first + size] = bytes(byte ^ 0x5A for byte in content[first : first + size])
        find(folder).write_bytes(bytes(content))

    return apply


def forgotten_commit(folder: Path) -> None:
    """Take the last commit away, and the copy that tells of it."""
    (folder / commit(3)).unlink()
    shutil.rmtree(folder / METRICS_TABLE / "_opswm" / "commits")


def torn_checkpoint(folder: Path) -> None:
    """Tear a checkpoint of the table's log."""
    DeltaTable(folder / METRICS_TABLE).create_checkpoint()
    (checkpoint,) = (folder / METRICS_TABLE / "_delta_log").glob("*.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])


def other_values(folder: Path) -> None:
    """Write a file of a former table again with one other value, and let its commit say the new length."""
    file = part(folder, 0, FORMER_TABLE)
    before, table = file.stat().st_size, pq.read_table(file, partitioning=None)
    values = table["value"].to_pylist()
    values[7] += 1e-9
    place = table.column_names.index("value")
    pq.write_table(table.set_column(place, "value", pa.array(values)), file, compression="zstd")
    for log in (folder / FORMER_TABLE / "_delta_log").glob("*.json"):
        text = log.read_text()
        if file.name in text:
            log.write_text(text.replace(f'"size":{before}', f'"size":{file.stat().st_size}'))


LEDGER: dict[str, tuple[Spoil, str]] = {
    "page": (overwritten(lambda folder: folder / LEDGER_FILE, 4096, 200), "SQLite's integrity check|cannot be read"),
    "cut": (cut(lambda folder: folder / LEDGER_FILE, 0.5), "SQLite's integrity check|cannot be read"),
    "foreign": (written(LEDGER_FILE, b"not a database" * 100), "cannot be read"),
    "fact": (sql(LEDGER_FILE, "UPDATE action_facts SET document = replace(document, 'web', 'wob')"), "its digest"),
    "no json": (sql(LEDGER_FILE, "UPDATE events SET document = '{'"), "table events, row 1: the document is no JSON"),
    "number": (sql(LEDGER_FILE, "UPDATE systems SET sequence = 1"), "1 were handed out"),
    "descriptor": (
        sql(LEDGER_FILE, "UPDATE descriptors SET document = replace(document, 'web.rps', '')"),
        "the descriptor of default/shop is not valid",
    ),
    "other tables": (sql(LEDGER_FILE, "DROP TABLE descriptors"), "is no ledger of opswm"),
}


@pytest.mark.parametrize("defect", LEDGER)
def test_damage_to_the_ledger_is_found(stores: dict[str, Path], tmp_path: Path, defect: str) -> None:
    """Damaged pages, changed documents and numbers nobody handed out are told, and only of the ledger."""
    spoil, words = LEDGER[defect]
    folder = copied(stores, "whole", tmp_path)
    spoil(folder)
    found = look(folder)
    assert set(told(found)) == {("damage", "ledger")}
    assert any(word in f"{one.where}: {one.what}" for one in found.findings for word in words.split("|"))
    assert all(str(folder) in one.where and "backup" in one.remedy for one in found.findings)


LOG: dict[str, tuple[str, Spoil, str]] = {
    "body": ("whole", sql(LOG_FILE, "UPDATE bodies SET body = zeroblob(99) WHERE offset = 2"), "2 is not what was wri"),
    "moved": ("whole", sql(LOG_FILE, "UPDATE bodies SET system_id = 'mall' WHERE offset = 2"), "2 is not what was wri"),
    "hole": ("whole", sql(LOG_FILE, "DELETE FROM bodies WHERE offset = 2"), "2 to 2 are missing"),
    "end": ("whole", sql(LOG_FILE, "DELETE FROM bodies WHERE offset = 3"), "3 to 3 are missing"),
    "lost end": (
        "behind",
        sql(LOG_FILE, "DELETE FROM bodies WHERE offset = 3", "UPDATE log SET end = 2"),
        "ends at offset 2, though batches up to 3 were acknowledged",
    ),
    "trimmed": (
        "behind",
        sql(LOG_FILE, "DELETE FROM bodies WHERE offset < 3", "UPDATE log SET trimmed = 2"),
        "has dropped batches up to 2, and the table is filled up to 1 only",
    ),
    "missing": ("whole", lambda folder: (folder / LOG_FILE).unlink(), "is missing, and the table is filled from it"),
    "cut": ("whole", cut(lambda folder: folder / LOG_FILE, 0.4), "integrity check|cannot be read"),
    "page": ("whole", overwritten(lambda folder: folder / LOG_FILE, 8192, 300), "integrity check|cannot be read"),
}


@pytest.mark.parametrize("defect", LOG)
def test_damage_to_the_ingest_log_is_found(stores: dict[str, Path], tmp_path: Path, defect: str) -> None:
    """Batches that are not what was written, that are gone, or that were dropped too early are told."""
    kind, spoil, words = LOG[defect]
    folder = copied(stores, kind, tmp_path)
    spoil(folder)
    damaged = [one for one in look(folder).findings if one.severity == "damage"]
    assert {one.check for one in damaged} == {"log"}
    assert any(word in one.what for one in damaged for word in words.split("|"))
    assert all(one.where == str(folder / LOG_FILE) for one in damaged)


TABLE: dict[str, tuple[Spoil, str, int]] = {
    "missing file": (lambda folder: part(folder, 1).unlink(), "is missing", 1),
    "cut file": (cut(lambda folder: part(folder, 1), 0.5), "bytes instead of", 1),
    "spoilt data": (overwritten(lambda folder: part(folder, 1), 300, 64), "cannot be read", 1),
    "spoilt footer": (overwritten(lambda folder: part(folder, 1), -40, 32), "cannot be read", 1),
    "empty commit": (written(commit(3), b""), "is empty", 1),
    "cut commit": (cut(lambda folder: folder / commit(3), 0.6), "cannot be read", 1),
    "missing commit": (lambda folder: (folder / commit(2)).unlink(), "is missing, and later ones are there", 1),
    "lost commit": (lambda folder: (folder / commit(3)).unlink(), "it was committed, and 2 is the last", 2),
    "forgotten commit": (forgotten_commit, "ends at version 2, though version 3 was verified", 1),
    "no log": (lambda folder: shutil.rmtree(folder / METRICS_TABLE / "_delta_log"), "has files and no _delta_log", 1),
    "torn checkpoint": (torn_checkpoint, "cannot be read", 1),
    "torn notes": (written(str(METRICS_TABLE / "_opswm" / "kept.json"), b"{"), "cannot be read", 1),
}


@pytest.mark.parametrize("defect", TABLE)
def test_damage_to_the_table_is_found(stores: dict[str, Path], tmp_path: Path, defect: str) -> None:
    """Files and commits that are gone, cut, empty or spoilt are told with their names and what to do."""
    spoil, words, at_least = TABLE[defect]
    folder = copied(stores, "whole", tmp_path)
    spoil(folder)
    damaged = [one for one in look(folder).findings if one.severity == "damage"]
    assert {one.check for one in damaged} == {"table"}
    assert any(words in one.what for one in damaged)
    assert len(damaged) >= at_least
    assert all(str(folder / METRICS_TABLE) in one.where and "store" in one.remedy for one in damaged)


def test_a_batch_that_says_something_else_is_found_by_its_digest(stores: dict[str, Path], tmp_path: Path) -> None:
    """A file with one value a billionth off is whole in every other way; only its digest tells, so not quickly."""
    folder = copied(stores, "former", tmp_path)
    other_values(folder)
    found = only(look(folder))
    assert (found.severity, found.where) == ("damage", str(part(folder, -1, FORMER_TABLE)))
    assert "its digest differs" in found.what
    assert look(folder, is_thorough=False).findings == ()


def test_damaged_pages_of_the_write_ahead_log_are_found(tmp_path: Path) -> None:
    """What a crash left in the write-ahead log is looked through, frame by frame; a damaged one is told."""
    folder = whole_store(tmp_path / "live")
    log = SqliteIngestLog(folder / LOG_FILE)
    for number in range(3, 6):
        log.append([Batch(SHOP, "test", f"b{number}", batch(number))])
    crashed = shutil.copytree(folder, tmp_path / "crashed")
    log.close()
    assert told(look(crashed)) == [("warning", "lag")]
    overwritten(lambda store: store / f"{LOG_FILE}-wal", 100, 30)(crashed)
    assert any("is damaged in frame" in one.what for one in look(crashed).findings)


@pytest.mark.parametrize("kind", ["whole", "behind", "former"])
def test_a_whole_store_is_fine_and_left_as_it_is(stores: dict[str, Path], kind: str) -> None:
    """Nothing is found but batches on their way, whatever is read; not a byte of the store changes."""
    before = contents(stores[kind])
    for is_thorough in (True, False):
        found = look(stores[kind], is_thorough=is_thorough)
        assert told(found) == ([("warning", "lag")] if kind == "behind" else [])
    assert found.facts["systems"] == 1
    assert found.facts["table_readings"] == (720 if kind == "behind" else 2160)
    assert found.facts["lag_batches"] == (2 if kind == "behind" else 0)
    assert found.facts["verified_version"] == {"whole": 3, "behind": 1, "former": None}[kind]
    assert contents(stores[kind]) == before


def test_a_store_in_use_is_looked_at_as_it_is(tmp_path: Path) -> None:
    """While another process has the log open, with a write-ahead log beside it, nothing is damaged and nothing lost."""
    folder = whole_store(tmp_path / "store")
    log = SqliteIngestLog(folder / LOG_FILE)
    log.append([Batch(SHOP, "test", "b3", batch(3))])
    found = look(folder)
    assert told(found) == [("warning", "lag")]
    assert (found.facts["log_end"], found.facts["lag_batches"]) == (4, 1)
    log.append([Batch(SHOP, "test", "b4", batch(4))])
    assert log.end() == 5
    log.close()


def test_files_of_no_version_are_told_once_they_have_lain_a_while(stores: dict[str, Path], tmp_path: Path) -> None:
    """A file that no commit names may belong to one under way; after a quarter of an hour it is a finding."""
    folder = copied(stores, "whole", tmp_path)
    stray = part(folder, 0).with_name("stray.parquet")
    shutil.copy(part(folder, 0), stray)
    for age_s, expected in ((60.0, []), (1_000.0, [("warning", "table")])):
        os.utime(stray, (NOW.timestamp() - age_s,) * 2)
        assert told(look(folder)) == expected
    assert str(stray) in only(look(folder)).what


def test_files_that_were_compacted_away_are_no_strangers(stores: dict[str, Path], tmp_path: Path) -> None:
    """What a commit took out stays on disk for readers of older versions, and is nobody's mistake."""
    folder = copied(stores, "whole", tmp_path)
    table = folder / METRICS_TABLE
    gone = part(folder, 2)
    removal = {
        "remove": {
            "path": str(gone.relative_to(table)),
            "dataChange": True,
            "deletionTimestamp": time.time_ns() // 10**6,
        }
    }
    (folder / commit(4)).write_text(json.dumps(removal) + "\n")
    os.utime(gone, (1.0, 1.0))
    assert look(folder).facts["table_readings"] == 1440
    assert told(look(folder)) == []
    DeltaTable(table).create_checkpoint()
    for version in range(5):
        (folder / commit(version)).unlink()
    assert told(look(folder)) == []


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    """Nothing is called fine that is not there."""
    with pytest.raises(NotFoundError, match="there is no store in"):
        look(tmp_path)
