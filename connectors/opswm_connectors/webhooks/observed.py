"""Actions and events as webhooks tell them: made whole, or left out with the reason."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from opswm_connectors.webhooks.delivery import Facts
from opswm_connectors.webhooks.places import Place
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.plausible import clock_problem
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event

ActorKind = Literal["human", "bot", "autoscaler", "fault_injector"]

Step = tuple[ActionStatus, datetime, str]
"""A status that was reached, when, and a note on it."""


def facts_of(told: str, make: Callable[[], Action | Event]) -> Facts:
    """Return what a delivery tells, or why it is left out.

    Args:
        told: What it is about, for the reason.
        make: Puts the action or event together.
    """
    try:
        found = make()
    except ValidationError as problem:
        return Facts(left_out=(f"{told}: {problem.errors()[0]['msg']}",))
    dated = found.transitions if isinstance(found, Action) else [found]
    early = [why for fact in dated if (why := clock_problem(fact))]
    if early:
        return Facts(left_out=(f"{told}: {early[0]}",))
    return Facts(actions=(found,)) if isinstance(found, Action) else Facts(events=(found,))


def observed_action(
    system: SystemKey,
    source: str,
    event_id: str,
    place: Place,
    params: Parameters,
    steps: Sequence[Step],
    known_at: datetime,
    actor: tuple[ActorKind, str],
) -> Action:
    """Return an observed action.

    Args:
        system: Whose.
        source: Name of the system that told it.
        event_id: What the source calls the action; the same for everything that is told about it.
        place: The entity meant, with how sure that is.
        params: Of its type.
        steps: Statuses that were reached, when, and a note on each.
        known_at: When this was told.
        actor: Kind and name of who did it; an empty name becomes ``unknown``.

    Raises:
        pydantic.ValidationError: When an id or a note is too long or empty.
    """
    return Action(
        action_id=f"{source}:{event_id}",
        tenant_id=system.tenant_id,
        system_id=system.system_id,
        type=params.type,
        target=Target(entity_id=place.entity_id),
        params=params,
        transitions=[
            Transition(status=status, event_at=at, known_at=known_at, source=source, note=note)
            for status, at, note in steps
        ],
        actor=Actor(kind=actor[0], id=actor[1] or "unknown"),
        source=Source(system=source, event_id=event_id),
        confidence=place.confidence,
    )
