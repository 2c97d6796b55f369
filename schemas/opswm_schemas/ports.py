"""The ports: what the core asks of stores and sources, so that either can be exchanged for a larger one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import pyarrow as pa

from opswm_schemas.actions.record import Action, Transition
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.telemetry import Event


@dataclass(frozen=True)
class SystemKey:
    """Tenant and system; leads every key and partition."""

    tenant_id: str
    system_id: str


@runtime_checkable
class TelemetryReader(Protocol):
    """Reads telemetry at rest, as it was known at a moment."""

    def read_metrics(
        self, system: SystemKey, channel_ids: Sequence[str], since: datetime, until: datetime, as_of: datetime
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``.

        Returns:
            A table with the columns of ``opswm_schemas.columns.METRICS``, ordered by channel, then time.
        """
        ...

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many stored batches of the system hold something, or something known by ``as_of``.

        For provenance: it changes with what a reading as of that moment may find, and with nothing else.
        """
        ...


@runtime_checkable
class TelemetryWriter(Protocol):
    """Writes telemetry so that a batch is there once, whole, or not at all."""

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str) -> int:
        """Append a batch; the same ``batch_id`` a second time adds nothing.

        Returns:
            The table version that holds it.
        """
        ...


@runtime_checkable
class Ledger(Protocol):
    """Keeps descriptors, action facts, events and decisions."""

    def register(self, descriptor: SystemDescriptor) -> SystemDescriptor:
        """Store a descriptor as a new revision (an identical one keeps its revision) and return it."""
        ...

    def descriptor(
        self, system: SystemKey, revision: int | None = None, as_of: datetime | None = None
    ) -> SystemDescriptor:
        """Return a revision of a descriptor: the one named, else the one that held at ``as_of``, else the latest.

        A revision holds from when it was registered; the first one for all moments before it, too, so that a
        system can be asked about the time before anybody described it.
        """
        ...

    def systems(self, tenant_id: str) -> list[SystemDescriptor]:
        """Return the latest descriptor of each system of a tenant."""
        ...

    def record_action(self, action: Action) -> Action:
        """Add an observed action, or fold further facts into a known one; never refuses a late fact."""
        ...

    def record_transition(self, system: SystemKey, action_id: str, fact: Transition) -> Action:
        """Append one observed transition."""
        ...

    def actions(self, system: SystemKey, as_of: datetime) -> list[Action]:
        """Return actions with only the facts known by ``as_of``; one without such facts is left out."""
        ...

    def record_events(self, system: SystemKey, events: Iterable[Event]) -> int:
        """Add events, each id once, and refuse an id with other content; return how many were new."""
        ...

    def events(self, system: SystemKey, as_of: datetime) -> list[Event]:
        """Return events known by ``as_of``, in order."""
        ...

    def sequence(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return the number of the last fact, or of the last that was known by ``as_of``, for provenance."""
        ...

    def store_decision(self, answer: RankingAnswer) -> None:
        """Keep a ranking so that it can be replayed and later scored."""
        ...

    def decision(self, decision_id: str) -> RankingAnswer:
        """Return a stored ranking."""
        ...
