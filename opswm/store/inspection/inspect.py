"""A store in a folder, looked at whole without changing anything."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opswm.errors import NotFoundError
from opswm.store.inspection.findings import Finding, Inspection, damage
from opswm.store.inspection.ledger_state import LedgerState, inspect_database, inspect_ledger
from opswm.store.inspection.log_state import LogState, inspect_lag, inspect_log
from opswm.store.inspection.readings import TIMES, Thresholds, inspect_readings
from opswm.store.inspection.table_files import StoredFile, TableState, inspect_table
from opswm.store.layout import FORMER_TABLE, LEDGER_FILE, LOG_FILE, METRICS_TABLE
from opswm.store.tables.kept import Kept
from opswm.store.tables.layout import OWN_FOLDER
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.ports import SystemKey

_KEPT_FILE: Final = "kept.json"
_COLUMNS: Final = pa.schema([METRICS.field(name) for name in TIMES])


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
    ledger_file, log_file = folder / LEDGER_FILE, folder / LOG_FILE
    if not any((folder / name).exists() for name in (LEDGER_FILE, LOG_FILE, METRICS_TABLE, FORMER_TABLE)):
        raise NotFoundError(f"there is no store in {folder}; name the folder that 'opswm serve' or 'opswm ingest' uses")
    advance("ledger")
    ledger = _ledger(ledger_file) if database is None else inspect_database(database)
    advance("table")
    table = inspect_table(folder / METRICS_TABLE, now.timestamp(), is_thorough=is_thorough)
    former = inspect_table(folder / FORMER_TABLE, now.timestamp(), is_thorough=is_thorough)
    advance("ingest log")
    log = inspect_log(log_file, table.through or 0) if log_file.exists() else LogState()
    lag, kept = _lag(log, log_file, table, folder / METRICS_TABLE)
    findings = [*ledger.findings, *table.findings, *former.findings, *log.findings, *lag]
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
    for system, descriptor in ledger.descriptors.items():
        advance(f"{system.tenant_id}/{system.system_id}")
        readings = _readings(system, [*table.files, *former.files], log, limits.last_h)
        findings += inspect_readings(descriptor, readings, now, limits)
    return Inspection(tuple(sorted(findings, key=lambda finding: finding.severity)), facts)


def _lag(log: LogState, log_file: Path, table: TableState, table_folder: Path) -> tuple[list[Finding], Kept | None]:
    if log_file.exists():
        return inspect_lag(log, log_file, table, table_folder / OWN_FOLDER / _KEPT_FILE)
    if table.through is None:
        return [], None
    what = f"is missing, and the table is filled from it up to offset {table.through}"
    return [damage("log", log_file, what, "restore the ingest log from a backup")], None


def _ledger(file: Path) -> LedgerState:
    if file.exists():
        return inspect_ledger(file)
    missing = damage("ledger", file, "is missing, and readings are there", "restore it from a backup")
    return LedgerState(findings=[missing])


def _readings(system: SystemKey, stored: Sequence[StoredFile], log: LogState, last_h: float) -> pa.Table:
    """Return the times of a system's newest readings, out of the table's files that are whole and the log."""
    files = [file for file in stored if file.system == system]
    waiting = [rows.select(TIMES) for rows in log.waiting.get(system, ())]
    ends = [file.event_to for file in files if file.event_to is not None]
    ends += [pc.max(rows["event_at"]).as_py() for rows in waiting if rows.num_rows]
    if not ends:
        return _COLUMNS.empty_table()
    since = max(ends) - timedelta(hours=last_h)
    found = [
        pq.read_table(file.file, columns=list(TIMES), partitioning=None)
        for file in files
        if file.event_to is None or file.event_to >= since
    ]
    whole = pa.concat_tables([_COLUMNS.empty_table(), *(rows.cast(_COLUMNS) for rows in (*found, *waiting))])
    return whole.filter(pc.field("event_at") >= pa.scalar(since, INSTANT))
