"""One store: the ledger and the telemetry of many systems, under one folder by default."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import pyarrow as pa

from opswm.clock import Clock
from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.delta_telemetry import DeltaTelemetry
from opswm.store.ledger import SqlLedger
from opswm.store.references import require_channels, require_entities
from opswm_schemas.actions.record import Action
from opswm_schemas.ports import SystemKey, TelemetryReader, TelemetryWriter
from opswm_schemas.telemetry import Event

_LEDGER_FILE: Final = "ledger.sqlite"
_METRICS_FOLDER: Final = "metrics"


@runtime_checkable
class Telemetry(TelemetryReader, TelemetryWriter, Protocol):
    """Telemetry that can be read and written."""

    def check(self) -> None:
        """Do nothing but find out whether it can be read."""
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

    def close(self) -> None:
        """Close what is open."""
        self.ledger.close()


def open_store(path: str | Path, *, create: bool = True, clock: Clock | None = None) -> Store:
    """Open the store in a folder.

    Args:
        path: The folder.
        create: Whether to make it when it is not there.
        clock: Says when descriptors are registered; this machine's clock where left out.

    Raises:
        NotFoundError: When there is no store and none shall be made.
        BadInputError: When ``path`` is a file.
        StoreError: When it cannot be opened.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file; a store is a folder")
    if not create and not (folder / _LEDGER_FILE).is_file():
        raise NotFoundError(f"there is no store in {folder}; make one with 'opswm ingest', or name the right folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"the store in {folder} cannot be made: {problem}") from problem
    ledger = SqlLedger.open(f"sqlite:///{folder / _LEDGER_FILE}", clock)
    return Store(ledger, DeltaTelemetry(folder / _METRICS_FOLDER))
