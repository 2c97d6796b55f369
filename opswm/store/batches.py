"""What makes a batch the same batch, and the order that readings are handed out in."""

import hashlib
from datetime import datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm_schemas.columns import INSTANT


def content_number(table: pa.Table) -> int:
    """Return a number in [0, 2**62) that stands for what a batch says, whatever its chunks and buffers.

    Two batches with the same rows in the same order have the same number. It is what tells a repeated
    delivery from other content under a used name.

    Args:
        table: An admitted batch.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(f"{name}:{column.type}:{len(column)};".encode())
        digest.update(_validity(column))
        if column.null_count == len(column):
            continue
        present = column if column.null_count == 0 else pc.drop_null(column)
        if pa.types.is_list(present.type):
            digest.update(np.asarray(pc.list_value_length(present)).tobytes())
            present = pc.list_flatten(present)
        if pa.types.is_string(present.type):
            digest.update(np.asarray(pc.binary_length(present)).data)
            digest.update(_characters(present))
        else:
            digest.update(_bytes(present))
    return int.from_bytes(digest.digest()[:8]) >> 2


def _validity(column: pa.Array) -> bytes:
    """Return one bit a row, the first one highest: whether there is something."""
    if column.null_count == 0:
        return _everywhere(len(column))
    if column.null_count == len(column):
        return bytes((len(column) + 7) // 8)
    return np.packbits(np.asarray(pc.is_valid(column), dtype=bool)).tobytes()


@lru_cache(maxsize=64)
def _everywhere(num_rows: int) -> bytes:
    return np.packbits(np.ones(num_rows, dtype=bool)).tobytes()


def _characters(texts: pa.Array) -> memoryview:
    """Return all texts end to end, in UTF-8, without a copy; none of them is null."""
    _, places, characters = texts.buffers()
    if len(texts) == 0 or characters is None:
        return memoryview(b"")
    ends = np.frombuffer(places, np.int32)
    return memoryview(characters)[ends[texts.offset] : ends[texts.offset + len(texts)]]


def _bytes(values: pa.Array) -> memoryview:
    if pa.types.is_timestamp(values.type):
        values = values.view(pa.int64())
    return np.ascontiguousarray(values).data


def require_same(batch_id: str, known: int, given: int) -> None:
    """Check that a batch delivered again says what it said before.

    Raises:
        BadInputError: When it does not.
    """
    if known != given:
        raise BadInputError(
            f"batch {batch_id!r} was stored before with other content; a repeated batch must be identical, "
            "send changed readings under a new batch id"
        )


def in_order(table: pa.Table) -> pa.Table:
    """Return readings by channel, then ``event_at``, then ``known_at``; equal rows keep their order.

    Args:
        table: Readings with the metric columns.
    """
    if table.num_rows < 2:
        return table
    channel = table["channel_id"].combine_chunks().dictionary_encode()
    if isinstance(channel, pa.ChunkedArray):
        channel = channel.combine_chunks()
    by_name = np.asarray(pc.sort_indices(channel.dictionary))
    if len(by_name) == table.num_rows:  # each channel once: rows stand in the order of the dictionary
        return table if np.all(by_name[1:] > by_name[:-1]) else _rows(table, by_name)
    rank = np.empty(len(by_name), dtype=np.int64)
    rank[by_name] = np.arange(len(rank))
    keys = [rank[np.asarray(channel.indices)], _instants(table["event_at"]), _instants(table["known_at"])]
    if _is_sorted(keys):
        return table
    return _rows(table, np.lexsort(keys[::-1]))


def _rows(table: pa.Table, order: NDArray[np.int64] | NDArray[np.uint64]) -> pa.Table:
    """Return rows in another order; columns that nobody filled stay as they are."""
    filled = table.select([name for name in table.column_names if table[name].null_count < table.num_rows])
    taken = filled.take(order)
    columns = [taken[name] if name in filled.column_names else table[name] for name in table.column_names]
    return pa.table(columns, schema=table.schema)


def last_of_steps(table: pa.Table, since: datetime, step_s: float | None) -> pa.Table:
    """Return the last reading of each channel in each step, or all of them where there is no step.

    Args:
        table: Readings in the order of :func:`in_order`, none before ``since``.
        since: Where the first step begins.
        step_s: Length of a step, above 0.

    Raises:
        BadInputError: When the step is not above 0.
    """
    if step_s is None or table.num_rows == 0:
        return table
    if not step_s > 0.0:
        raise BadInputError(f"step_s is {step_s}: give a step above 0 seconds, or none for every reading")
    channel = pc.rank(table["channel_id"].combine_chunks(), tiebreaker="min").to_numpy()
    step = (_instants(table["event_at"]) - _microseconds(since)) // max(1, round(step_s * 1e6))
    last = np.append((np.diff(channel) != 0) | (np.diff(step) != 0), True)
    return table.filter(pa.array(last))


def _microseconds(moment: datetime) -> int:
    return int(pa.scalar(moment, INSTANT).cast(pa.int64()).as_py())


def _instants(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _is_sorted(keys: list[NDArray[np.int64]]) -> bool:
    settled = np.zeros(keys[0].size - 1, dtype=bool)
    for key in keys:
        step = np.diff(key)
        if np.any((step < 0) & ~settled):
            return False
        settled |= step > 0
    return True
