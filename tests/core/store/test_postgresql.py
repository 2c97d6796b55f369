"""PostgreSQL's own ways to fail: races, deadlocks, lost connections, slow statements, a server that crashes."""

import signal
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text

from opswm.errors import StoreError
from opswm.store.database import ATTEMPTS, open_database, reading, write
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import SYSTEMS
from tests.core.store.ledger_workers import PROCESSES, record_for_ever
from tests.core.store.shop import SHOP, after, moved, scaling, shop
from tests.postgresql import installed


def test_the_loser_of_a_race_to_register_finds_what_the_winner_wrote(postgresql: str) -> None:
    """Two first registrations at once: the unique key decides, and the other becomes the second revision."""
    ledger, other = SqlLedger.open(postgresql), SqlLedger.open(postgresql)
    seen: list[int] = []

    def overtake(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO systems") and not seen:
            seen.append(0)
            seen.append(other.register(shop(description="other")).revision)

    event.listen(Engine, "before_cursor_execute", overtake)
    try:
        mine = ledger.register(shop(description="mine"))
    finally:
        event.remove(Engine, "before_cursor_execute", overtake)
    assert (seen, mine.revision) == ([0, 1], 2)
    assert [ledger.descriptor(SHOP, revision).description for revision in (1, 2)] == ["other", "mine"]
    ledger.close()
    other.close()


def test_work_that_goes_on_losing_is_given_up(postgresql: str) -> None:
    """A bounded number of attempts, then an error that says nothing was stored."""
    engine = open_database(postgresql)
    tried: list[int] = []

    def lose(connection: Any) -> None:
        tried.append(1)
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(StoreError, match=f"{ATTEMPTS} attempts lost against other writers, and nothing is stored"):
        write(engine, lose)
    assert len(tried) == ATTEMPTS
    engine.dispose()


def test_two_writers_that_wait_for_each_other_both_end(postgresql: str) -> None:
    """Of a deadlock the server lets one go on, and the other begins anew."""
    ledger = SqlLedger.open(postgresql)
    for name in ("east", "west"):
        ledger.register(shop(name))
    engine = open_database(postgresql)
    has_first, attempts = [Flag(), Flag()], [0, 0]

    def count(me: int, order: tuple[str, str]) -> None:
        def work(connection: Any) -> None:
            attempts[me] += 1
            for place, name in enumerate(order):
                counted = SYSTEMS.update().where(SYSTEMS.c.system_id == name)
                connection.execute(counted.values(sequence=SYSTEMS.c.sequence + 1))
                if place == 0:
                    has_first[me].set()
                    has_first[1 - me].wait(30)

        write(engine, work)

    threads = [Thread(target=count, args=(0, ("east", "west"))), Thread(target=count, args=(1, ("west", "east")))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with reading(engine) as connection:
        assert connection.scalars(select(SYSTEMS.c.sequence)).all() == [2, 2]
    assert sorted(attempts) == [1, 2]
    engine.dispose()
    ledger.close()


@pytest.mark.parametrize("when", ["working", "committing"])
def test_a_lost_connection_leaves_nothing_and_the_next_call_works(postgresql: str, when: str) -> None:
    """A connection that breaks in the middle is an error of the store; nothing is half there, and a new one is made."""
    ledger = SqlLedger.open(postgresql)
    ledger.register(shop())
    admin = open_database(postgresql)

    def cut() -> None:
        mine = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
        with reading(admin) as connection:
            assert connection.execute(mine).all()

    def cut_at_the_end(connection: Any) -> None:
        connection.execute(SYSTEMS.update().values(sequence=99))
        cut()
        ledger.actions(SHOP, after(0))  # another connection is not concerned

    actions = [scaling("a1", moved("started", 1))]
    if when == "committing":
        with pytest.raises(StoreError, match="lost while it committed, so all is stored or nothing"):
            write(ledger._engine, cut_at_the_end)
    else:

        def broken(connection: Any) -> None:
            connection.execute(SYSTEMS.update().values(sequence=99))
            cut()
            connection.execute(SYSTEMS.update().values(sequence=100))

        with pytest.raises(StoreError, match="cannot be read or written"):
            write(ledger._engine, broken)
    assert (ledger.actions(SHOP, after(9)), ledger.sequence(SHOP)) == ([], 0)
    assert ledger.record_actions(actions) == actions
    ledger.close()
    admin.dispose()


def test_a_statement_that_takes_too_long_is_ended(postgresql: str) -> None:
    """No statement holds a worker for ever: the server ends it, and the ledger says so."""
    engine = open_database(postgresql)

    def wait(connection: Any) -> None:
        assert connection.scalar(text("SHOW statement_timeout")) == "30s"
        assert connection.scalar(text("SHOW lock_timeout")) == "20s"
        connection.execute(text("SET LOCAL statement_timeout = '20ms'"))
        connection.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(StoreError, match="statement timeout"):
        write(engine, wait)
    engine.dispose()


@pytest.mark.slow
def test_a_server_that_crashes_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """The server dies under load without writing anything more; what it had acknowledged is there when it is back."""
    acknowledged = tmp_path / "acknowledged"
    with installed() as installation:
        url = installation.start().url("postgres")
        ledger = SqlLedger.open(url)
        ledger.register(shop())
        for turn in range(3):
            worker = PROCESSES.Process(target=record_for_ever, args=(url, str(acknowledged), f"w{turn}"))
            worker.start()
            while not acknowledged.exists() or acknowledged.read_text().count(f"w{turn}-") < 20:
                assert worker.is_alive()
            installation.crash()
            worker.join(60)
            assert worker.exitcode not in (0, -signal.SIGKILL)  # it ended with the error of its ledger
            with pytest.raises(StoreError, match="cannot be read or written"):
                ledger.actions(SHOP, after(9))
            installation.start()
            found = {action.action_id: len(action.transitions) for action in ledger.actions(SHOP, after(9))}
            assert set(acknowledged.read_text().split()) <= found.keys()
            assert set(found.values()) == {2}
        ledger.close()
