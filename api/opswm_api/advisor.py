"""Answers questions about stored systems: reads what was known, asks the planner, keeps the decision."""

import uuid
from datetime import datetime

from opswm.clock import Clock
from opswm.errors import NotFoundError
from opswm.instrument import timed
from opswm.planning.advise import advise
from opswm.planning.guardrails import Candidate, check
from opswm.planning.imagine import forecast, what_if
from opswm.planning.provenance import Sources
from opswm.planning.rank import RankingPolicy
from opswm.planning.readings import Readings
from opswm.store.open import Store
from opswm.store.redaction import redact_answer
from opswm.timeline.build import read_timeline
from opswm.timeline.timeline import Timeline
from opswm_api.limits import Question, require_in_time, require_work_within
from opswm_api.mind import Mind
from opswm_schemas.answers import ForecastAnswer, RankingAnswer, WhatIfAnswer
from opswm_schemas.ports import SystemKey
from opswm_schemas.questions import Course, ForecastRequest, RankingRequest, WhatIfRequest


class Advisor:
    """Answers for the systems of one tenant in one store.

    Args:
        store: Where facts are read and decisions kept.
        mind: The world model that imagines.
        clock: What "now" is where a question does not say.
        tenant_id: Whose systems they are.
        policy: How cautious rankings are.
        max_work: Most courses times parts (entities and relations) that a question may be about; any number where
            left out.
    """

    def __init__(
        self,
        store: Store,
        mind: Mind,
        clock: Clock,
        tenant_id: str = "default",
        policy: RankingPolicy | None = None,
        max_work: int | None = None,
    ) -> None:
        self._store = store
        self._mind = mind
        self._clock = clock
        self._tenant_id = tenant_id
        self._policy = policy
        self._max_work = max_work

    def rank(self, request: RankingRequest) -> RankingAnswer:
        """Rank courses of action, and keep the ranking as a decision that can be replayed.

        Raises:
            NotFoundError: When the system is not registered.
            BadInputError: When the question cannot be answered as it stands.
            StoreError: When the store cannot be read or written.
        """
        with timed("answer.rank", system=request.system_id):
            timeline = self._past(request)
            answer = advise(timeline, request, self._mind.planner, self._sources(timeline), self._policy)
            return self._kept(answer)

    def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        """Return what happens if nothing is done; raises as :meth:`rank` does."""
        with timed("answer.forecast", system=request.system_id):
            timeline = self._past(request)
            return forecast(timeline, request, self._mind.planner, self._sources(timeline))

    def what_if(self, request: WhatIfRequest) -> WhatIfAnswer:
        """Return the future under each course; raises as :meth:`rank` does."""
        with timed("answer.what_if", system=request.system_id):
            timeline = self._past(request)
            return what_if(timeline, request, self._mind.planner, self._sources(timeline))

    def check(self, system_id: str, course: Course) -> Candidate:
        """Return a course with all that forbids it now; raises as :meth:`rank` does."""
        timeline = self.timeline(system_id, None)
        return check(timeline.descriptor, timeline, Readings(timeline.descriptor, timeline), course)

    def timeline(self, system_id: str, at: datetime | None) -> Timeline:
        """Return a system's past as it was known at a moment, now where left out."""
        key = SystemKey(self._tenant_id, system_id)
        moment = at or self._clock.now()
        ticks = self._mind.planner.context_ticks
        return read_timeline(self._store.telemetry, self._store.ledger, key, moment, ticks)

    def _past(self, question: Question) -> Timeline:
        """Return the past a question is asked from."""
        moment = question.at or self._clock.now()
        key = SystemKey(self._tenant_id, question.system_id)
        descriptor = self._store.ledger.descriptor(key, as_of=moment)
        require_in_time(question, descriptor, moment)
        if self._max_work is not None:
            require_work_within(question, descriptor, self._max_work)
        return self.timeline(question.system_id, moment)

    def _sources(self, timeline: Timeline) -> Sources:
        """Return what identifies an answer's sources: only what was known at its moment, whatever came later."""
        key = SystemKey(self._tenant_id, timeline.descriptor.system_id)
        return Sources(
            model_id=self._mind.model_id,
            model_digest=self._mind.digest,
            ledger_sequence=self._store.ledger.sequence(key, timeline.at),
            table_versions={"metrics": self._store.telemetry.version(key, timeline.at)},
        )

    def _kept(self, answer: RankingAnswer) -> RankingAnswer:
        """Store a decision; the same question with another answer (another version of opswm) gets its own id."""
        told = answer.provenance
        try:
            known = self._store.ledger.decision(told.decision_id)
        except NotFoundError:
            known = None
        if known is not None and known != redact_answer(answer):
            renamed = told.model_copy(update={"decision_id": f"{told.decision_id}-{uuid.uuid4().hex[:8]}"})
            answer = answer.model_copy(update={"provenance": renamed})
        self._store.ledger.store_decision(answer)
        return answer
