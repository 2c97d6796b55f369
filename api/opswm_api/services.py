"""What the application answers with, opened once and handed to every route."""

from dataclasses import dataclass
from time import perf_counter
from typing import Final

import anyio
from opentelemetry.metrics import Counter, Histogram, MeterProvider

from opswm.clock import Clock
from opswm.errors import OpswmError
from opswm.store.open import Store
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_api.advisor import Advisor
from opswm_api.problems import ProblemError
from opswm_api.work_queue import WorkQueue

_SCOPE: Final = "opswm_api"


@dataclass(frozen=True)
class Metrics:
    """The service's own instruments.

    Attributes:
        points: Metric points stored.
        answers: Answers given, by kind and verdict.
        duration: Seconds until an answer, waiting for a free worker included.
    """

    points: Counter
    answers: Counter
    duration: Histogram

    @classmethod
    def of(cls, provider: MeterProvider) -> "Metrics":
        """Make the instruments of a meter provider."""
        meter = provider.get_meter(_SCOPE)
        return cls(
            points=meter.create_counter("opswm.telemetry.points", "{point}", "Metric points stored."),
            answers=meter.create_counter("opswm.answers", "{answer}", "Answers given, by kind and verdict."),
            duration=meter.create_histogram("opswm.answer.duration", "s", "Time to an answer, waiting included."),
        )

    def answered(self, kind: str, verdict: str, since: float) -> None:
        """Count one answer that was begun at ``since`` on the performance counter."""
        self.answers.add(1, {"opswm.answer.kind": kind, "opswm.verdict": verdict})
        self.duration.record(perf_counter() - since, {"opswm.answer.kind": kind})


@dataclass(frozen=True)
class Services:
    """What the application answers with.

    Attributes:
        store: Data at rest.
        clock: What "now" is.
        tenant_id: Whose systems it answers for.
        questions: Where questions to the model wait for their turn.
        uploads: Where recordings wait to be validated and stored.
        probes: Threads for readiness alone.
        metrics: Own instruments.
        ready_advisor: Who answers; None while there is no world model.
        model_problem: Why there is none.
    """

    store: Store
    clock: Clock
    tenant_id: str
    questions: WorkQueue
    uploads: WorkQueue
    probes: anyio.CapacityLimiter
    metrics: Metrics
    ready_advisor: Advisor | None
    model_problem: str = ""

    @property
    def advisor(self) -> Advisor:
        """Who answers questions.

        Raises:
            ProblemError: 503 while there is no world model.
        """
        if self.ready_advisor is None:
            detail = "there is no world model to answer with: its checkpoint could not be loaded; see the service's log"
            raise ProblemError(503, detail, kind="not-ready", headers={"Retry-After": "30"})
        return self.ready_advisor

    def checks(self) -> dict[str, str]:
        """Return ``ok``, or what is wrong in words that may leave the service, for each part an answer needs."""
        return {
            "ledger": self._ledger(),
            "telemetry": self._telemetry(),
            "tables": self._tables(),
            "world_model": self._model(),
        }

    def _model(self) -> str:
        return "ok" if self.ready_advisor is not None else "the checkpoint could not be loaded"

    def _ledger(self) -> str:
        try:
            self.store.ledger.check()
        except OpswmError:
            return "cannot be read"
        return "ok"

    def _telemetry(self) -> str:
        try:
            self.store.telemetry.check()
        except OpswmError:
            return "cannot be read"
        return "ok"

    def _tables(self) -> str:
        telemetry = self.store.telemetry
        return (telemetry.filling_problem() if isinstance(telemetry, LoggedTelemetry) else "") or "ok"
