"""The ledger: descriptors, action facts, events and decisions in a relational database."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from sqlalchemy import Engine, Select, func, insert, select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.action_facts import facts_of, fold, transition_fact
from opswm.store.action_rows import (
    add_facts,
    read_actions,
    read_facts,
    require_dated,
    require_known,
    require_new,
    require_next,
)
from opswm.store.database import open_database, reading, writing
from opswm.store.ledger_tables import DECISIONS, DESCRIPTORS, EVENTS, SYSTEMS, to_microseconds
from opswm.store.redaction import redact_answer, redact_event
from opswm.store.system_rows import key_of, next_sequence, require_system, within
from opswm_schemas.actions.record import Action, Transition
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event


class SqliteLedger:
    """The ledger behind a SQLAlchemy URL, SQLite by default.

    Every method is one transaction: it happened whole when it returns, and not at all when it raises. Facts
    of one system are numbered 1, 2, 3... in the order they were stored.

    Raises:
        StoreError: From any method, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "SqliteLedger":
        """Open a database, made or migrated to the newest revision where needed.

        Args:
            url: A SQLAlchemy URL.

        Raises:
            BadInputError: When the URL cannot be used.
            StoreError: When the database cannot be opened, or a later opswm wrote it.
        """
        return cls(open_database(url))

    def close(self) -> None:
        """Close every connection; a further call opens new ones."""
        self._engine.dispose()

    # ------------------------------------------------------------------------------------------- descriptors
    def register(self, descriptor: SystemDescriptor) -> SystemDescriptor:
        """Store a descriptor as a new revision and return it; one equal to the latest keeps that revision.

        The ledger numbers revisions itself; the number that came with the descriptor is not used.
        """
        system = SystemKey(descriptor.tenant_id, descriptor.system_id)
        digest = _content_digest(descriptor)
        with writing(self._engine) as connection:
            latest = connection.execute(_latest_descriptor(system)).first()
            if latest is None:
                connection.execute(insert(SYSTEMS).values(**key_of(system), sequence=0))
            elif latest.digest == digest:
                return descriptor.model_copy(update={"revision": latest.revision})
            stored = descriptor.model_copy(update={"revision": 1 if latest is None else latest.revision + 1})
            connection.execute(
                insert(DESCRIPTORS).values(
                    **key_of(system), revision=stored.revision, digest=digest, document=stored.model_dump_json()
                )
            )
        return stored

    def revision_of(self, descriptor: SystemDescriptor) -> int | None:
        """Return the latest revision that says what ``descriptor`` says, None where there is none."""
        system = SystemKey(descriptor.tenant_id, descriptor.system_id)
        same = select(func.max(DESCRIPTORS.c.revision)).where(within(DESCRIPTORS, system))
        with reading(self._engine) as connection:
            revision: int | None = connection.scalar(same.where(DESCRIPTORS.c.digest == _content_digest(descriptor)))
        return revision

    def descriptor(self, system: SystemKey, revision: int | None = None) -> SystemDescriptor:
        """Return a revision of a descriptor, the latest by default.

        Raises:
            NotFoundError: When the system or the revision is not there.
        """
        query = _latest_descriptor(system)
        if revision is not None:
            query = query.where(DESCRIPTORS.c.revision == revision)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            wanted = "" if revision is None else f", revision {revision},"
            raise NotFoundError(f"system {system.system_id!r} of tenant {system.tenant_id!r}{wanted} is not registered")
        return SystemDescriptor.model_validate_json(row.document)

    def systems(self, tenant_id: str) -> list[SystemDescriptor]:
        """Return the latest descriptor of each system of a tenant, by system id."""
        query = (
            select(DESCRIPTORS.c.system_id, DESCRIPTORS.c.document)
            .where(DESCRIPTORS.c.tenant_id == tenant_id)
            .order_by(DESCRIPTORS.c.system_id, DESCRIPTORS.c.revision)
        )
        with reading(self._engine) as connection:
            latest = {row.system_id: row.document for row in connection.execute(query)}
        return [SystemDescriptor.model_validate_json(document) for document in latest.values()]

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
        with writing(self._engine) as connection:
            return [
                add_facts(connection, _system(action), action.action_id, facts_of(action), require_dated)
                for action in actions
            ]

    def record_transition(self, system: SystemKey, action_id: str, fact: Transition) -> Action:
        """Append one observed transition, whatever the lifecycle says about it.

        Raises:
            NotFoundError: When the system or the action is not known; send the action first.
        """
        with writing(self._engine) as connection:
            return add_facts(connection, system, action_id, [transition_fact(fact)], require_known)

    def request_action(self, action: Action) -> Action:
        """Add an action that somebody asks opswm for: one that is new and only ``proposed``.

        Raises:
            BadInputError: When the action is known already, or carries other facts than one proposal.
            NotFoundError: When the system is not registered.
        """
        if [fact.status for fact in action.transitions] != ["proposed"] or action.approvals:
            raise BadInputError(
                f"a request for action {action.action_id!r} starts with one transition 'proposed' and no approvals; "
                "observed actions are recorded, not requested"
            )
        with writing(self._engine) as connection:
            return add_facts(connection, _system(action), action.action_id, facts_of(action), require_new)

    def request_transition(self, system: SystemKey, action_id: str, fact: Transition) -> Action:
        """Take an action to another status on request; the check and the write are one transaction.

        Raises:
            LifecycleError: When the lifecycle does not allow it from the present status.
            NotFoundError: When the system or the action is not known.
        """
        with writing(self._engine) as connection:
            return add_facts(connection, system, action_id, [transition_fact(fact)], partial(require_next, fact.status))

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

    # ------------------------------------------------------------------------------------ events and decisions
    def record_events(self, system: SystemKey, events: Iterable[Event]) -> int:
        """Add events, each id once; return how many were new.

        Raises:
            NotFoundError: When the system is not registered.
        """
        added = 0
        with writing(self._engine) as connection:
            require_system(connection, system)
            seen = set(connection.scalars(select(EVENTS.c.event_id).where(within(EVENTS, system))))
            for event in map(redact_event, events):
                if event.event_id in seen:
                    continue
                seen.add(event.event_id)
                added += 1
                row = {
                    "event_id": event.event_id,
                    "sequence": next_sequence(connection, system),
                    "event_at_us": to_microseconds(event.event_at),
                    "known_at_us": to_microseconds(event.known_at),
                    "document": event.model_dump_json(),
                }
                connection.execute(insert(EVENTS).values(**key_of(system), **row))
        return added

    def events(self, system: SystemKey, as_of: datetime) -> list[Event]:
        """Return events known by ``as_of``, in the order they happened."""
        query = (
            select(EVENTS.c.document)
            .where(within(EVENTS, system), EVENTS.c.known_at_us <= to_microseconds(as_of))
            .order_by(EVENTS.c.event_at_us, EVENTS.c.sequence)
        )
        with reading(self._engine) as connection:
            return [Event.model_validate_json(document) for document in connection.scalars(query)]

    def sequence(self, system: SystemKey) -> int:
        """Return the number of the last fact of a system, 0 before the first.

        Raises:
            NotFoundError: When the system is not registered.
        """
        with reading(self._engine) as connection:
            return require_system(connection, system)

    def store_decision(self, answer: RankingAnswer) -> None:
        """Keep a ranking; the same one again changes nothing.

        Raises:
            BadInputError: When its id stands for another ranking.
            NotFoundError: When its system is not registered.
        """
        told = answer.provenance
        system = SystemKey(told.tenant_id, told.system_id)
        document = redact_answer(answer).model_dump_json()
        with writing(self._engine) as connection:
            require_system(connection, system)
            known = connection.scalar(select(DECISIONS.c.document).where(DECISIONS.c.decision_id == told.decision_id))
            if known is not None and known != document:
                raise BadInputError(f"decision {told.decision_id!r} is stored with another answer; use a new id")
            if known is None:
                row = {"decision_id": told.decision_id, "decided_at_us": to_microseconds(told.decided_at)}
                connection.execute(insert(DECISIONS).values(**key_of(system), **row, document=document))

    def decision(self, decision_id: str) -> RankingAnswer:
        """Return a stored ranking.

        Raises:
            NotFoundError: When there is none of this id.
        """
        with reading(self._engine) as connection:
            document = connection.scalar(select(DECISIONS.c.document).where(DECISIONS.c.decision_id == decision_id))
        if document is None:
            raise NotFoundError(f"decision {decision_id!r} is not stored")
        return RankingAnswer.model_validate_json(document)


def _latest_descriptor(system: SystemKey) -> Select[tuple[int, str, str]]:
    columns = DESCRIPTORS.c
    newest_first = select(columns.revision, columns.digest, columns.document).order_by(columns.revision.desc())
    return newest_first.where(within(DESCRIPTORS, system)).limit(1)


def _content_digest(descriptor: SystemDescriptor) -> str:
    content = descriptor.model_dump(mode="json", exclude={"revision"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _system(action: Action) -> SystemKey:
    return SystemKey(action.tenant_id, action.system_id)
