"""Which entities had an alert firing in which tick, as far as that was known."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from opswm.timeline.grid import Grid, to_microseconds
from opswm_schemas.telemetry import Event


def known_events(events: Sequence[Event], at: datetime) -> tuple[Event, ...]:
    """Return the events known at a moment, in the order they happened, each id once."""
    ordered = sorted(events, key=lambda event: (event.event_at, event.known_at, event.event_id))
    known = {event.event_id: event for event in reversed(ordered) if event.known_by(at)}
    return tuple(event for event in ordered if known.get(event.event_id) is event)


def alerting(events: Sequence[Event], entity_index: Mapping[str, int], grid: Grid) -> NDArray[np.bool_]:
    """Return ``[T, num_entities]``: whether any alert on an entity fired at some time of a tick.

    An alert, told apart by entity and name, fires from ``alert_fired`` to the next ``alert_resolved``. One that
    was resolved without ever being seen to fire is not counted; one that was not resolved fires to the end.

    Args:
        events: From :func:`known_events`.
        entity_index: Position of each entity.
        grid: The ticks.
    """
    firing = np.zeros((grid.num_ticks, len(entity_index)), dtype=bool)
    open_since: dict[tuple[str, str], datetime] = {}

    def close(entity_id: str, since: datetime, until: datetime | None) -> None:
        until_us = None if until is None else to_microseconds(until)
        firing[:, entity_index[entity_id]] |= grid.spans(to_microseconds(since), until_us)

    for event in events:
        if event.entity_id is None or event.entity_id not in entity_index:
            continue
        alert = (event.entity_id, event.name)
        if event.type == "alert_fired":
            open_since.setdefault(alert, event.event_at)
        elif event.type == "alert_resolved" and alert in open_since:
            close(event.entity_id, open_since.pop(alert), event.event_at)
    for (entity_id, _), since in open_since.items():
        close(entity_id, since, None)
    return firing
