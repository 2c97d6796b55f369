"""The actions that were already under way or done at the decision, as far as that was known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from opswm.action_features import action_features, affects_matrix
from opswm.tensors import ActionSlots
from opswm.timeline.timeline import Timeline
from opswm.windows.capabilities import matching_capability, targets_of, touches_of
from opswm.windows.history import state_at
from opswm.windows.layout import Layout
from opswm.windows.parameters import plain_parameters
from opswm.windows.slots import ActionRow, pack
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import SystemDescriptor

MAX_PAST_ACTIONS: Final = 32
"""The latest ones are kept; an autoscaler may act more often than a window has room for."""

_REQUESTS: Final = ("approved", "scheduled", "started")
_NOT_DONE: Final = frozenset({"proposed", "rejected", "expired"})


def requested_at(action: Action, as_of: datetime) -> datetime | None:
    """Return when an action was asked of the system, as known at a moment; None if it was not, as far as known.

    A proposal waits for people, so approval counts first, then scheduling, then the start. A proposal that
    was never approved, was refused or ran out was not asked of the system; nor was one cancelled before it
    started. A record that holds endings alone was asked for by the first of them.

    Args:
        action: A logged action.
        as_of: Only facts known by then count.
    """
    status = action.status_as_of(as_of)
    known = {fact.status for fact in action.transitions if fact.known_by(as_of)}
    if not known or status in _NOT_DONE or (status == "cancelled" and "started" not in known):
        return None
    moments = [action.first_at(request, as_of) for request in _REQUESTS if request in known]
    stated = next((moment for moment in moments if moment is not None), None)
    if stated is not None:
        return stated
    return min(fact.event_at for fact in action.transitions if fact.known_by(as_of) and fact.status != "proposed")


def encode_past(
    descriptor: SystemDescriptor, layout: Layout, timeline: Timeline, context_ticks: int, ignore: Sequence[str] = ()
) -> ActionSlots:
    """Return what was done within the context, with parameters relative to the state it met then.

    Only transitions known at the decision are read; outcomes and estimated effects never are.

    Args:
        descriptor: The system.
        layout: Its layout.
        timeline: Up to the decision.
        context_ticks: How far back.
        ignore: Ids of actions to leave out (those that a training sample asks about).
    """
    at, step_s, num_ticks = timeline.at, descriptor.step_s, timeline.value.shape[0]
    rows: list[tuple[float, str, ActionRow]] = []
    for action in timeline.actions:
        requested = requested_at(action, at)
        if requested is None or requested > at or action.action_id in ignore:
            continue
        tick = (requested - at).total_seconds() / step_s
        targets = tuple(layout.entity[identifier] for identifier in targets_of(descriptor, action))
        if tick < -context_ticks or not targets:
            continue
        met = max(0, num_ticks - int(np.ceil(-tick)))
        named = descriptor.entities[targets[0]].entity_id
        capability = matching_capability(descriptor, action.params, named)
        row = ActionRow(
            type=action.type,
            targets=targets,
            features=action_features(
                action.type,
                plain_parameters(action.params, named, action.previous_params, capability),
                state_at(layout, timeline.value[:met], timeline.seen[:met], targets),
            ),
            affects=affects_matrix(touches_of(capability, layout), targets, layout.num_entities),
            tick=tick,
            finished=action.status_as_of(at) == "succeeded",
            automatic=action.actor.kind != "human",
        )
        rows.append((tick, action.action_id, row))
    rows.sort(key=lambda item: item[:2])
    return pack([[row for _, _, row in rows[-MAX_PAST_ACTIONS:]]], layout.num_entities)
