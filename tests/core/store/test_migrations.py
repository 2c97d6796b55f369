"""The packaged migrations lead to the tables the code uses, with what is in them, and back."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, column, insert, inspect, table, text

from opswm.errors import StoreError
from opswm.store.database import migrate, open_database, reading, write
from opswm.store.database_engines import make_engine
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import METADATA
from opswm_schemas.telemetry import Event
from tests.core.store.ledger_workers import PROCESSES, open_and_close
from tests.core.store.shop import SHOP, after, moved, scaling, shop
from tests.core.store.test_ledger import answer

KEY = {"tenant_id": "default", "system_id": "shop"}


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """An engine for a database without any table."""
    made = make_engine(empty_database_url)
    yield made
    made.dispose()


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    """After the last migration nothing differs between the database and the tables the code declares."""
    write(engine, migrate)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_migrations_go_back(engine: Engine) -> None:
    """Downgrading to the beginning leaves no table but Alembic's own."""

    def there_and_back(connection: Connection) -> list[str]:
        migrate(connection)
        assert "action_facts" in inspect(connection).get_table_names()
        config = Config()
        config.set_main_option("script_location", "opswm.store:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        inspect(connection).clear_cache()
        return inspect(connection).get_table_names()

    assert write(engine, there_and_back) == ["alembic_version"]


def fill(connection: Connection, name: str, *rows: dict[str, Any]) -> None:
    """Insert rows into a table as it is at a revision."""
    target = table(name, *(column(field) for field in (*KEY, *rows[0])))
    connection.execute(insert(target), [KEY | row for row in rows])


def of_revision(connection: Connection, revision: str) -> None:
    """Bring a database to an old revision and fill it as the software of that time did."""
    migrate(connection, revision)
    known = {"known_at_us": 0} if revision > "0001" else {}
    observed = {"asked": False, "approvals_needed": None} if revision > "0001" else {}
    document = shop().model_copy(update={"revision": 1}).model_dump_json()
    head = scaling("a1").model_dump_json()
    started = moved("started", 1).model_dump_json()
    event = Event.observed(after(3), event_id="e1", type="note", name="slow").model_dump_json()
    at_us = 1_709_640_000_000_000  # noon
    fact = {"action_id": "a1", **observed}
    fill(connection, "systems", {"sequence": 3})
    fill(connection, "descriptors", {"revision": 1, "digest": "d" * 64, "document": document, **known})
    fill(
        connection,
        "action_facts",
        {"sequence": 1, "kind": "transition", "known_at_us": at_us, "digest": "1", "document": started, **fact},
        {"sequence": 2, "kind": "record", "known_at_us": at_us, "digest": "2", "document": head, **fact},
    )
    times = {"event_at_us": at_us, "known_at_us": at_us}
    fill(connection, "events", {"event_id": "e1", "sequence": 3, **times, "document": event})
    decided = {"decided_at_us": at_us, "document": answer("d1").model_dump_json()}
    fill(connection, "decisions", {"decision_id": "d1", **decided})


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_what_an_older_revision_holds_is_read_by_the_newest(
    engine: Engine, empty_database_url: str, revision: str
) -> None:
    """Opening migrates; every fact of the time before is there, and further ones are numbered on."""
    write(engine, lambda connection: of_revision(connection, revision))
    ledger = SqlLedger.open(empty_database_url)
    assert ledger.descriptor(SHOP, as_of=after(-1e6)) == shop().model_copy(update={"revision": 1})
    assert ledger.actions(SHOP, after(9)) == [scaling("a1", moved("started", 1))]
    assert [event.event_id for event in ledger.events(SHOP, after(9))] == ["e1"]
    assert ledger.decision("d1") == answer("d1")
    ledger.record_transition(SHOP, "a1", moved("succeeded", 2))
    assert (ledger.sequence(SHOP), ledger.incidents(SHOP, after(9)), ledger.tokens.of_tenant("default")) == (4, [], [])
    ledger.close()


def test_a_migration_that_fails_half_way_leaves_the_revision_before(engine: Engine, empty_database_url: str) -> None:
    """Where a table of the new revision is in the way, nothing of it stays, and the old one can still be used."""
    write(engine, lambda connection: of_revision(connection, "0002"))
    write(engine, lambda connection: connection.execute(text("CREATE TABLE outcomes (colour INTEGER)")))
    with pytest.raises(StoreError, match="outcomes"):
        open_database(empty_database_url)
    with reading(engine) as connection:
        assert "incident_updates" not in inspect(connection).get_table_names()
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0002"
        assert connection.scalar(text("SELECT sequence FROM systems")) == 3


def test_several_workers_may_start_at_once(empty_database_url: str) -> None:
    """Of three processes that open a database without any table, one migrates and the others find it done."""
    start = PROCESSES.Barrier(3)
    workers = [PROCESSES.Process(target=open_and_close, args=(empty_database_url, start)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    engine = open_database(empty_database_url)
    with reading(engine) as connection:
        assert connection.scalars(text("SELECT version_num FROM alembic_version")).all() == ["0003"]
    engine.dispose()
