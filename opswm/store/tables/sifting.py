"""Parts rows of a stream that can be stored from those that cannot, each with its reason.

A batch that somebody sends on purpose is refused whole, so that the sender learns of it. A stream has nobody to tell:
one bad row must not hold up the others, nor vanish.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.store.admission import admit_metrics, typed_metrics
from opswm_schemas.base import EARLIEST, LATEST
from opswm_schemas.columns import INSTANT, METRICS

Reason = Literal["unknown-system", "unknown-channel", "type", "missing", "time", "not-finite", "reading", "refused"]
"""Why rows were refused: system or channel are in no descriptor, a column has another type, something that must stand
is missing, an instant is absurd, a number is NaN or infinite, it is no reading, or the store refused the batch."""

_INSTANTS: Final = ("event_at", "known_at")


@dataclass(frozen=True)
class Refused:
    """Rows that are not stored.

    Attributes:
        reason: Why, for counting.
        detail: Why, in words.
        rows: As they came.
    """

    reason: Reason
    detail: str
    rows: pa.Table


@dataclass(frozen=True)
class Sifted:
    """A batch, parted.

    Attributes:
        admitted: What can be stored, in the columns of ``METRICS``; may have no rows.
        refused: The rest.
    """

    admitted: pa.Table
    refused: Sequence[Refused]


def sift(table: pa.Table, channel_ids: Collection[str]) -> Sifted:
    """Part a batch of a stream.

    Args:
        table: As it came.
        channel_ids: Channels of the system.
    """
    try:
        rows = typed_metrics(table)
    except BadInputError as problem:
        return Sifted(METRICS.empty_table(), (Refused("type", str(problem), table),))
    left = np.arange(table.num_rows)
    refused: list[Refused] = []
    for reason, detail, wrong in _checks(rows, channel_ids):
        bad = wrong[left]
        if bad.any():
            refused.append(Refused(reason, detail, table.take(left[bad])))
            left = left[~bad]
    good, faulty = _admitted(rows.take(left))
    refused += [Refused("reading", detail, table.take(left[[row]])) for row, detail in faulty]
    return Sifted(good, refused)


def _checks(rows: pa.Table, channel_ids: Collection[str]) -> Iterator[tuple[Reason, str, NDArray[np.bool_]]]:
    needed = ("channel_id", *_INSTANTS)
    yield "missing", f"one of {', '.join(needed)} is empty", np.any([_is_null(rows[name]) for name in needed], axis=0)
    early, late = (pa.scalar(moment, INSTANT) for moment in (EARLIEST, LATEST))
    absurd = [pc.or_(pc.less(rows[name], early), pc.greater_equal(rows[name], late)) for name in _INSTANTS]
    yield "time", f"an instant is outside {EARLIEST:%Y} to {LATEST:%Y}", np.any([_true(one) for one in absurd], axis=0)
    numbers = [pc.invert(pc.is_finite(rows[name])) for name in ("value", "zero_count")]
    yield "not-finite", "a number is NaN or infinite", np.any([_true(one) for one in numbers], axis=0)
    known = pc.is_in(rows["channel_id"], pa.array(sorted(channel_ids), pa.string()))
    yield "unknown-channel", "the descriptor lists no such channel", ~_true(known)


def _admitted(rows: pa.Table) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Return what the store admits and, by number, the rows it does not; few are asked for one by one."""
    pending, good, faulty = [(0, rows)], [METRICS.empty_table()], list[tuple[int, str]]()
    while pending:
        first, some = pending.pop()
        if some.num_rows == 0:
            continue
        try:
            good.append(admit_metrics(some).cast(METRICS))
        except BadInputError as problem:
            half = some.num_rows // 2
            if half == 0:
                faulty.append((first, str(problem)))
            else:
                pending += [(first + half, some.slice(half)), (first, some.slice(0, half))]
    return pa.concat_tables(good), faulty


def _is_null(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return _true(pc.is_null(column))


def _true(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)
