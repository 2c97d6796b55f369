"""Outcomes in and out of the database; an id stands for one measurement."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.ledger_tables import DECISIONS, OUTCOMES, to_microseconds
from opswm.store.redaction import redact_outcome
from opswm.store.system_rows import key_of, lock_system, take_numbers, within
from opswm_schemas.outcomes import Outcome
from opswm_schemas.ports import SystemKey


def add_outcome(connection: Connection, outcome: Outcome) -> None:
    """Keep an outcome; the same one again changes nothing.

    The action it follows may become known later, since its source may be slower; the decision was made here.

    Raises:
        BadInputError: When its id stands for another outcome.
        NotFoundError: When its system is not registered, or its decision is not one of that system.
    """
    system = SystemKey(outcome.tenant_id, outcome.system_id)
    outcome = redact_outcome(outcome)
    document = outcome.model_dump_json()
    lock_system(connection, system)
    same = select(OUTCOMES.c.document).where(within(OUTCOMES, system), OUTCOMES.c.outcome_id == outcome.outcome_id)
    known = connection.scalar(same)
    if known is not None:
        if known != document:
            raise BadInputError(
                f"outcome {outcome.outcome_id!r} is stored with other content; what was measured anew needs a new id"
            )
        return
    if outcome.decision_id is not None:
        decided = select(DECISIONS.c.decision_id).where(within(DECISIONS, system))
        if connection.scalar(decided.where(DECISIONS.c.decision_id == outcome.decision_id)) is None:
            raise NotFoundError(f"decision {outcome.decision_id!r} of system {system.system_id!r} is not stored")
    (sequence,) = take_numbers(connection, system, 1)
    row = {
        "outcome_id": outcome.outcome_id,
        "sequence": sequence,
        "decision_id": outcome.decision_id,
        "action_id": outcome.action_id,
        "known_at_us": to_microseconds(outcome.known_at),
        "document": document,
    }
    connection.execute(insert(OUTCOMES).values(**key_of(system), **row))


def read_outcomes(
    connection: Connection, system: SystemKey, as_of: datetime, decision_id: str | None = None
) -> list[Outcome]:
    """Return outcomes known by a moment, in the order they became known; of one decision where it is named."""
    query = select(OUTCOMES.c.document).where(
        within(OUTCOMES, system), OUTCOMES.c.known_at_us <= to_microseconds(as_of)
    )
    if decision_id is not None:
        query = query.where(OUTCOMES.c.decision_id == decision_id)
    documents = connection.scalars(query.order_by(OUTCOMES.c.known_at_us, OUTCOMES.c.sequence))
    return [Outcome.model_validate_json(document) for document in documents]
