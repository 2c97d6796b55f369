"""The part of the ledger around answers: decisions, incidents, what came of both, and who may report it."""

from datetime import datetime

from sqlalchemy import Engine

from opswm.clock import Clock
from opswm.store.api_tokens import SqlTokens
from opswm.store.database import reading, write
from opswm.store.decision_rows import add_decision, read_decision, read_decisions
from opswm.store.incident_rows import add_incident, read_incidents
from opswm.store.outcome_rows import add_outcome, read_outcomes
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.incidents import Incident
from opswm_schemas.outcomes import Outcome
from opswm_schemas.ports import SystemKey


class SqlAftermath:
    """Decisions, incidents, outcomes and tokens in a database; each method is one transaction.

    Args:
        engine: The database, at the newest revision.
        clock: Says when tokens are made and expire.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @property
    def tokens(self) -> SqlTokens:
        """Tokens of the API, kept in the same database."""
        return SqlTokens(self._engine, self._clock)

    def store_decision(self, answer: RankingAnswer) -> None:
        """Keep a ranking; the same one again changes nothing.

        Raises:
            BadInputError: When its id stands for another ranking.
            NotFoundError: When its system is not registered.
        """
        write(self._engine, lambda connection: add_decision(connection, answer))

    def decisions(self, system: SystemKey, as_of: datetime) -> list[RankingAnswer]:
        """Return the rankings of a system that were made by ``as_of``, in the order they were made."""
        with reading(self._engine) as connection:
            return read_decisions(connection, system, as_of)

    def decision(self, decision_id: str) -> RankingAnswer:
        """Return a stored ranking.

        Raises:
            NotFoundError: When there is none of this id.
        """
        with reading(self._engine) as connection:
            return read_decision(connection, decision_id)

    # ---------------------------------------------------------------------------------- incidents and outcomes
    def record_incident(self, incident: Incident) -> Incident:
        """Add an incident, or further updates of a known one; in any order, late or twice.

        Returns:
            The incident with everything known about it.

        Raises:
            BadInputError: When it would have more updates than one holds.
            NotFoundError: When the system is not registered.
        """
        return write(self._engine, lambda connection: add_incident(connection, incident))

    def incidents(self, system: SystemKey, as_of: datetime) -> list[Incident]:
        """Return incidents with only what was known by ``as_of``, by when each was opened."""
        with reading(self._engine) as connection:
            return read_incidents(connection, system, as_of)

    def record_outcome(self, outcome: Outcome) -> None:
        """Keep what was measured after a decision or an action; the same again changes nothing.

        Raises:
            BadInputError: When its id stands for another outcome.
            NotFoundError: When its system is not registered, or its decision is not one of that system.
        """
        write(self._engine, lambda connection: add_outcome(connection, outcome))

    def outcomes(self, system: SystemKey, as_of: datetime, decision_id: str | None = None) -> list[Outcome]:
        """Return outcomes known by ``as_of``, in the order they became known; of one decision where it is named."""
        with reading(self._engine) as connection:
            return read_outcomes(connection, system, as_of, decision_id)
