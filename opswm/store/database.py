"""The ledger's database: transactions that happen whole or not at all, and migrations before anything else."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from opswm.errors import StoreError
from opswm.store.database_engines import WRITES, is_postgresql, make_engine, shown

Result = TypeVar("Result")

ATTEMPTS: Final = 8
"""How often a transaction that lost a race is begun anew."""

_PAUSE_S: Final = 0.01
_CHANCE: Final = random.SystemRandom()
"""Not the random numbers of the process, whose order belongs to whoever seeded them."""

_LOST_RACES: Final = frozenset({"40001", "40P01", "23505"})
"""SQLSTATEs after which the same work may succeed: serialisation failure, deadlock, and a unique constraint that
decided between two writers, whose loser then finds what the winner wrote."""

_MIGRATIONS_LOCK: Final = 0x6F70_7377_6D
"""Key of the advisory lock under which one of several starting workers migrates."""


def open_database(url: str) -> Engine:
    """Open a database and bring it to the newest revision; several may do so at once.

    Args:
        url: A SQLAlchemy URL, for instance ``sqlite:////var/lib/opswm/ledger.sqlite`` or
            ``postgresql://opswm@localhost/opswm``.

    Raises:
        BadInputError: When the URL is none, of a database that is not supported, or its driver is not installed.
        StoreError: When the database cannot be opened or is of a later revision than this software knows.
    """
    engine = make_engine(url)
    try:
        write(engine, migrate)
    except BaseException:
        engine.dispose()
        raise
    return engine


def write(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Do work as one transaction: when this returns it is on disk, and when it raises, nothing of it stays.

    On SQLite the write lock is taken at once, so two writers queue rather than fail half-way. On PostgreSQL work
    locks the rows of its systems; where a race is lost all the same, it is begun anew after a short random pause.

    Args:
        engine: The database.
        work: Reads and writes over the connection; what it does elsewhere it must be able to do twice.

    Raises:
        StoreError: When the database cannot be read or written, or the connection was lost.
        Exception: Whatever ``work`` raises.
    """
    for attempt in range(ATTEMPTS):
        time.sleep(_CHANCE.uniform(0.0, _PAUSE_S * (2**attempt - 1)))
        try:
            return _write_once(engine, work)
        except DBAPIError as problem:
            if getattr(problem.orig, "sqlstate", None) not in _LOST_RACES:
                raise _failure(engine, problem) from problem
            lost = problem
        except SQLAlchemyError as problem:
            raise _failure(engine, problem) from problem
    raise StoreError(
        f"the ledger at {shown(engine)} is too busy: {ATTEMPTS} attempts lost against other writers, and nothing is "
        f"stored; try again ({lost.orig})"
    ) from lost


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run a block against one consistent state of the database.

    Raises:
        StoreError: When the database cannot be read.
    """
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as problem:
        raise _failure(engine, problem) from problem


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring a database to a revision, alone.

    Args:
        connection: In a transaction that may write.
        revision: Which; the newest where left out.

    Raises:
        StoreError: When it is of a later revision than this software knows, or does not hold UTF-8.
    """
    if is_postgresql(connection):
        if (encoding := connection.scalar(text("SHOW server_encoding"))) != "UTF8":
            raise StoreError(f"the ledger's database is encoded as {encoding}; create it with ENCODING 'UTF8'")
        # Others wait here until the one that migrates has committed; a large ledger takes longer than any question.
        connection.execute(text("SET LOCAL statement_timeout = '1h'"))
        connection.execute(text("SET LOCAL lock_timeout = '1h'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATIONS_LOCK})
    config = Config()
    config.set_main_option("script_location", "opswm.store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as problem:
        raise StoreError(
            f"the ledger's database is of a revision this software does not know ({problem}); "
            "open it with the opswm that wrote it, or upgrade opswm"
        ) from problem


def _write_once(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    options: dict[str, Any] = {WRITES: True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "READ COMMITTED"  # behind a row lock, what the holder before committed is seen
    done = False
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            result = work(connection)
            done = True
        return result
    except DBAPIError as problem:
        if done and problem.connection_invalidated:
            raise StoreError(
                f"the connection to the ledger at {shown(engine)} was lost while it committed, so all is stored or "
                "nothing; send it again, the same fact twice is one"
            ) from problem
        raise


def _failure(engine: Engine, problem: SQLAlchemyError) -> StoreError:
    return StoreError(f"the ledger at {shown(engine)} cannot be read or written: {problem}")
