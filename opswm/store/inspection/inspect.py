"""A store in a folder, looked at whole without changing anything."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from opswm.errors import NotFoundError, StoreError
from opswm.store.inspection.findings import Finding, Inspection, damage, warning
from opswm.store.inspection.ledger_state import LedgerState, inspect_database, inspect_ledger
from opswm.store.inspection.log_state import LogState, inspect_lag, inspect_log
from opswm.store.inspection.readings import Thresholds, inspect_readings
from opswm.store.inspection.recent import recent_times
from opswm.store.inspection.table_files import TableState, inspect_table
from opswm.store.layout import FORMER_TABLE, LEDGER_FILE, LOG_FILE, METRICS_TABLE
from opswm.store.tables.kept import Kept, read_kept
from opswm.store.tables.layout import OWN_FOLDER

_KEPT_FILE: Final = "kept.json"
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite leaves beside a file that was not closed."""


def inspect_store(
    folder: Path,
    now: datetime,
    thresholds: Thresholds | None = None,
    *,
    database: str | None = None,
    is_thorough: bool = True,
    advance: Callable[[str], None] = lambda what: None,
) -> Inspection:
    """Look at ledger, ingest log, table and readings of a store, and change nothing.

    Args:
        folder: The store.
        now: Of this machine.
        thresholds: What counts as odd in readings.
        database: URL of the ledger's database; a file in the folder where left out.
        is_thorough: Whether to read every value of the table, rather than the files' footers.
        advance: Told what is looked at.

    Raises:
        NotFoundError: When there is no store.
        BadInputError: When the URL cannot be used.
    """
    limits = thresholds or Thresholds()
    log_file = folder / LOG_FILE
    if not any((folder / name).exists() for name in (LEDGER_FILE, LOG_FILE, METRICS_TABLE, FORMER_TABLE)):
        raise NotFoundError(f"there is no store in {folder}; name the folder that 'opswm serve' or 'opswm ingest' uses")
    advance("ledger")
    ledger = _ledger(folder) if database is None else inspect_database(database)
    # A service may go on meanwhile. It commits to the table, then notes what is verified, then trims the log: looked at
    # in the other order, the table is never behind what was noted and dropped before.
    advance("notes")
    kept, noted = _kept(log_file, folder / METRICS_TABLE)
    advance("ingest log")
    log = inspect_log(log_file, 0 if kept is None else kept.through) if log_file.exists() else LogState()
    advance("table")
    table = inspect_table(folder / METRICS_TABLE, now.timestamp(), is_thorough=is_thorough)
    former = inspect_table(folder / FORMER_TABLE, now.timestamp(), is_thorough=is_thorough)
    lag = _lag(log, log_file, kept, table, folder / METRICS_TABLE)
    findings = [*ledger.findings, *table.findings, *former.findings, *log.findings, *noted, *lag]
    facts = {
        "systems": len(ledger.descriptors),
        "action_facts": ledger.num_facts,
        "events": ledger.num_events,
        "table_version": table.version,
        "table_files": len(table.files) + len(former.files),
        "table_readings": table.num_rows + former.num_rows,
        "table_bytes": table.size_bytes + former.size_bytes,
        "log_end": log.end,
        "log_trimmed": log.trimmed,
        "log_batches": log.num_batches,
        "log_bytes": log.size_bytes,
        "filled_through": table.through or 0,
        "lag_batches": max(0, log.end - (table.through or 0)),
        "verified_version": None if kept is None else kept.version,
        "verified_through": None if kept is None else kept.through,
    }
    stored = [*table.files, *former.files]
    for system, descriptor in ledger.descriptors.items():
        advance(f"{system.tenant_id}/{system.system_id}")
        files = [file for file in stored if file.system == system]
        waiting = [one.times for one in log.waiting.get(system, ()) if one.offset > (table.through or 0)]
        channels = [channel.channel_id for channel in descriptor.channels]
        parts = recent_times(channels, files, waiting, limits.last_h)
        findings += inspect_readings(descriptor, parts, now, limits)
    return Inspection(tuple(sorted(findings, key=lambda finding: finding.severity)), facts)


def _kept(log_file: Path, table_folder: Path) -> tuple[Kept | None, list[Finding]]:
    """Return what was noted of a table that a log fills, None where there is nothing or it cannot be read."""
    file = table_folder / OWN_FOLDER / _KEPT_FILE
    if not log_file.exists():
        return None, []
    try:
        return read_kept(file), []
    except StoreError as problem:
        what = f"cannot be read: {problem.__cause__}"
        return None, [damage("table", file, what, "open the store once: every file is verified again")]


def _lag(log: LogState, log_file: Path, kept: Kept | None, table: TableState, table_folder: Path) -> list[Finding]:
    if log_file.exists():
        return list(inspect_lag(log, log_file, kept, table, table_folder))
    if table.through is None:
        return []
    what = f"is missing, and the table is filled from it up to offset {table.through}"
    return [damage("log", log_file, what, "restore the ingest log from a backup")]


def _ledger(folder: Path) -> LedgerState:
    """Look at the file, or judge by what lies about whether there ought to be one."""
    file = folder / LEDGER_FILE
    if file.exists():
        return inspect_ledger(file)
    left = [path for path in (*(file.with_name(file.name + end) for end in _BESIDE), folder / FORMER_TABLE)]
    signs = [path.name for path in left if path.exists()]
    if signs:
        what = f"is missing, and readings are there; it was a file, for {' and '.join(signs)} is there"
        return LedgerState(findings=[damage("ledger", file, what, "restore it from a backup")])
    what = "is not there, though readings are, and so neither facts nor the readings of any system were looked at"
    remedy = "name the ledger's database with --database, as opswm serve does; if it was this file, restore a backup"
    return LedgerState(findings=[warning("ledger", file, what, remedy)])
