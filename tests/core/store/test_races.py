"""Several processes write one ledger, and some of them die: nothing acknowledged is lost, nothing is there in part."""

import random
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from opswm.clock import FixedClock
from opswm.store.database import open_database, reading
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import ACTION_FACTS, SYSTEMS
from tests.core.store.ledger_workers import POINTS, PROCESSES, Point, race, record_for_ever, record_until_killed
from tests.core.store.shop import SHOP, after, moved, scaling, shop

COUNT = 12


def numbers(url: str) -> tuple[int, list[int]]:
    """Return the last number that was handed out, and those that facts bear."""
    engine = open_database(url)
    with reading(engine) as connection:
        facts = connection.scalars(select(ACTION_FACTS.c.sequence).order_by(ACTION_FACTS.c.sequence)).all()
        last = connection.scalars(select(SYSTEMS.c.sequence)).one()
    engine.dispose()
    return last, list(facts)


def test_two_workers_race_and_agree(database_url: str) -> None:
    """Two processes register, record, request and approve the same at once: each thing is there once, in one order."""
    start = PROCESSES.Barrier(2)
    workers = [PROCESSES.Process(target=race, args=(database_url, worker, start, COUNT)) for worker in (1, 2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(120)
    assert [each.exitcode for each in workers] == [0, 0]
    ledger = SqlLedger.open(database_url)
    assert ledger.descriptor(SHOP).revision == 1
    found = {action.action_id: action for action in ledger.actions(SHOP, after(1_000))}
    ledger.close()
    assert len(found) == 4 * COUNT
    for number in range(COUNT):
        assert len(found[f"shared-{number}"].transitions) == 3
        asked = found[f"asked-{number}"]
        assert sorted(word.responder for word in asked.approvals) == ["approver-1", "approver-2"]
        assert [fact.status for fact in asked.transitions] == ["proposed", "approved"]
    last, facts = numbers(database_url)
    assert facts == list(range(1, last + 1))


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_writer_leaves_all_or_nothing(
    ledger: SqlLedger, database_url: str, point: Point, tmp_path: Path
) -> None:
    """What was acknowledged is there, what was not is there whole or not at all, and the next writer goes on."""
    acknowledged = tmp_path / "acknowledged"
    worker = PROCESSES.Process(target=record_until_killed, args=(database_url, point, str(acknowledged)))
    worker.start()
    worker.join(120)
    assert worker.exitcode == -signal.SIGKILL
    assert acknowledged.read_text(encoding="utf-8") == "a1\n"
    found = {action.action_id: len(action.transitions) for action in ledger.actions(SHOP, after(9))}
    assert found == ({"a1": 1, "a2": 2} if point == "committed" else {"a1": 1})
    ledger.record_action(scaling("a3", moved("started", 4)))
    last, facts = numbers(database_url)
    assert facts == list(range(1, last + 1))


@pytest.mark.slow
def test_writers_killed_at_any_moment_lose_nothing(ledger: SqlLedger, database_url: str, tmp_path: Path) -> None:
    """A hundred writers, two at a time, each killed at a random moment: all that was acknowledged is there, whole."""
    moments = random.Random(7)
    acknowledged = tmp_path / "acknowledged"
    for turn in range(50):
        given = [(database_url, str(acknowledged), f"w{turn}-{each}") for each in range(2)]
        workers = [PROCESSES.Process(target=record_for_ever, args=arguments) for arguments in given]
        for worker in workers:
            worker.start()
        before = acknowledged.stat().st_size if acknowledged.exists() else 0
        while not acknowledged.exists() or acknowledged.stat().st_size == before:
            assert any(worker.is_alive() for worker in workers)
        for worker in workers:
            time.sleep(moments.uniform(0.0, 0.1))
            worker.kill()
        for worker in workers:
            worker.join()
            assert worker.exitcode == -signal.SIGKILL
    found = {action.action_id: len(action.transitions) for action in ledger.actions(SHOP, after(9))}
    told = acknowledged.read_text(encoding="utf-8").split()
    assert len(told) >= 50
    assert set(told) <= found.keys()
    assert len(found) - len(told) <= 100  # of each that was killed, at most the one it was about
    assert set(found.values()) == {2}
    last, facts = numbers(database_url)
    assert facts == list(range(1, last + 1))


# ------------------------------------------------------------------------------------------------------- clocks
def test_a_clock_that_steps_back_changes_nothing_that_was_known(database_url: str) -> None:
    """A revision registered by an earlier clock is known no sooner than the one before it: readings as of then stay."""
    for second, description in ((20, "one"), (30, "two")):
        ledger = SqlLedger.open(database_url, FixedClock(after(second)))
        ledger.register(shop(description=description))
        ledger.close()
    stepped_back = SqlLedger.open(database_url, FixedClock(after(10)))
    before = [stepped_back.descriptor(SHOP, as_of=after(second)).description for second in (10, 20, 29)]
    assert stepped_back.register(shop(description="three")).revision == 3
    assert [stepped_back.descriptor(SHOP, as_of=after(second)).description for second in (10, 20, 29)] == before
    assert stepped_back.descriptor(SHOP).description == "three"
    assert stepped_back.descriptor(SHOP, as_of=after(30)).description == "three"
    stepped_back.close()
