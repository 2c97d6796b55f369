"""Incidents in and out of the database: updates appended once each, folded again when somebody reads."""

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, insert, select

from opswm.errors import BadInputError
from opswm.store.ledger_tables import INCIDENT_UPDATES, to_microseconds
from opswm.store.redaction import redact_incident_update
from opswm.store.system_rows import key_of, lock_system, take_numbers, within
from opswm_schemas.incidents import Incident, IncidentUpdate
from opswm_schemas.ports import SystemKey

_COLUMNS = INCIDENT_UPDATES.c
_MOST: Final = 1_000
"""What the contract of an incident has room for."""


def add_incident(connection: Connection, incident: Incident) -> Incident:
    """Append the updates that are not stored yet and return the incident with all that is known of it.

    Raises:
        BadInputError: When the incident would have more updates than one holds.
        NotFoundError: When the system is not registered.
    """
    system = SystemKey(incident.tenant_id, incident.system_id)
    lock_system(connection, system)
    this = _COLUMNS.incident_id == incident.incident_id
    stored = set(connection.scalars(select(_COLUMNS.digest).where(within(INCIDENT_UPDATES, system), this)))
    new: dict[str, tuple[IncidentUpdate, str]] = {}
    for update in map(redact_incident_update, incident.updates):
        document = update.model_dump_json()
        digest = hashlib.sha256(document.encode()).hexdigest()
        if digest not in stored:
            new[digest] = (update, document)
    if (count := len(stored) + len(new)) > _MOST:
        raise BadInputError(
            f"incident {incident.incident_id!r} would have {count} updates, the most is {_MOST}; "
            "check whether its source reports the same over and over"
        )
    if new:
        key = {**key_of(system), "incident_id": incident.incident_id}
        rows = [
            {**key, "sequence": number, "known_at_us": to_microseconds(update.known_at), "digest": digest,
             "document": document}
            for (digest, (update, document)), number in zip(
                new.items(), take_numbers(connection, system, len(new)), strict=True
            )
        ]  # fmt: skip
        connection.execute(insert(INCIDENT_UPDATES), rows)
    (found,) = _read(connection, system, this)
    return found


def read_incidents(connection: Connection, system: SystemKey, as_of: datetime) -> list[Incident]:
    """Return incidents with only what was known at a moment, by when each was opened, then by id."""
    found = _read(connection, system, _COLUMNS.known_at_us <= to_microseconds(as_of))
    return sorted(found, key=lambda incident: (incident.opened_at, incident.incident_id))


def _read(connection: Connection, system: SystemKey, wanted: ColumnElement[bool]) -> list[Incident]:
    query = select(_COLUMNS.incident_id, _COLUMNS.document).where(within(INCIDENT_UPDATES, system), wanted)
    updates: dict[str, list[IncidentUpdate]] = defaultdict(list)
    for row in connection.execute(query.order_by(_COLUMNS.known_at_us, _COLUMNS.sequence)):
        updates[row.incident_id].append(IncidentUpdate.model_validate_json(row.document))
    return [
        Incident(incident_id=name, tenant_id=system.tenant_id, system_id=system.system_id, updates=known)
        for name, known in updates.items()
    ]
