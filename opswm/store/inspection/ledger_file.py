"""The ledger's file: whole, each document what its digest says, numbered within what was handed out."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import ValidationError

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
    """What the ledger's file says.

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
            tables = table_names(connection)
            if not {"systems", "descriptors"} <= tables:
                what = f"is no ledger of opswm: it has the tables {sorted(tables)}"
                state.findings.append(damage("ledger", file, what, _RESTORE))
                return state
            _read(connection, file, tables, state)
    except (sqlite3.Error, OSError) as problem_of_file:
        state.findings.append(damage("ledger", file, f"cannot be read: {problem_of_file}", _RESTORE))
    return state


def _read(connection: sqlite3.Connection, file: Path, tables: set[str], state: LedgerState) -> None:
    for table in _DOCUMENTS:
        if table in tables:
            state.findings += _documents(connection, file, table)
    for table in _NUMBERED:
        if table in tables:
            state.findings += _numbers(connection, file, table)
    for tenant, system, document in connection.execute(
        "SELECT tenant_id, system_id, document FROM descriptors ORDER BY tenant_id, system_id, revision"
    ):
        try:
            state.descriptors[SystemKey(tenant, system)] = SystemDescriptor.model_validate_json(document)
        except ValidationError as problem:
            what = f"the descriptor of {tenant}/{system} is not valid: {problem.errors()[0]['msg']}"
            state.findings.append(damage("ledger", file, what, _RESTORE))
    state.num_facts = connection.execute("SELECT count(*) FROM action_facts").fetchone()[0]
    state.num_events = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    state.findings += _early_events(connection)


def _documents(connection: sqlite3.Connection, file: Path, table: str) -> Iterator[Finding]:
    """Yield documents that are no JSON, and those that are not what their digest says."""
    is_digested = table == "action_facts"
    columns = "rowid, document" + (", asked, digest" if is_digested else "")
    for row, document, *told in connection.execute(f"SELECT {columns} FROM {table}"):
        where = f"{file}, table {table}, row {row}"
        try:
            json.loads(document)
        except (ValueError, TypeError) as problem:
            yield damage("ledger", where, f"the document is no JSON: {problem}", _RESTORE)
            continue
        if is_digested:
            asked, digest = told
            if sha256((("asked:" if asked else "") + document).encode()).hexdigest() != digest:
                yield damage("ledger", where, "the document is not the one its digest was taken of", _RESTORE)


def _numbers(connection: sqlite3.Connection, file: Path, table: str) -> Iterator[Finding]:
    """Yield systems whose facts have numbers that were never handed out."""
    for tenant, system, highest, handed_out in connection.execute(
        f"SELECT t.tenant_id, t.system_id, max(t.sequence), s.sequence FROM {table} t LEFT JOIN systems s "
        "ON s.tenant_id = t.tenant_id AND s.system_id = t.system_id GROUP BY t.tenant_id, t.system_id"
    ):
        if handed_out is None or highest > handed_out:
            what = f"table {table} has fact {highest} of {tenant}/{system}, and {handed_out or 0} were handed out"
            yield damage("ledger", file, what, _RESTORE)


def _early_events(connection: sqlite3.Connection) -> Iterator[Finding]:
    for tenant, system, count, most_us in connection.execute(
        "SELECT tenant_id, system_id, count(*), max(event_at_us - known_at_us) FROM events "
        "WHERE event_at_us - known_at_us > ? GROUP BY tenant_id, system_id",
        (_AHEAD_US,),
    ):
        what = f"{count} events were known up to {most_us / 1e6:.0f} s before they happened"
        yield warning("skew", f"{tenant}/{system}", what, "set the clock of what sends the events (NTP)")
