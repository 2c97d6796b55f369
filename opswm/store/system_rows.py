"""What every row of the ledger is kept under: its system, and the numbers handed out within it."""

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, select, update

from opswm.errors import NotFoundError
from opswm.store.ledger_tables import SYSTEMS
from opswm_schemas.ports import SystemKey


def key_of(system: SystemKey) -> dict[str, str]:
    """Return the leading key columns."""
    return {"tenant_id": system.tenant_id, "system_id": system.system_id}


def within(table: Table, system: SystemKey) -> ColumnElement[bool]:
    """Return the condition that a row belongs to a system."""
    return and_(table.c.tenant_id == system.tenant_id, table.c.system_id == system.system_id)


def require_system(connection: Connection, system: SystemKey) -> int:
    """Return the number of a system's last fact.

    Raises:
        NotFoundError: When the system is not registered.
    """
    return _found(system, connection.scalar(_sequence_of(system)))


def lock_system(connection: Connection, system: SystemKey) -> int:
    """As :func:`require_system`, and let no other transaction write about the system until this one ends.

    SQLite has one writer at a time anyway. Where a transaction writes about several systems, it locks them in one
    order, so that two never wait for each other.
    """
    return _found(system, connection.scalar(_sequence_of(system).with_for_update()))


def take_numbers(connection: Connection, system: SystemKey, count: int) -> range:
    """Return the next numbers of a system; the row lock it takes keeps two writers from sharing one."""
    counted = update(SYSTEMS).where(within(SYSTEMS, system)).values(sequence=SYSTEMS.c.sequence + count)
    last: int = connection.execute(counted.returning(SYSTEMS.c.sequence)).scalar_one()
    return range(last - count + 1, last + 1)


def _sequence_of(system: SystemKey) -> Select[int]:
    return select(SYSTEMS.c.sequence).where(within(SYSTEMS, system))


def _found(system: SystemKey, sequence: int | None) -> int:
    if sequence is None:
        raise NotFoundError(
            f"system {system.system_id!r} of tenant {system.tenant_id!r} is not registered; "
            "register its descriptor first"
        )
    return sequence
