"""Opens the ledger's database: SQLite settings for durability, and migrations before anything else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from opswm.errors import BadInputError, StoreError

_WRITES = "opswm_writes"


def open_database(url: str) -> Engine:
    """Open a database and bring it to the newest revision.

    SQLite runs in WAL mode with ``synchronous=FULL``, so a commit is on disk when it returns, and readers
    and the one writer do not block each other.

    Args:
        url: A SQLAlchemy URL, for instance ``sqlite:////var/lib/opswm/ledger.sqlite``.

    Raises:
        BadInputError: When the URL is none, or its driver is not installed.
        StoreError: When the database cannot be opened or is of a later revision than this software knows.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, ModuleNotFoundError) as problem:
        raise BadInputError(
            f"the ledger URL cannot be used: {problem}; give one such as 'sqlite:///ledger.sqlite'"
        ) from problem
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with writing(engine) as connection:
            _migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run a block as one transaction that may write; it commits at the end, or leaves no trace.

    On SQLite the write lock is taken at once, so two writers queue rather than fail half-way.

    Raises:
        StoreError: When the database cannot be read or written.
    """
    with _translated(engine), engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run a block against one consistent state of the database.

    Raises:
        StoreError: When the database cannot be read.
    """
    with _translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as problem:
        where = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"the ledger at {where} cannot be read or written: {problem}") from problem


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself; _begin_sqlite does
    cursor = connection.cursor()
    for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "opswm.store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as problem:
        raise StoreError(
            f"the ledger's database is of a revision this software does not know ({problem}); "
            "open it with the opswm that wrote it, or upgrade opswm"
        ) from problem
