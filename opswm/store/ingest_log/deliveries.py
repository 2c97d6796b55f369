"""What becomes of a batch before any log keeps it: checked, ordered, numbered and turned into bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow.compute as pc

from opswm.errors import BadInputError
from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order
from opswm.store.ingest_log.bodies import Body, encode
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import Batch

MAX_NAME_BYTES: Final = 1_024
"""Longest tenant, system, source or batch id."""

Name = tuple[str, str, str, str]
"""Tenant, system, source and batch id: what a delivery is known by."""


@dataclass(frozen=True)
class Delivery:
    """A batch that may be kept.

    Attributes:
        name: What it is known by.
        content: Stands for what it says; see :func:`~opswm.store.batches.content_number`.
        first_known_us: When the first of it was known, microseconds since 1970.
        num_rows: How many readings it has.
        body: The readings, ordered by channel, then time.
    """

    name: Name
    content: int
    first_known_us: int
    num_rows: int
    body: Body


def deliveries(batches: Sequence[Batch]) -> list[Delivery]:
    """Return batches as they will be kept, or refuse all of them.

    Raises:
        BadInputError: When one cannot be admitted, has no usable name, or two of one name say different things.
    """
    made: dict[Name, Delivery] = {}
    found = []
    for batch in batches:
        delivery = _delivery(batch)
        same = made.setdefault(delivery.name, delivery)
        require_same_content(delivery, same.content)
        found.append(same)
    return found


def require_same_content(delivery: Delivery, known: int) -> None:
    """Check that a delivery says what the one of its name said before.

    Raises:
        BadInputError: When it does not.
    """
    if known != delivery.content:
        *_, source, batch_id = delivery.name
        raise BadInputError(
            f"batch {batch_id!r} of source {source!r} was stored before with other content; a repeated batch must be "
            "identical, send changed readings under a new batch id"
        )


def name_of(batch: Batch) -> Name:
    """Return what a batch is known by.

    Raises:
        BadInputError: When a part of it cannot be kept.
    """
    name = (batch.system.tenant_id, batch.system.system_id, batch.source, batch.batch_id)
    for what, text in zip(("tenant_id", "system_id", "source", "batch_id"), name, strict=True):
        _require_name(what, text)
    return name


def _delivery(batch: Batch) -> Delivery:
    name = name_of(batch)
    table = in_order(admit_metrics(batch.table))
    first = pc.min(table["known_at"]).cast(INSTANT).value
    return Delivery(name, content_number(table), int(first), table.num_rows, encode(table))


def _require_name(what: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as problem:
        raise BadInputError(f"{what} {text!r} is no Unicode text; give characters that UTF-8 can hold") from problem
    if not 0 < size <= MAX_NAME_BYTES or "\0" in text:
        raise BadInputError(
            f"{what} {text[:40]!r} has {size} bytes; allowed are 1 to {MAX_NAME_BYTES}, and no NUL among them"
        )
