"""The ledger of a store, looked at through its database, of either kind."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from opswm.store.inspection.findings import Inspection
from opswm.store.inspection.inspect import inspect_store
from opswm.store.ledger import SqlLedger
from tests.core.store.inspection.stores import NOW, told
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
