"""One store: the ledger and the telemetry of many systems, under one folder by default."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from opswm.clock import Clock, SystemClock
from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.durable_files import make_folder
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.layout import FORMER_TABLE, LEDGER_FILE, LOG_FILE, METRICS_TABLE
from opswm.store.ledger import SqlLedger
from opswm.store.references import require_channels, require_entities
from opswm.store.tables.background import Background
from opswm.store.tables.bulk import BulkImport
from opswm.store.tables.damage import mend
from opswm.store.tables.filler import Filler
from opswm.store.tables.former import move_former_table
from opswm.store.tables.limits import TenantGate, TenantLimits
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from opswm_schemas.actions.record import Action
from opswm_schemas.ports import IngestLog, SystemKey, TelemetryReader, TelemetryWriter
from opswm_schemas.telemetry import Event


@runtime_checkable
class Telemetry(TelemetryReader, TelemetryWriter, Protocol):
    """Telemetry that can be read and written."""

    def check(self) -> None:
        """Do nothing but find out whether it can be read."""
        ...

    def close(self) -> None:
        """Close what is open; what was appended stays."""
        ...


@dataclass(frozen=True)
class Store:
    """Data at rest of every tenant and system.

    Its own methods check facts against the descriptor before they write; the parts do not know each other.

    Attributes:
        ledger: Descriptors, actions, events and decisions.
        telemetry: Readings.
    """

    ledger: SqlLedger
    telemetry: Telemetry

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str) -> int:
        """Append readings of channels the system has; see :class:`~opswm_schemas.ports.TelemetryWriter`.

        Raises:
            BadInputError: When the batch cannot be admitted, names channels the latest descriptor does not
                list, or its id stands for other content.
            NotFoundError: When the system is not registered.
            StoreError: When it cannot be written.
        """
        descriptor = self.ledger.descriptor(system)
        if "channel_id" in table.column_names:
            require_channels(descriptor, table)
        return self.telemetry.append_metrics(system, table, batch_id)

    def record_action(self, action: Action) -> Action:
        """Add an observed action on entities the system has.

        Raises:
            BadInputError: When it names entities the latest descriptor does not list, or carries no dated fact.
            NotFoundError: When the system is not registered.
        """
        system = SystemKey(action.tenant_id, action.system_id)
        require_entities(self.ledger.descriptor(system), actions=[action])
        return self.ledger.record_action(action)

    def record_events(self, system: SystemKey, events: Iterable[Event]) -> int:
        """Add events on entities the system has, each id once; return how many were new.

        Raises:
            BadInputError: When one names an entity the latest descriptor does not list.
            NotFoundError: When the system is not registered.
        """
        given = list(events)
        require_entities(self.ledger.descriptor(system), events=given)
        return self.ledger.record_events(system, given)

    def hear(
        self, system: SystemKey, actions: Sequence[Action], events: Sequence[Event]
    ) -> tuple[int, tuple[str, ...]]:
        """Add what a source told of its own accord about entities the system has; see :meth:`SqlLedger.hear`.

        Raises:
            BadInputError: When something names an entity the latest descriptor does not list.
            NotFoundError: When the system is not registered.
        """
        require_entities(self.ledger.descriptor(system), actions=actions, events=events)
        return self.ledger.hear(system, actions, events)

    def close(self) -> None:
        """Close what is open."""
        try:
            self.telemetry.close()
        finally:
            self.ledger.close()


def open_store(
    path: str | Path,
    *,
    database: str | None = None,
    create: bool = True,
    clock: Clock | None = None,
    background: bool = False,
    log: IngestLog | None = None,
    upkeep: UpkeepConfig | None = None,
    limits: TenantLimits | None = None,
) -> Store:
    """Open the store in a folder: damage is looked for and repaired first, and a store of a former version moved.

    Args:
        path: The folder.
        database: URL of the ledger's database; a file in the folder where left out.
        create: Whether to make it when it is not there.
        clock: Says when descriptors are registered; this machine's clock where left out.
        background: Whether its tables are filled and kept while it is open, not only when it is closed.
        log: Where readings are received; a file in the folder where left out. Closed with the store.
        upkeep: How its tables are kept in the background, such as for how long.
        limits: Of each tenant; the usual ones where left out.

    Raises:
        NotFoundError: When there is no store and none shall be made.
        BadInputError: When ``path`` is a file, or the URL cannot be used.
        StoreError: When it cannot be opened, or something of it is lost.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file; a store is a folder")
    if not create and not (folder.is_dir() if database else (folder / LEDGER_FILE).is_file()):
        raise NotFoundError(
            f"there is no store in {folder}; make one with 'opswm ingest', name the right folder, or the --database of "
            "its ledger"
        )
    try:
        make_folder(folder.absolute())
    except OSError as problem:
        raise StoreError(f"the store in {folder} cannot be made: {problem}") from problem
    ledger = SqlLedger.open(database or f"sqlite:///{folder / LEDGER_FILE}", clock)
    try:
        received = SqliteIngestLog(folder / LOG_FILE) if log is None else log
        gate = TenantGate(SystemClock(), limits)
        telemetry = open_telemetry(folder, received, background=background, gate=gate, upkeep=upkeep)
    except BaseException:
        ledger.close()
        raise
    return Store(ledger, telemetry)


def open_telemetry(
    folder: Path,
    log: IngestLog,
    *,
    background: bool = False,
    gate: TenantGate | None = None,
    upkeep: UpkeepConfig | None = None,
) -> LoggedTelemetry:
    """Open the telemetry of a store on an ingest log, which is closed with it.

    Args:
        folder: Of the store.
        log: Where readings are received.
        background: Whether the tables are filled and kept while it is open.
        gate: Keeps tenants to their limits; to the usual ones where left out.
        upkeep: How the tables are kept in the background.

    Raises:
        StoreError: When it cannot be opened, or something of it is lost.
    """
    clock = SystemClock()
    table = MetricsTable(folder / METRICS_TABLE)
    filler = Filler(log, table, clock)
    try:
        lost = mend(table, log)
        move_former_table(folder / FORMER_TABLE, log, filler, BulkImport(table, log))
    except BaseException:
        log.close()
        raise
    keeping = Background(table, filler, Upkeep(table, clock, upkeep)) if background else None
    return LoggedTelemetry(log, table, filler, lost, keeping, gate or TenantGate(clock))
