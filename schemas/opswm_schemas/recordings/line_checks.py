"""What events and actions of a recording must obey: known entities, unique ids, sane clocks, one system."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from opswm_schemas.actions.record import Action
from opswm_schemas.actions.redaction import redact_action
from opswm_schemas.base import Fact
from opswm_schemas.plausible import MAX_CLOCK_LEAD
from opswm_schemas.recordings.manifest import ACTIONS_FILE, EVENTS_FILE
from opswm_schemas.recordings.problem import Problem
from opswm_schemas.recordings.table_checks import Context
from opswm_schemas.telemetry import Event

_UNKNOWN_ENTITY = "add the entity to the descriptor, or correct its id"


def event_problems(events: Mapping[int, Event], context: Context) -> list[Problem]:
    """Return every problem of the events.

    Args:
        events: By line number.
        context: What to hold them against.
    """
    problems = list(_repeated(EVENTS_FILE, "event_id", ((line, event.event_id) for line, event in events.items())))
    known = _entities(context)
    for line, event in events.items():
        problems += _clock_problems(EVENTS_FILE, line, "", event, context)
        if known is not None and event.entity_id is not None and event.entity_id not in known:
            what = f"event {event.event_id!r} names entity {event.entity_id!r}, which the descriptor does not list"
            problems.append(Problem(file=EVENTS_FILE, row=line, field="entity_id", what=what, fix=_UNKNOWN_ENTITY))
    return problems


def action_problems(actions: Mapping[int, Action], context: Context) -> list[Problem]:
    """Return every problem of the actions; contradictions are notes, since what was observed is kept.

    Args:
        actions: By line number.
        context: What to hold them against.
    """
    problems = list(
        _repeated(ACTIONS_FILE, "action_id", ((line, action.action_id) for line, action in actions.items()))
    )
    for line, action in actions.items():
        problems += _system_problems(line, action, context)
        problems += _target_problems(line, action, context)
        for index, fact in enumerate(action.transitions):
            problems += _clock_problems(ACTIONS_FILE, line, f"transitions.{index}.", fact, context)
        problems += _notes(line, action)
    return problems


def _system_problems(line: int, action: Action, context: Context) -> Iterable[Problem]:
    descriptor = context.descriptor
    if descriptor is None:
        return
    for field in ("tenant_id", "system_id"):
        given, expected = getattr(action, field), getattr(descriptor, field)
        if given != expected:
            what = f"action {action.action_id!r} has {field} {given!r}, the descriptor {expected!r}"
            yield Problem(file=ACTIONS_FILE, row=line, field=field, what=what, fix="keep a recording to one system")


def _target_problems(line: int, action: Action, context: Context) -> Iterable[Problem]:
    known = _entities(context)
    if known is None:
        return
    named = [("target.entity_id", action.target.entity_id)]
    named += [(f"resolved_targets.{index}", target) for index, target in enumerate(action.resolved_targets)]
    for field, target in named:
        if target is not None and target not in known:
            what = f"action {action.action_id!r} is aimed at {target!r}, which the descriptor does not list"
            yield Problem(file=ACTIONS_FILE, row=line, field=field, what=what, fix=_UNKNOWN_ENTITY)


def _notes(line: int, action: Action) -> Iterable[Problem]:
    def note(field: str, what: str, fix: str) -> Problem:
        what = f"action {action.action_id!r} {what}"
        return Problem(file=ACTIONS_FILE, row=line, field=field, what=what, fix=fix, severity="note")

    if not action.transitions:
        yield note("transitions", "has no facts, so no read as of any moment sees it", "add at least one transition")
    if not action.targets:
        yield note("resolved_targets", "has a selector that was not resolved", "list the entities it acted on")
    for contradiction in action.contradictions():
        yield note("transitions", f"contradicts itself: {contradiction}", "nothing to do, both facts are kept")
    _, revealing = redact_action(action)
    for field in revealing:
        yield note(field, "holds what looks secret or personal", "write it with RecordingWriter, which takes it out")


def _repeated(file: str, field: str, ids: Iterable[tuple[int, str]]) -> Iterable[Problem]:
    first: dict[str, int] = {}
    for line, identifier in ids:
        if identifier in first:
            what = f"{field} {identifier!r} was used on line {first[identifier]} already"
            yield Problem(
                file=file, row=line, field=field, what=what, fix="fold what belongs together, or give it another id"
            )
        first.setdefault(identifier, line)


def _clock_problems(file: str, line: int, place: str, fact: Fact, context: Context) -> Iterable[Problem]:
    event_at, known_at = fact.event_at, fact.known_at
    if context.since is not None and context.until is not None and not context.since <= event_at <= context.until:
        what = f"{event_at.isoformat()} is outside the interval {_interval(context.since, context.until)}"
        fix = "widen 'since' and 'until' in the manifest, or leave the fact out"
        yield Problem(file=file, row=line, field=f"{place}event_at", what=what, fix=fix)
    if known_at < event_at - MAX_CLOCK_LEAD:
        what = f"known at {known_at.isoformat()}, more than a day before it happened at {event_at.isoformat()}"
        fix = "check timezone and unit of both clocks at the source"
        yield Problem(file=file, row=line, field=f"{place}known_at", what=what, fix=fix)


def _interval(since: datetime, until: datetime) -> str:
    return f"{since.isoformat()} to {until.isoformat()}"


def _entities(context: Context) -> set[str] | None:
    return None if context.descriptor is None else {entity.entity_id for entity in context.descriptor.entities}
