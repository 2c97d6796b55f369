"""Engines for the databases a ledger may live in, set up so that a commit is on disk when it returns."""

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from opswm.errors import BadInputError

WRITES: Final = "opswm_writes"
"""Execution option of connections whose transaction may write."""

_EXAMPLE: Final = "'sqlite:///ledger.sqlite' or 'postgresql://opswm@localhost/opswm'"

_POSTGRESQL_POOL: Final[dict[str, Any]] = {
    "pool_size": 5,
    "max_overflow": 10,
    "pool_timeout": 30,  # seconds
    "pool_pre_ping": True,  # a connection that died while it lay idle is replaced, not handed out
    "pool_recycle": 1_800,  # seconds
}
"""Connections of one process: at most 15, which a server's ``max_connections`` has to allow for each worker."""

_POSTGRESQL_CONNECTION: Final[dict[str, Any]] = {
    "application_name": "opswm",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}

_POSTGRESQL_LIMITS: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "20s",
    # A recording's readings are written while its facts wait for the commit; longer than this is no work any more.
    "idle_in_transaction_session_timeout": "15min",
    "timezone": "UTC",
}


def make_engine(url: str) -> Engine:
    """Return an engine for a SQLite or PostgreSQL database; nothing is connected yet.

    SQLite runs in WAL mode with ``synchronous=FULL``; readers and the one writer do not block each other. On
    PostgreSQL the server's own ``synchronous_commit`` counts, except that ``off`` becomes ``on``.

    Args:
        url: A SQLAlchemy URL; ``postgresql://`` and ``postgres://`` mean the driver psycopg.

    Raises:
        BadInputError: When it is no URL, of another database, or its driver is not installed.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        import psycopg  # an embedded ledger needs no driver
    except ModuleNotFoundError as problem:
        raise BadInputError("a ledger on PostgreSQL needs 'psycopg': pip install 'opswm[postgres]'") from problem
    engine = create_engine(parsed, module=psycopg, connect_args=_POSTGRESQL_CONNECTION, **_POSTGRESQL_POOL)
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def is_postgresql(connection: Connection) -> bool:
    """Return whether a connection leads to PostgreSQL."""
    return connection.dialect.name == "postgresql"


def shown(engine: Engine) -> str:
    """Return where an engine leads, without its password."""
    return engine.url.render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgresql", "postgres"):
        url = f"postgresql+psycopg{separator}{rest}"
    try:
        parsed = make_url(url)
        supported = parsed.get_backend_name() == "sqlite" or parsed.drivername == "postgresql+psycopg"
    except (ArgumentError, NoSuchModuleError, ValueError) as problem:
        # The text of the problem may repeat the URL with its password.
        raise BadInputError(f"the ledger URL cannot be used: it is none; give one such as {_EXAMPLE}") from problem
    if not supported:
        raise BadInputError(
            f"the ledger URL cannot be used: {parsed.drivername!r} is not supported; give one such as {_EXAMPLE}"
        )
    return parsed


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself; _begin_sqlite does
    cursor = connection.cursor()
    for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        for name, value in _POSTGRESQL_LIMITS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()
