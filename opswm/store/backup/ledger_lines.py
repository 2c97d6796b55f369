"""A ledger as JSON Lines, one file per table: the same bytes whichever database holds it."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Select,
    String,
    Table,
    collate,
    insert,
    inspect,
    select,
    text,
)

from opswm.errors import StoreError
from opswm.store.database_engines import is_postgresql
from opswm.store.ledger_tables import METADATA

_AT_ONCE: Final = 500


def read_revision(connection: Connection) -> str | None:
    """Return the revision of a ledger's database, None where there is no ledger in it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_empty(connection: Connection) -> bool:
    """Return whether a database has none of a ledger's tables."""
    return not {"alembic_version", *METADATA.tables} & set(inspect(connection).get_table_names())


def ledger_tables(connection: Connection) -> list[Table]:
    """Return the ledger's tables as they are in the database, whatever its revision, by name."""
    there = set(inspect(connection).get_table_names()) & set(METADATA.tables)
    found = MetaData()
    found.reflect(connection, only=sorted(there))
    return sorted(found.tables.values(), key=lambda table: table.name)


def read_lines(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield every row as a line, in the order of the table's key."""
    rows = connection.execute(_in_order(connection, table), execution_options={"yield_per": _AT_ONCE})
    for row in rows.mappings():
        yield json.dumps(dict(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def write_lines(connection: Connection, table: Table, lines: Iterable[bytes]) -> int:
    """Insert rows and return how many.

    Raises:
        StoreError: When a line is no row of the table.
    """
    count, rest = 0, iter(lines)
    names = {column.name for column in table.columns}
    while some := [json.loads(line) for line in islice(rest, _AT_ONCE)]:
        if any(not isinstance(row, dict) or row.keys() != names for row in some):
            raise StoreError(f"the backup's rows of table {table.name!r} do not have its columns {sorted(names)}")
        connection.execute(insert(table), some)
        count += len(some)
    return count


def _in_order(connection: Connection, table: Table) -> Select[*tuple[Any, ...]]:
    key: list[ColumnElement[Any]] = [
        # SQLite compares text byte by byte; so does PostgreSQL when it is told.
        collate(column, "C") if is_postgresql(connection) and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]
    return select(table).order_by(*key)
