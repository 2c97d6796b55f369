"""Revisions of descriptors in and out of the database, each from the moment it was registered.

A question "as of" a moment reads the newest revision that was registered by then. The first revision of a system
holds for every earlier moment: a system that was registered today can still be asked about last week.
"""

import hashlib
import json
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.ledger_tables import DESCRIPTORS, SYSTEMS, to_microseconds
from opswm.store.system_rows import key_of, within
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey

_COLUMNS = DESCRIPTORS.c


def add_revision(
    connection: Connection, descriptor: SystemDescriptor, known_at: datetime
) -> tuple[SystemDescriptor, bool]:
    """Add a revision unless the latest says the same.

    Args:
        connection: In a transaction that may write.
        descriptor: The number that came with it is not used.
        known_at: When it is registered.

    Returns:
        The descriptor with its revision, and whether that is a new one.
    """
    system = SystemKey(descriptor.tenant_id, descriptor.system_id)
    digest = content_digest(descriptor)
    connection.execute(select(SYSTEMS.c.sequence).where(within(SYSTEMS, system)).with_for_update())
    newest_first = (
        select(_COLUMNS.revision, _COLUMNS.digest, _COLUMNS.known_at_us).order_by(_COLUMNS.revision.desc()).limit(1)
    )
    latest = connection.execute(newest_first.where(within(DESCRIPTORS, system))).first()
    if latest is not None and latest.digest == digest:
        return descriptor.model_copy(update={"revision": latest.revision}), False
    if latest is None:
        connection.execute(insert(SYSTEMS).values(**key_of(system), sequence=0))
    stored = descriptor.model_copy(update={"revision": 1 if latest is None else latest.revision + 1})
    # Where the clock stepped back, a revision is known no sooner than the one before: what held as of a moment stays.
    known_at_us = max(to_microseconds(known_at), 0 if latest is None else latest.known_at_us)
    row = {"revision": stored.revision, "known_at_us": known_at_us, "digest": digest}
    connection.execute(insert(DESCRIPTORS).values(**key_of(system), **row, document=stored.model_dump_json()))
    return stored, True


def revision_like(connection: Connection, descriptor: SystemDescriptor) -> int | None:
    """Return the latest revision that says what ``descriptor`` says, None where there is none."""
    system = SystemKey(descriptor.tenant_id, descriptor.system_id)
    same = select(func.max(_COLUMNS.revision)).where(within(DESCRIPTORS, system))
    revision: int | None = connection.scalar(same.where(_COLUMNS.digest == content_digest(descriptor)))
    return revision


def require_known_revision(connection: Connection, descriptor: SystemDescriptor, known_at: datetime) -> int:
    """Return the revision that says what a recording's descriptor says; the first one of an unknown system is added.

    Raises:
        BadInputError: When the system is known and no revision says that: a recording changes no live system.
    """
    revision = revision_like(connection, descriptor)
    if revision is not None:
        return revision
    system = SystemKey(descriptor.tenant_id, descriptor.system_id)
    latest: int | None = connection.scalar(select(func.max(_COLUMNS.revision)).where(within(DESCRIPTORS, system)))
    if latest is not None:
        raise BadInputError(
            f"the recording describes system {system.system_id!r} as none of its {latest} registered revision(s) does, "
            "and a recording changes no registered system; if the system is so now, register that descriptor first, "
            "else store the recording under a system_id of its own"
        )
    return add_revision(connection, descriptor, known_at)[0].revision


def read_revision(
    connection: Connection, system: SystemKey, revision: int | None, as_of: datetime | None
) -> SystemDescriptor:
    """Return one revision: the one named, else the one that held at a moment, else the latest.

    Raises:
        NotFoundError: When the system or the revision is not there.
    """
    query = select(_COLUMNS.document).where(within(DESCRIPTORS, system)).order_by(_COLUMNS.revision.desc()).limit(1)
    if revision is not None:
        document = connection.scalar(query.where(_COLUMNS.revision == revision))
    elif as_of is not None:
        document = connection.scalar(query.where(_COLUMNS.known_at_us <= to_microseconds(as_of)))
        if document is None:  # the first revision holds for all moments before it
            document = connection.scalar(query.order_by(None).order_by(_COLUMNS.revision))
    else:
        document = connection.scalar(query)
    if document is None:
        wanted = "" if revision is None else f", revision {revision},"
        raise NotFoundError(f"system {system.system_id!r} of tenant {system.tenant_id!r}{wanted} is not registered")
    return SystemDescriptor.model_validate_json(document)


def latest_revisions(connection: Connection, tenant_id: str) -> list[SystemDescriptor]:
    """Return the latest descriptor of each system of a tenant, by system id; earlier revisions are not read."""
    latest = (
        select(_COLUMNS.system_id, func.max(_COLUMNS.revision).label("revision"))
        .where(_COLUMNS.tenant_id == tenant_id)
        .group_by(_COLUMNS.system_id)
        .subquery()
    )
    same = and_(_COLUMNS.system_id == latest.c.system_id, _COLUMNS.revision == latest.c.revision)
    query = select(_COLUMNS.document).join(latest, same).where(_COLUMNS.tenant_id == tenant_id)
    found = [SystemDescriptor.model_validate_json(document) for document in connection.scalars(query)]
    return sorted(found, key=lambda descriptor: descriptor.system_id)  # databases differ in how they order text


def content_digest(descriptor: SystemDescriptor) -> str:
    """Return a digest of what a descriptor says, its number left out."""
    content = descriptor.model_dump(mode="json", exclude={"revision"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
