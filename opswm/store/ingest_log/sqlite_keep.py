"""One transaction of an SQLite ingest log: calls that came together, each kept whole, refused, or known already."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

from opswm.errors import BadInputError, LogFullError
from opswm.store.ingest_log.bodies import Body
from opswm.store.ingest_log.deliveries import Delivery, Name, require_same_content

HOUR_US = 3_600_000_000
"""Length of the intervals in which batches are summed up, microseconds."""


_NEVER_US = -(1 << 62)
"""Stands for the first moment of a batch that is not in the log, so that no question as of a moment counts it."""


def keep(
    connection: sqlite3.Connection, calls: Sequence[Sequence[Delivery]], max_bytes: int, retry_after_s: float
) -> list[list[int] | Exception]:
    """Insert what is new, within a transaction that the caller began and commits.

    Args:
        connection: In a transaction that may write.
        calls: Deliveries that came together.
        max_bytes: The log may hold so much that is not trimmed.
        retry_after_s: What a refused sender is told.

    Returns:
        For each call the offsets of its deliveries, or why nothing of it was kept.

    Raises:
        sqlite3.Error: When it cannot be written; then the caller rolls everything back.
    """
    end, kept_bytes = connection.execute("SELECT end, kept_bytes FROM log").fetchone()
    places: dict[Name, tuple[int, int]] = {}
    new: list[tuple[int, Delivery]] = []
    answers: list[list[int] | Exception] = []
    for call in calls:
        for delivery in call:
            if delivery.name not in places and (place := _place(connection, delivery.name)) is not None:
                places[delivery.name] = place
        unknown = {delivery.name: delivery for delivery in call if delivery.name not in places}
        size = sum(len(delivery.body.data) for delivery in unknown.values())
        try:
            for delivery in call:
                if delivery.name in places:
                    require_same_content(delivery, places[delivery.name][1])
            if unknown and kept_bytes + size > max_bytes:
                raise LogFullError(
                    f"the ingest log holds {kept_bytes} bytes that are in no table yet, of {max_bytes} allowed; "
                    f"nothing was kept, send it again in {retry_after_s:g} s",
                    retry_after_s,
                )
        except (BadInputError, LogFullError) as refusal:
            answers.append(refusal)
            continue
        for delivery in unknown.values():
            end += 1
            places[delivery.name] = (end, delivery.content)
            new.append((end, delivery))
        kept_bytes += size
        answers.append([places[delivery.name][0] for delivery in call])
    _insert(connection, new, end, kept_bytes)
    return answers


def reserve(connection: sqlite3.Connection, name: Name, content: int) -> int:
    """Keep a name for a batch that is stored elsewhere, within a transaction; return what the name stands for.

    It has no offset and is not counted among the batches of the log.

    Raises:
        sqlite3.Error: When it cannot be written.
    """
    place = _place(connection, name)
    if place is not None:
        return place[1]
    connection.execute("INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?)", (*name, 0, content, _NEVER_US))
    return content


def _place(connection: sqlite3.Connection, name: Name) -> tuple[int, int] | None:
    found: tuple[int, int] | None = connection.execute(
        "SELECT offset, content FROM names WHERE tenant_id = ? AND system_id = ? AND source = ? AND batch_id = ?", name
    ).fetchone()
    return found


def _insert(connection: sqlite3.Connection, new: list[tuple[int, Delivery]], end: int, kept_bytes: int) -> None:
    if not new:
        return
    connection.executemany(
        "INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((offset, *one.name, *_columns(offset, one)) for offset, one in new),
    )
    connection.executemany(
        "INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((*one.name, offset, one.content, one.first_known_us) for offset, one in new),
    )
    hours = Counter((one.name[0], one.name[1], one.first_known_us // HOUR_US) for _, one in new)
    connection.executemany(
        "INSERT INTO known_hours VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET num_batches = num_batches + excluded.num_batches",
        ((*hour, number) for hour, number in hours.items()),
    )
    connection.execute("UPDATE log SET end = ?, kept_bytes = ?", (end, kept_bytes))


def _columns(offset: int, one: Delivery) -> tuple[int, int, int, int, bytes]:
    body = one.body
    return body.codec, body.plain_bytes, len(body.data), row_checksum(offset, one.name, body), body.data


def row_checksum(offset: int, name: Name, body: Body) -> int:
    """Return a CRC-32 over a row of ``bodies``, so that a damaged one is never taken for what was written."""
    return crc32(repr((offset, *name, body.codec, body.plain_bytes)).encode(), body.checksum)
