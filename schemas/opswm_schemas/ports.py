"""The ports: what the core asks of stores and sources, so that either can be exchanged for a larger one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import pyarrow as pa

from opswm_schemas.actions.record import Action, Transition
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.incidents import Incident
from opswm_schemas.outcomes import Outcome
from opswm_schemas.telemetry import Event
from opswm_schemas.tokens import ApiToken, Scope


@dataclass(frozen=True)
class SystemKey:
    """Tenant and system; leads every key and partition."""

    tenant_id: str
    system_id: str


@dataclass(frozen=True)
class Batch:
    """One delivery of readings: it is there once and whole, or not at all.

    Attributes:
        system: Whose readings they are.
        source: Who delivered it: a receiver or a connector.
        batch_id: Names the delivery within its system and source; delivered again, it must say the same.
        table: Readings in the columns of ``opswm_schemas.columns.METRICS``.
    """

    system: SystemKey
    source: str
    batch_id: str
    table: pa.Table


@dataclass(frozen=True)
class LoggedBatch:
    """A batch in an ingest log.

    Attributes:
        offset: Its place: larger than that of every batch before it, from 1.
        batch: What was delivered.
    """

    offset: int
    batch: Batch


@runtime_checkable
class IngestLog(Protocol):
    """Keeps what was received until it is in a table: a batch is durable when :meth:`append` returns."""

    def append(self, batches: Sequence[Batch]) -> list[int]:
        """Keep batches, all of them or none, and return their offsets once they are on disk.

        A batch that is there already, trimmed or not, keeps its offset; one whose name stands for other content is
        refused, and so is everything while the log is full (back-pressure).
        """
        ...

    def replay(self, after: int, max_bytes: int) -> list[LoggedBatch]:
        """Return the next batches behind an offset, in order: at least one where there is one, then up to a size."""
        ...

    def end(self) -> int:
        """Return the last offset, 0 where nothing was ever appended."""
        ...

    def trim(self, through: int) -> None:
        """Drop the readings of batches up to an offset, which a verified table holds; their names stay known."""
        ...

    def count(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many batches of a system hold something, or something known by ``as_of``; for provenance."""
        ...

    def close(self) -> None:
        """Close what is open; what was appended stays."""
        ...


@runtime_checkable
class JobRunner(Protocol):
    """Runs long work as shards that can be run again: an interrupted job goes on where it was."""

    def run(self, job: str, shards: Mapping[str, Callable[[], bytes]], advance: Callable[[int, int], None]) -> str:
        """Run the shards that have no result yet and return a digest of all results.

        Args:
            job: Names the job; the same name goes on with the same job.
            shards: By name: a picklable function of nothing whose result depends on nothing else.
            advance: Told how many shards are done, of how many.

        Returns:
            SHA-256 over names and results in order of names; the same wherever and however often they ran.
        """
        ...

    def result(self, job: str, shard: str) -> bytes:
        """Return what a shard gave."""
        ...


@runtime_checkable
class TelemetryReader(Protocol):
    """Reads telemetry at rest, as it was known at a moment."""

    def read_metrics(
        self,
        system: SystemKey,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None = None,
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``.

        Args:
            system: Whose.
            channel_ids: Of which channels; one that has no readings gives none.
            since: From when on they were measured.
            until: Until when, that moment left out.
            as_of: Until when they were known.
            step_s: Where given, at most one reading per channel and step is needed: the last of each step, by
                ``event_at`` then ``known_at``, steps counted from ``since``. Sources that sample by themselves are
                asked at that step.

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
    """Keeps descriptors, facts about actions and incidents, events, decisions and outcomes."""

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

    def record_incident(self, incident: Incident) -> Incident:
        """Add an incident, or further updates of a known one; never refuses a late fact."""
        ...

    def incidents(self, system: SystemKey, as_of: datetime) -> list[Incident]:
        """Return incidents with only the updates known by ``as_of``, by when each was opened."""
        ...

    def record_outcome(self, outcome: Outcome) -> None:
        """Keep what was measured after a decision or an action; the same again changes nothing."""
        ...

    def outcomes(self, system: SystemKey, as_of: datetime, decision_id: str | None = None) -> list[Outcome]:
        """Return outcomes known by ``as_of``, in the order they became known; of one decision where it is named."""
        ...


@runtime_checkable
class Tokens(Protocol):
    """Keeps the API's tokens; of a secret only a digest."""

    def create(
        self,
        tenant_id: str,
        name: str,
        scopes: Sequence[Scope],
        system_ids: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[ApiToken, str]:
        """Make a token and return it with its secret, which is never told again."""
        ...

    def of_tenant(self, tenant_id: str) -> list[ApiToken]:
        """Return every token of a tenant, revoked ones too, in the order they were made."""
        ...

    def revoke(self, tenant_id: str, token_id: str) -> ApiToken:
        """Let a token be refused from now on."""
        ...

    def authenticate(self, secret: str) -> ApiToken:
        """Return the token that a secret belongs to, while it is good."""
        ...
