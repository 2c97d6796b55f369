"""The ledger, in a file or a database server: whole, documents what their digests say, numbers as handed out."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import inspect

from opswm.errors import StoreError
from opswm.store.database import reading
from opswm.store.database_engines import make_engine, shown
from opswm.store.inspection.findings import Finding, damage, warning
from opswm.store.inspection.sqlite_read_only import integrity_problem, read_only, table_names
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey

_NUMBERED: Final = ("action_facts", "events", "incident_updates", "outcomes")
_DOCUMENTS: Final = ("descriptors", "decisions", *_NUMBERED)
_AHEAD_US: Final = 1_000_000
_RESTORE: Final = "restore the ledger from a backup; what was decided and approved stands nowhere else"


@dataclass
class LedgerState:
    """What the ledger says.

    Attributes:
        descriptors: The latest revision of each system.
        findings: What is wrong.
        num_facts: Facts about actions.
        num_events: Events.
    """

    descriptors: dict[SystemKey, SystemDescriptor] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    num_facts: int = 0
    num_events: int = 0


Query = Callable[[str], Iterable[Sequence[Any]]]
"""Runs a statement that both kinds of database understand, and returns its rows."""


def inspect_ledger(file: Path) -> LedgerState:
    """Look at a ledger in SQLite, and change nothing.

    Args:
        file: The file, which is there.
    """
    state = LedgerState()
    try:
        with read_only(file) as connection:
            problem = integrity_problem(connection)
            if problem is not None:
                state.findings.append(damage("ledger", file, f"SQLite's integrity check: {problem}", _RESTORE))
            _look(connection.execute, str(file), table_names(connection), state)
    except (sqlite3.Error, OSError) as problem_of_file:
        state.findings.append(damage("ledger", file, f"cannot be read: {problem_of_file}", _RESTORE))
    return state


def inspect_database(url: str) -> LedgerState:
    """Look at a ledger in a database server, and change nothing; its pages are the server's own affair.

    Args:
        url: Of the database.

    Raises:
        BadInputError: When the URL cannot be used.
    """
    state, engine = LedgerState(), make_engine(url)
    where = shown(engine)
    try:
        with reading(engine) as connection:
            tables = set(inspect(connection).get_table_names())
            _look(lambda statement: connection.exec_driver_sql(statement), where, tables, state)
    except StoreError as problem:
        state.findings.append(damage("ledger", where, f"cannot be read: {problem}", _RESTORE))
    finally:
        engine.dispose()
    return state


def _look(query: Query, where: str, tables: set[str], state: LedgerState) -> None:
    if not {"systems", "descriptors"} <= tables:
        what = f"is no ledger of opswm: it has the tables {sorted(tables)}"
        state.findings.append(damage("ledger", where, what, _RESTORE))
        return
    for table in _DOCUMENTS:
        if table in tables:
            state.findings += _documents(query, where, table)
    for table in _NUMBERED:
        if table in tables:
            state.findings += _numbers(query, where, table)
    for tenant, system, document in query(
        "SELECT tenant_id, system_id, document FROM descriptors ORDER BY tenant_id, system_id, revision"
    ):
        try:
            state.descriptors[SystemKey(tenant, system)] = SystemDescriptor.model_validate_json(document)
        except ValidationError as problem:
            what = f"the descriptor of {tenant}/{system} is not valid: {problem.errors()[0]['msg']}"
            state.findings.append(damage("ledger", where, what, _RESTORE))
    for fact in query("SELECT count(*) FROM action_facts"):
        state.num_facts = fact[0]
    for event in query("SELECT count(*) FROM events"):
        state.num_events = event[0]
    state.findings += _early_events(query)


def _documents(query: Query, ledger: str, table: str) -> Iterator[Finding]:
    """Yield documents that are no JSON, and those that are not what their digest says."""
    is_digested = table == "action_facts"
    columns = "document" + (", asked, digest" if is_digested else "")
    for row, (document, *told) in enumerate(query(f"SELECT {columns} FROM {table}"), start=1):
        where = f"{ledger}, table {table}, row {row}"
        try:
            json.loads(document)
        except (ValueError, TypeError) as problem:
            yield damage("ledger", where, f"the document is no JSON: {problem}", _RESTORE)
            continue
        if is_digested:
            asked, digest = told
            if sha256((("asked:" if asked else "") + document).encode()).hexdigest() != digest:
                yield damage("ledger", where, "the document is not the one its digest was taken of", _RESTORE)


def _numbers(query: Query, ledger: str, table: str) -> Iterator[Finding]:
    """Yield systems whose facts have numbers that were never handed out."""
    for tenant, system, highest, handed_out in query(
        f"SELECT t.tenant_id, t.system_id, max(t.sequence), s.sequence FROM {table} t LEFT JOIN systems s "
        "ON s.tenant_id = t.tenant_id AND s.system_id = t.system_id GROUP BY t.tenant_id, t.system_id, s.sequence"
    ):
        if handed_out is None or highest > handed_out:
            what = f"table {table} has fact {highest} of {tenant}/{system}, and {handed_out or 0} were handed out"
            yield damage("ledger", ledger, what, _RESTORE)


def _early_events(query: Query) -> Iterator[Finding]:
    for tenant, system, count, most_us in query(
        "SELECT tenant_id, system_id, count(*), max(event_at_us - known_at_us) FROM events "
        f"WHERE event_at_us - known_at_us > {_AHEAD_US} GROUP BY tenant_id, system_id"
    ):
        what = f"{count} events were known up to {most_us / 1e6:.0f} s before they happened"
        yield warning("skew", f"{tenant}/{system}", what, "set the clock of what sends the events (NTP)")
