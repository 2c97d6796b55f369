"""Nothing secret or personal is written to the ledger, whichever way a fact came in."""

from typing import Final

from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.actions.redaction import REDACTED, names_secret, redact_action, redact_text
from opswm_schemas.answers import RankedCourse, RankingAnswer
from opswm_schemas.incidents import IncidentUpdate
from opswm_schemas.outcomes import Outcome
from opswm_schemas.telemetry import Event

_TEXT_LIMIT: Final = 2_000


def redact_transition(fact: Transition) -> Transition:
    """Return a transition without secrets in its source and note."""
    return fact.model_copy(update={"source": _text(fact.source), "note": _text(fact.note)})


def redact_event(event: Event) -> Event:
    """Return an event without secrets in its name and attributes."""
    attributes = {
        name: REDACTED if names_secret(name, value) else _text(value) for name, value in event.attributes.items()
    }
    return event.model_copy(update={"name": _text(event.name), "attributes": attributes})


def redact_incident_update(update: IncidentUpdate) -> IncidentUpdate:
    """Return an update of an incident without secrets in its texts."""
    title = None if update.title is None else _text(update.title)
    return update.model_copy(update={"title": title, "source": _text(update.source), "note": _text(update.note)})


def redact_outcome(outcome: Outcome) -> Outcome:
    """Return an outcome without secrets in what is said of its source."""
    told = {
        name: None if text is None else _text(text)
        for name, text in (
            ("system", outcome.source.system),
            ("event_id", outcome.source.event_id),
            ("raw_ref", outcome.source.raw_ref),
        )
    }
    return outcome.model_copy(update={"source": outcome.source.model_copy(update=told)})


def redact_answer(answer: RankingAnswer) -> RankingAnswer:
    """Return a ranking without secrets in the parameters of its courses."""
    return answer.model_copy(update={"ranked": [_redact_course(ranked, answer) for ranked in answer.ranked]})


def _redact_course(ranked: RankedCourse, answer: RankingAnswer) -> RankedCourse:
    actions = [
        asked.model_copy(update={"params": _redact_parameters(asked.params, answer)}) for asked in ranked.course.actions
    ]
    return ranked.model_copy(update={"course": ranked.course.model_copy(update={"actions": actions})})


def _redact_parameters(params: Parameters, answer: RankingAnswer) -> Parameters:
    asked = Action(
        action_id=answer.provenance.decision_id,
        system_id=answer.provenance.system_id,
        type=params.type,
        target=Target(entity_id=answer.provenance.system_id),
        params=params,
        actor=Actor(kind="bot", id="opswm"),
        source=Source(system="opswm"),
    )
    return redact_action(asked)[0].params


def _text(text: str) -> str:
    return redact_text(text)[:_TEXT_LIMIT]
