"""Rankings in and out of the database, as they were answered."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.ledger_tables import DECISIONS, to_microseconds
from opswm.store.redaction import redact_answer
from opswm.store.system_rows import key_of, lock_system, within
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.ports import SystemKey


def add_decision(connection: Connection, answer: RankingAnswer) -> None:
    """Keep a ranking; the same one again changes nothing.

    Raises:
        BadInputError: When its id stands for another ranking.
        NotFoundError: When its system is not registered.
    """
    told = answer.provenance
    system = SystemKey(told.tenant_id, told.system_id)
    document = redact_answer(answer).model_dump_json()
    lock_system(connection, system)
    known = connection.scalar(select(DECISIONS.c.document).where(DECISIONS.c.decision_id == told.decision_id))
    if known is not None and known != document:
        raise BadInputError(f"decision {told.decision_id!r} is stored with another answer; use a new id")
    if known is None:
        row = {"decision_id": told.decision_id, "decided_at_us": to_microseconds(told.decided_at)}
        connection.execute(insert(DECISIONS).values(**key_of(system), **row, document=document))


def read_decision(connection: Connection, decision_id: str) -> RankingAnswer:
    """Return a stored ranking.

    Raises:
        NotFoundError: When there is none of this id.
    """
    document = connection.scalar(select(DECISIONS.c.document).where(DECISIONS.c.decision_id == decision_id))
    if document is None:
        raise NotFoundError(f"decision {decision_id!r} is not stored")
    return RankingAnswer.model_validate_json(document)


def read_decisions(connection: Connection, system: SystemKey, as_of: datetime) -> list[RankingAnswer]:
    """Return the rankings of a system that were made by a moment, in the order they were made, then by id."""
    made = DECISIONS.c.decided_at_us <= to_microseconds(as_of)
    documents = connection.scalars(select(DECISIONS.c.document).where(within(DECISIONS, system), made))
    found = [RankingAnswer.model_validate_json(document) for document in documents]
    return sorted(found, key=lambda answer: (answer.provenance.decided_at, answer.provenance.decision_id))
