"""The ledger: descriptors, facts about actions and incidents, events, decisions and outcomes in a database."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from opswm.clock import Clock, SystemClock
from opswm.errors import NotFoundError
from opswm.store.action_facts import facts_of, fold, transition_fact
from opswm.store.action_requests import approvals_needed, propose, respond, step
from opswm.store.action_rows import add_facts, last_known, read_actions, read_facts, require_dated, require_known
from opswm.store.database import open_database, reading, write
from opswm.store.descriptor_rows import (
    add_revision,
    latest_revisions,
    read_revision,
    require_known_revision,
    revision_like,
)
from opswm.store.event_rows import add_events, last_known_event, read_events
from opswm.store.ledger_aftermath import SqlAftermath
from opswm.store.ledger_tables import METADATA
from opswm.store.system_rows import lock_system, require_system
from opswm_schemas.actions.record import Action, Approval, Transition
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event


@dataclass(frozen=True)
class Received:
    """What a recording brought: its descriptor's revision, a table version, new events, and the last fact's number."""

    revision: int
    table_version: int
    num_new_events: int
    sequence: int


class _Rehearsed(Exception):
    """Nothing stood against what was tried."""


class SqlLedger(SqlAftermath):
    """The ledger in a SQLite or PostgreSQL database.

    Every method is one transaction: it happened whole when it returns, and not at all when it raises. Facts
    of one system are numbered 1, 2, 3... in the order they were stored; those who write about one system at once
    take turns.

    Raises:
        StoreError: From any method, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        super().__init__(engine, clock or SystemClock())

    @classmethod
    def open(cls, url: str, clock: Clock | None = None) -> "SqlLedger":
        """Open a database, made or migrated to the newest revision where needed.

        Args:
            url: A SQLAlchemy URL.
            clock: Says when descriptors are registered; this machine's clock where left out.

        Raises:
            BadInputError: When the URL cannot be used.
            StoreError: When the database cannot be opened, or a later opswm wrote it.
        """
        return cls(open_database(url), clock)

    def close(self) -> None:
        """Close every connection; a further call opens new ones."""
        self._engine.dispose()

    # ------------------------------------------------------------------------------------------- descriptors
    def register(self, descriptor: SystemDescriptor) -> SystemDescriptor:
        """Store a descriptor as a new revision and return it; one equal to the latest keeps that revision.

        The ledger numbers revisions itself, and holds each to be known from now on.
        """
        return self.registered(descriptor)[0]

    def registered(self, descriptor: SystemDescriptor) -> tuple[SystemDescriptor, bool]:
        """As :meth:`register`; says as well whether the revision is a new one."""
        return write(self._engine, lambda connection: add_revision(connection, descriptor, self._clock.now()))

    def revision_of(self, descriptor: SystemDescriptor) -> int | None:
        """Return the latest revision that says what ``descriptor`` says, None where there is none."""
        with reading(self._engine) as connection:
            return revision_like(connection, descriptor)

    def descriptor(
        self, system: SystemKey, revision: int | None = None, as_of: datetime | None = None
    ) -> SystemDescriptor:
        """Return a revision of a descriptor, the latest by default.

        Args:
            system: Which system.
            revision: Which revision.
            as_of: The moment at which it held, where no revision is named: the newest that was registered by
                then; the first one holds for all moments before it.

        Raises:
            NotFoundError: When the system or the revision is not there.
        """
        with reading(self._engine) as connection:
            return read_revision(connection, system, revision, as_of)

    def systems(self, tenant_id: str) -> list[SystemDescriptor]:
        """Return the latest descriptor of each system of a tenant, by system id."""
        with reading(self._engine) as connection:
            return latest_revisions(connection, tenant_id)

    def check(self) -> None:
        """Read a row of every table and do no more, at a cost that does not depend on how much is stored."""
        with reading(self._engine) as connection:
            for table in METADATA.sorted_tables:
                connection.execute(select(table).limit(1)).first()

    def receive(
        self,
        descriptor: SystemDescriptor,
        actions: Sequence[Action],
        events: Sequence[Event],
        write_readings: Callable[[], int],
    ) -> Received:
        """Take in what a recording tells: its facts are tried first, then its readings written, then its facts kept.

        What is refused, or has readings that cannot be written, leaves nothing. Where the process ends before the facts
        are kept, or others made them contradict each other meanwhile, the readings stay, which no fact refers to; the
        same recording completes what is there. No transaction is open while readings are written: they may take long.

        Args:
            descriptor: Of the recording; the first revision of a system nobody registered.
            actions: Observed.
            events: Observed.
            write_readings: Writes the readings once and whole, and returns the table version that holds them; may
                be called again.

        Raises:
            BadInputError: When the system is registered and no revision says what the descriptor says; or when
                facts contradict those under the same ids.
            StoreError: When something cannot be written.
        """
        system = SystemKey(descriptor.tenant_id, descriptor.system_id)

        def work(connection: Connection) -> tuple[int, int, int]:
            revision = require_known_revision(connection, descriptor, self._clock.now())
            for action in actions:
                add_facts(connection, system, action.action_id, facts_of(action), require_dated)
            num_new_events = add_events(connection, system, events)
            return revision, num_new_events, lock_system(connection, system)

        def rehearse(connection: Connection) -> None:
            work(connection)
            raise _Rehearsed

        with suppress(_Rehearsed):
            write(self._engine, rehearse)
        table_version = write_readings()
        revision, num_new_events, sequence = write(self._engine, work)
        return Received(revision, table_version, num_new_events, sequence)

    # ----------------------------------------------------------------------------------------------- actions
    def record_action(self, action: Action) -> Action:
        """Add an observed action, or further facts of a known one; facts in any order, late or twice.

        Returns:
            The action folded from everything known about it.

        Raises:
            BadInputError: When it carries no dated fact and none is known, so that it never happened anywhere.
            NotFoundError: When the system is not registered.
        """
        return self.record_actions([action])[0]

    def record_actions(self, actions: Iterable[Action]) -> list[Action]:
        """Add observed actions in one transaction, as :meth:`record_action` does one by one."""
        given = list(actions)

        def work(connection: Connection) -> list[Action]:
            for system in sorted({_system(action) for action in given}, key=astuple):  # two writers, one order
                lock_system(connection, system)
            return [
                add_facts(connection, _system(action), action.action_id, facts_of(action), require_dated)
                for action in given
            ]

        return write(self._engine, work)

    def record_transition(self, system: SystemKey, action_id: str, fact: Transition) -> Action:
        """Append one observed transition, whatever the lifecycle says about it.

        Raises:
            NotFoundError: When the system or the action is not known; send the action first.
        """
        facts = [transition_fact(fact)]
        return write(self._engine, lambda connection: add_facts(connection, system, action_id, facts, require_known))

    def request_action(self, action: Action, approvals_needed: int = 1) -> Action:
        """Add an action that somebody asks opswm for; see :func:`opswm.store.action_requests.propose`."""
        return write(self._engine, lambda connection: propose(connection, action, approvals_needed))

    def respond(self, system: SystemKey, action_id: str, word: Approval, note: str = "") -> Action:
        """Add one person's approval or rejection; see :func:`opswm.store.action_requests.respond`."""
        return write(self._engine, lambda connection: respond(connection, system, action_id, word, note))

    def request_transition(self, system: SystemKey, action_id: str, fact: Transition) -> Action:
        """Take a requested action to another status; see :func:`opswm.store.action_requests.step`."""
        return write(self._engine, lambda connection: step(connection, system, action_id, fact))

    def approvals_needed(self, system: SystemKey, action_id: str) -> int | None:
        """Return how many approvals an action waits for, None where it was not requested through opswm."""
        with reading(self._engine) as connection:
            return approvals_needed(read_facts(connection, system, action_id))

    def action(self, system: SystemKey, action_id: str) -> Action:
        """Return one action with everything known about it.

        Raises:
            NotFoundError: When it is not known.
        """
        with reading(self._engine) as connection:
            found = fold(read_facts(connection, system, action_id))
        if found is None:
            raise NotFoundError(f"action {action_id!r} of system {system.system_id!r} is not known")
        return found

    def actions(self, system: SystemKey, as_of: datetime) -> list[Action]:
        """Return actions with only the facts known by ``as_of``, by the moment they became known."""
        with reading(self._engine) as connection:
            return read_actions(connection, system, as_of)

    # ------------------------------------------------------------------------------------------------ events
    def record_events(self, system: SystemKey, events: Iterable[Event]) -> int:
        """Add events, each id once; return how many were new.

        Raises:
            BadInputError: When an id stands for an event of other content.
            NotFoundError: When the system is not registered.
        """
        given = list(events)
        return write(self._engine, lambda connection: add_events(connection, system, given))

    def hear(
        self, system: SystemKey, actions: Sequence[Action], events: Sequence[Event]
    ) -> tuple[int, tuple[str, ...]]:
        """Add what a source told of its own accord, in one transaction.

        A source repeats itself, and what is derived from its words may have changed since; what contradicts an event
        told before is left out, for nobody could make the source say something else.

        Returns:
            How many events were new, and what is wrong with those that were left out.

        Raises:
            BadInputError: When an action carries no dated fact and none is known.
            NotFoundError: When the system is not registered.
        """

        def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
            contradicted: list[str] = []
            lock_system(connection, system)
            for action in actions:
                add_facts(connection, system, action.action_id, facts_of(action), require_dated)
            return add_events(connection, system, events, contradicted.append), tuple(contradicted)

        return write(self._engine, work)

    def events(self, system: SystemKey, as_of: datetime) -> list[Event]:
        """Return events known by ``as_of``, in the order they happened."""
        with reading(self._engine) as connection:
            return read_events(connection, system, as_of)

    def sequence(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return the number of the last fact of a system, 0 before the first.

        Args:
            system: Which system.
            as_of: Only facts that a reading as of this moment rests on, so that what is learned later changes
                nothing.

        Raises:
            NotFoundError: When the system is not registered.
        """
        with reading(self._engine) as connection:
            last = require_system(connection, system)
            if as_of is None:
                return last
            return max(last_known(connection, system, as_of), last_known_event(connection, system, as_of))


def _system(action: Action) -> SystemKey:
    return SystemKey(action.tenant_id, action.system_id)
