"""What other processes do to a ledger in the tests: they race, and they are killed at labelled points."""

import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from typing import Any, Final, Literal, get_args

from sqlalchemy import Engine, event

from opswm.errors import BadInputError
from opswm.store.database import open_database
from opswm.store.ledger import SqlLedger
from opswm_schemas.actions.record import Approval
from tests.core.store.shop import SHOP, after, moved, scaling, shop

PROCESSES: Final = multiprocessing.get_context("forkserver")
"""Starts processes that share nothing with the test's, from one that has imported the ledger already."""
PROCESSES.set_forkserver_preload(["tests.core.store.ledger_workers"])

Point = Literal["begin", "locked", "numbered", "inserted", "commit", "committed"]
"""Where a writer may be killed: before its transaction begins, with the system locked, with a number taken, with a
fact inserted, when all is done but the commit, and when the commit has returned."""

POINTS: Final[tuple[Point, ...]] = get_args(Point)


def open_and_close(url: str, start: Barrier) -> None:
    """Open a database, all processes at once."""
    start.wait(60)
    open_database(url).dispose()


def race(url: str, worker: int, start: Barrier, count: int) -> None:
    """Register, record, approve and answer as the other worker does at the same moment."""
    ledger = SqlLedger.open(url)
    start.wait(60)
    ledger.register(shop())
    for number in range(count):
        ledger.record_action(scaling(f"own-{worker}-{number}", moved("started", number)))
        ledger.record_action(scaling(f"shared-{number}", moved("started", number), moved("succeeded", number + worker)))
        with suppress(BadInputError):  # the other worker was first
            ledger.request_action(scaling(f"asked-{number}", moved("proposed", number)), approvals_needed=2)
        word = Approval.observed(after(number), decision="approved", responder=f"approver-{worker}")
        ledger.respond(SHOP, f"asked-{number}", word)
    ledger.close()


def record_until_killed(url: str, point: Point, acknowledged: str) -> None:
    """Record an action, write down that it was acknowledged, record another, and be killed in the middle of that."""
    ledger = SqlLedger.open(url)
    ledger.record_action(scaling("a1", moved("started", 1)))
    with open(acknowledged, "a", encoding="utf-8") as file:
        file.write("a1\n")
    _kill_at(point)
    ledger.record_action(scaling("a2", moved("started", 2), moved("succeeded", 3)))
    if point == "committed":
        _die()


def record_for_ever(url: str, acknowledged: str, prefix: str) -> None:
    """Record one action of two facts after the other, and write down each that was acknowledged."""
    ledger = SqlLedger.open(url)
    with open(acknowledged, "a", encoding="utf-8") as file:
        for number in range(1_000_000):
            ledger.record_action(scaling(f"{prefix}-{number}", moved("started", 1), moved("succeeded", 2)))
            file.write(f"{prefix}-{number}\n")
            file.flush()


def _kill_at(point: Point) -> None:
    def on_begin(_connection: Any) -> None:
        if point == "begin":
            _die()

    def on_commit(_connection: Any) -> None:
        if point == "commit":
            _die()

    def on_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen = {"SELECT systems.sequence": "locked", "UPDATE systems": "numbered", "INSERT INTO action_": "inserted"}
        if any(statement.startswith(beginning) and label == point for beginning, label in seen.items()):
            _die()

    event.listen(Engine, "begin", on_begin)
    event.listen(Engine, "commit", on_commit)
    event.listen(Engine, "after_cursor_execute", on_statement)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
