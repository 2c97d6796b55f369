"""The ledger of a store, looked at through its database, of either kind."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from opswm.store.inspection.findings import Inspection
from opswm.store.inspection.inspect import inspect_store
from opswm.store.layout import LEDGER_FILE
from opswm.store.ledger import SqlLedger
from tests.core.store.inspection.stores import NOW, former_store, look, only, told, whole_store
from tests.core.store.shop import moved, scaling, shop


@pytest.fixture
def look_at(database_url: str, tmp_path: Path) -> tuple[str, Path]:
    """A database with a ledger that knows the shop and one action, and a folder with nothing wrong in it."""
    ledger = SqlLedger.open(database_url)
    ledger.register(shop())
    ledger.record_action(scaling("a1", moved("started", 1.0)))
    ledger.close()
    folder = tmp_path / "data"
    (folder / "tables" / "metrics").mkdir(parents=True)
    return database_url, folder


def inspected(url: str, folder: Path) -> Inspection:
    """Return what is found."""
    return inspect_store(folder, NOW, database=url)


def spoil(url: str, statement: str) -> None:
    """Change what the ledger holds behind its back."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_whole_ledger_is_no_finding(look_at: tuple[str, Path]) -> None:
    """Systems and facts are counted, and nothing is called damaged or missing."""
    found = inspected(*look_at)
    assert [pair for pair in told(found) if pair[1] == "ledger"] == []
    assert (found.facts["systems"], found.facts["action_facts"]) == (1, 2)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE action_facts SET document = replace(document, 'started', 'succeeded')", "digest"),
        ("UPDATE systems SET sequence = 1", "were handed out"),
        ("UPDATE descriptors SET document = replace(document, 'web.rps', '')", "is not valid"),
        ("DROP TABLE descriptors", "is no ledger of opswm"),
    ],
)
def test_damage_is_found_in_either_database(look_at: tuple[str, Path], statement: str, words: str) -> None:
    """Changed documents, numbers nobody handed out and foreign tables are told, without the password."""
    url, folder = look_at
    spoil(url, statement)
    damage = [one for one in inspected(url, folder).findings if (one.severity, one.check) == ("damage", "ledger")]
    assert len(damage) == 1
    assert words in damage[0].what


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    """A server that does not answer is damage with a place, and its password is not shown."""
    (tmp_path / "tables" / "metrics").mkdir(parents=True)
    found = inspected("postgresql://opswm:s3cret@127.0.0.1:1/opswm", tmp_path)
    finding = next(one for one in found.findings if one.check == "ledger")
    assert "cannot be read" in finding.what
    assert "s3cret" not in f"{finding.where} {finding.what}"


def test_a_ledger_that_was_a_file_is_missed(tmp_path: Path) -> None:
    """What SQLite left beside it, or a table of opswm 0.1, which knew no other kind, tells that it is lost."""
    crashed, former = whole_store(tmp_path / "crashed"), former_store(tmp_path / "former")
    (crashed / f"{LEDGER_FILE}-wal").touch()
    for folder, sign in ((crashed, f"{LEDGER_FILE}-wal"), (former, "metrics")):
        (folder / LEDGER_FILE).unlink()
        found = only(look(folder))
        assert (found.severity, found.check, found.where) == ("damage", "ledger", str(folder / LEDGER_FILE))
        assert f"it was a file, for {sign} is there" in found.what
        assert "backup" in found.remedy


def test_a_ledger_that_may_be_in_a_database_is_asked_for(tmp_path: Path) -> None:
    """Where nothing tells that there was a file, a store is not called damaged for keeping its ledger elsewhere."""
    folder = whole_store(tmp_path / "store")
    (folder / LEDGER_FILE).unlink()
    found = only(look(folder))
    assert (found.severity, found.check, found.where) == ("warning", "ledger", str(folder / LEDGER_FILE))
    assert "--database" in found.remedy
