"""The database under the ledger: several writers, several openings, and databases that are none."""

import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from opswm.errors import BadInputError, StoreError
from opswm.store.database import open_database, reading
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import ACTION_FACTS
from tests.core.store.shop import SHOP, after, moved, scaling, shop


def test_sequences_have_no_gap_under_concurrent_writers(ledger: SqlLedger, database_url: str) -> None:
    """Two ledgers on one database, four threads: every fact has its own number, and none is lost."""
    other = SqlLedger.open(database_url)

    def record(number: int) -> None:
        (ledger if number % 2 else other).record_action(scaling(f"a{number}", moved("started", number)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(24)))
    other.close()
    assert len(ledger.actions(SHOP, after(100))) == 24
    assert ledger.sequence(SHOP) == 48
    engine = open_database(database_url)
    with reading(engine) as connection:
        numbers = list(connection.scalars(select(ACTION_FACTS.c.sequence).order_by(ACTION_FACTS.c.sequence)))
    engine.dispose()
    assert numbers == list(range(1, 49))


def test_it_survives_closing(ledger: SqlLedger, database_url: str) -> None:
    """What was recorded is there when the database is opened again."""
    ledger.record_action(scaling("a1", moved("started", 1)))
    ledger.close()
    again = SqlLedger.open(database_url)
    assert [action.action_id for action in again.actions(SHOP, after(1))] == ["a1"]
    again.close()


def foreign(path: Path) -> None:
    """Write a database of a revision nobody knows."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.commit()
    database.close()


def garbage(path: Path) -> None:
    """Write what is no database."""
    path.write_bytes(b"not a database at all, not even close" * 100)


@pytest.mark.parametrize(
    ("spoil", "message"), [(foreign, "revision this software does not know"), (garbage, "cannot be read")]
)
def test_a_foreign_or_broken_database_is_refused(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    """A later revision or a corrupt file is an error that says so, and the file is left alone."""
    path = tmp_path / "ledger.sqlite"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message):
        SqlLedger.open(f"sqlite:///{path}")
    assert path.read_bytes()[100:] == before[100:]  # SQLite's header has 100 bytes, with a counter of openings


@pytest.mark.parametrize(
    "url", ["nonsense", "mysterydb://host/name", "mysql://root:secret@host/name", "postgresql+pg8000://host/name"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    """A string that is no URL, or names a database nobody knows, is bad input."""
    with pytest.raises(BadInputError, match="ledger URL cannot be used") as refused:
        SqlLedger.open(url)
    assert "secret" not in str(refused.value)


def test_without_its_driver_postgresql_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psycopg is not installed, the extra that brings it is named."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadInputError, match=r"needs 'psycopg': pip install 'opswm\[postgres\]'"):
        SqlLedger.open("postgresql://opswm@127.0.0.1:1/opswm")


def test_a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    """When the file can grow no more a fact is refused whole; what was there stays, and with room it goes on."""
    ledger = SqlLedger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.register(shop())
    room = [0]

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + room[0]}")

    event.listen(ledger._engine, "begin", limit)
    numbers = count()

    def fill() -> None:
        for number in numbers:
            ledger.record_action(scaling(f"a{number}", moved("started", 1), moved("succeeded", 2)))

    with pytest.raises(StoreError, match="full"):
        fill()
    stored = next(numbers) - 1
    found = {action.action_id: len(action.transitions) for action in ledger.actions(SHOP, after(9))}
    assert stored > 0
    assert found == {f"a{number}": 2 for number in range(stored)}
    room[0] = 100
    assert ledger.record_action(scaling(f"a{stored}", moved("started", 1))).status == "started"
    assert ledger.sequence(SHOP) == 3 * stored + 2
    ledger.close()


@pytest.mark.parametrize("url", ["postgresql://opswm:hunter2@127.0.0.1:1/opswm", "sqlite:////proc/ledger.sqlite"])
def test_a_database_that_cannot_be_reached_is_an_error_without_its_password(url: str) -> None:
    """Nobody listens, or no file can be made: an error of the store that names the place."""
    with pytest.raises(StoreError, match="cannot be read or written") as refused:
        SqlLedger.open(url)
    assert "hunter2" not in str(refused.value)
