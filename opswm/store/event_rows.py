"""Events in and out of the database; an id stands for one event, and for what was first told about it."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from opswm.errors import BadInputError
from opswm.store.ledger_tables import EVENTS, to_microseconds
from opswm.store.redaction import redact_event
from opswm.store.system_rows import key_of, lock_system, take_numbers, within
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event

_LEARNED: Final = "known_at"
"""An event that is delivered again was learned again, so this may differ; the first is kept."""

_AT_ONCE: Final = 500


def add_events(
    connection: Connection,
    system: SystemKey,
    events: Iterable[Event],
    contradicted: Callable[[str], None] | None = None,
) -> int:
    """Add events, each id once; return how many were new.

    Args:
        connection: In a transaction that may write.
        system: Whose.
        events: Observed.
        contradicted: Told what is wrong with an event whose id stands for other content; the first told stays, and
            the others are stored. Where left out, all are refused.

    Raises:
        BadInputError: When an id stands for an event of other content, stored before or in the same batch, and
            nobody is told.
        NotFoundError: When the system is not registered.
    """
    lock_system(connection, system)
    given = [redact_event(event) for event in events]
    known = _stored(connection, system, {event.event_id for event in given})
    new: list[tuple[Event, str]] = []
    for event in given:
        document = event.model_dump_json()
        before = known.setdefault(event.event_id, document)
        if before is not document:
            try:
                _require_same(event.event_id, json.loads(before), json.loads(document))
            except BadInputError as problem:
                if contradicted is None:
                    raise
                contradicted(str(problem))
            continue
        new.append((event, document))
    if new:
        rows = [
            {
                **key_of(system),
                "event_id": event.event_id,
                "sequence": number,
                "event_at_us": to_microseconds(event.event_at),
                "known_at_us": to_microseconds(event.known_at),
                "document": document,
            }
            for (event, document), number in zip(new, take_numbers(connection, system, len(new)), strict=True)
        ]
        connection.execute(insert(EVENTS), rows)
    return len(new)


def read_events(connection: Connection, system: SystemKey, as_of: datetime) -> list[Event]:
    """Return events known by a moment, in the order they happened."""
    query = (
        select(EVENTS.c.document)
        .where(within(EVENTS, system), EVENTS.c.known_at_us <= to_microseconds(as_of))
        .order_by(EVENTS.c.event_at_us, EVENTS.c.sequence)
    )
    return [Event.model_validate_json(document) for document in connection.scalars(query)]


def last_known_event(connection: Connection, system: SystemKey, as_of: datetime) -> int:
    """Return the number of the last event that was known by a moment, 0 before the first."""
    known = EVENTS.c.known_at_us <= to_microseconds(as_of)
    return connection.scalar(select(func.max(EVENTS.c.sequence)).where(within(EVENTS, system), known)) or 0


def _stored(connection: Connection, system: SystemKey, event_ids: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    ordered = sorted(event_ids)
    for start in range(0, len(ordered), _AT_ONCE):
        some = EVENTS.c.event_id.in_(ordered[start : start + _AT_ONCE])
        query = select(EVENTS.c.event_id, EVENTS.c.document).where(within(EVENTS, system), some)
        found |= {row.event_id: row.document for row in connection.execute(query)}
    return found


def _require_same(event_id: str, before: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    names = (before.keys() | given.keys()) - {_LEARNED}
    differing = sorted(name for name in names if before.get(name) != given.get(name))
    if differing:
        raise BadInputError(
            f"event {event_id!r} was given before with another {', '.join(map(repr, differing))}; facts are never "
            "rewritten, send what is new under an event_id of its own"
        )
