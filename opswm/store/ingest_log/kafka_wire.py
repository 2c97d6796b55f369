"""What an ingest log writes to Kafka: one message per call, and compacted records that outlive trimming."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from opswm.errors import StoreError
from opswm.store.ingest_log.bodies import Body
from opswm.store.ingest_log.deliveries import Delivery, Name

BATCHES: Final = "opswm.batches"
SKIP: Final = "opswm.skip"
"""Headers of messages: what the value holds, or behind which offset the next batch comes."""

_NAME: Final = "name"
_TRIM: Final = "trim"

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Entry:
    """One batch as the header of its message describes it.

    Attributes:
        size: Bytes of its body in the value of the message, behind those of the batches before it.
    """

    name: Name
    content: int
    first_known_us: int
    codec: int
    plain_bytes: int
    checksum: int
    size: int


@dataclass(frozen=True)
class Known:
    """What stays known of a batch."""

    offset: int
    content: int
    first_known_us: int


@dataclass(frozen=True)
class Trim:
    """A point up to which readings were dropped.

    Attributes:
        through: The last offset whose readings are gone.
        position: In the partition, the first message that holds later ones.
        base: The last offset before that message.
    """

    through: int
    position: int
    base: int


def message(deliveries: Sequence[Delivery]) -> tuple[bytes, Headers]:
    """Return value and headers of the message of one call."""
    described = [
        (*one.name, one.content, one.first_known_us, body.codec, body.plain_bytes, body.checksum, len(body.data))
        for one in deliveries
        for body in (one.body,)
    ]
    return b"".join(one.body.data for one in deliveries), [(BATCHES, json.dumps(described).encode())]


def skip(offset: int) -> Headers:
    """Return the headers of a message behind which the next batch comes behind an offset."""
    return [(SKIP, str(offset).encode())]


def entries(headers: Headers) -> list[Entry]:
    """Return what a message holds; nothing where it is none of an ingest log's batches.

    Raises:
        StoreError: When its header cannot be read.
    """
    described = dict(headers).get(BATCHES)
    if described is None:
        return []
    try:
        return [Entry((row[0], row[1], row[2], row[3]), *row[4:]) for row in json.loads(described)]
    except (ValueError, TypeError, IndexError) as problem:
        raise StoreError(f"a message of the ingest log cannot be read: {problem}") from problem


def skipped(headers: Headers) -> int:
    """Return the offset that a message skips to, 0 where it does not."""
    return int(dict(headers).get(SKIP, b"0"))


def bodies(held: Sequence[Entry], value: bytes) -> list[Body]:
    """Return the body of each batch of a message."""
    found = []
    at = 0
    for entry in held:
        found.append(Body(entry.codec, entry.plain_bytes, entry.checksum, value[at : at + entry.size]))
        at += entry.size
    return found


def name_record(name: Name, known: Known) -> tuple[bytes, bytes]:
    """Return key and value of the record that keeps a name."""
    return _packed([_NAME, *name]), _packed([known.offset, known.content, known.first_known_us])


def trim_record(trim: Trim) -> tuple[bytes, bytes]:
    """Return key and value of the record of a point up to which readings were dropped; each point has its own key."""
    return _packed([_TRIM, trim.through]), _packed([trim.through, trim.position, trim.base])


def record(key: bytes, value: bytes) -> Trim | tuple[Name, Known]:
    """Return what a compacted record says.

    Raises:
        StoreError: When it cannot be read.
    """
    try:
        kind, *words = json.loads(key)
        numbers: list[Any] = json.loads(value)
        if kind == _TRIM:
            return Trim(*numbers)
        tenant, system, source, batch_id = words
        return (tenant, system, source, batch_id), Known(*numbers)
    except (ValueError, TypeError) as problem:
        raise StoreError(f"a record of the ingest log's names cannot be read: {problem}") from problem


def _packed(words: list[Any]) -> bytes:
    return json.dumps(words, separators=(",", ":")).encode()
