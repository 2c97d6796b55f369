"""What a batch of readings must be before a store writes any of it: the metric columns, finite, dated, in UTC."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm_schemas.base import EARLIEST, LATEST
from opswm_schemas.columns import METRICS

_UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "Z", "+00:00"})
_SHOWN: Final = 5
_EARLIEST_US, _LATEST_US = (int(moment.timestamp()) * 1_000_000 for moment in (EARLIEST, LATEST))
_OF_HISTOGRAMS: Final = ("upper_bounds", "counts", "histogram_scale")
_KEPT: Final = pa.schema([field.with_nullable(True) for field in METRICS])

MAX_CHANNEL_ID_BYTES: Final = 1_024
"""Longest channel id of a reading; what is longer is no name, and no descriptor lists it."""


def admit_metrics(table: pa.Table) -> pa.Table:
    """Return a batch with exactly the columns and types of ``METRICS``, or refuse it whole.

    Optional columns may be left out; numbers of other widths and other time resolutions are cast. Nothing
    else is repaired.

    Args:
        table: Readings, one a row.

    Raises:
        BadInputError: On missing or unknown columns, other types, naive or non-UTC instants, instants out
            of range, gigantic channel ids, nulls where something must stand, NaN or infinities, a row that is
            neither a number nor one histogram, or an impossible histogram; with the rows (counted from 0) and
            what to do.
    """
    if table.num_rows == 0:
        _check_columns(table)
        raise BadInputError("the batch has no rows; leave it out, or check the export that made it")
    table = typed_metrics(table)
    for name in ("channel_id", "event_at", "known_at"):
        if table[name].null_count:
            _refuse(pc.is_null(table[name]), f"column {name!r} is empty", "every reading needs it")
    lengths = np.asarray(pc.binary_length(table["channel_id"]))
    _refuse(
        lengths > MAX_CHANNEL_ID_BYTES,
        f"column 'channel_id' is longer than {MAX_CHANNEL_ID_BYTES} bytes",
        "check whether the source puts texts into its labels",
    )
    for name in ("event_at", "known_at"):
        instants = _instants(table[name])
        _refuse(
            (instants < _EARLIEST_US) | (instants >= _LATEST_US),
            f"column {name!r} is outside {EARLIEST:%Y} to {LATEST:%Y}",
            "check whether the source counts in seconds, milliseconds or nanoseconds",
        )
    for name in ("value", "zero_count"):
        if not _is_empty(table[name]) and not _is_finite(table[name]):
            _refuse(_not_finite(table[name]), f"column {name!r} is NaN or infinite", "leave out what was not measured")
    if table["value"].null_count or not all(_is_empty(table[name]) for name in _OF_HISTOGRAMS):
        _check_readings(table)
    return table


def typed_metrics(table: pa.Table) -> pa.Table:
    """Return a batch with exactly the columns and types of ``METRICS``, whatever stands in them.

    Raises:
        BadInputError: On missing or unknown columns and on other types, with what to do.
    """
    _check_columns(table)
    return _cast(table)


def _check_columns(table: pa.Table) -> None:
    unknown = [name for name in table.column_names if name not in METRICS.names]
    if unknown:
        raise BadInputError(f"unknown columns {unknown}; allowed are {METRICS.names}")
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    missing = [field.name for field in METRICS if not field.nullable and field.name not in table.column_names]
    if twice or missing:
        raise BadInputError(
            f"columns given twice: {twice}, columns missing: {missing}; needed are the columns {METRICS.names}"
        )


def _cast(table: pa.Table) -> pa.Table:
    columns = []
    for field in METRICS:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table[field.name]
        _check_type(field, column.type)
        try:
            # Resolutions finer than a microsecond are cut; every other loss is refused.
            same = column.type == field.type
            columns.append(column if same else column.cast(field.type, safe=not pa.types.is_timestamp(field.type)))
        except pa.ArrowInvalid as problem:
            raise BadInputError(f"column {field.name!r} cannot be read as {field.type}: {problem}") from problem
    return pa.table(columns, schema=_KEPT)


def _check_type(field: pa.Field, given: pa.DataType) -> None:
    if pa.types.is_timestamp(field.type):
        fits = pa.types.is_timestamp(given) and given.tz in _UTC_NAMES
        wanted = "timestamps with time zone UTC (naive and other zones are refused: convert them at the source)"
    elif pa.types.is_string(field.type):
        text = given.value_type if pa.types.is_dictionary(given) else given
        fits = pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text)
        wanted = "text"
    elif pa.types.is_list(field.type):
        is_list = pa.types.is_list(given) or pa.types.is_large_list(given)
        fits = pa.types.is_null(given) or (is_list and _is_number(given.value_type))
        wanted = "lists of numbers"
    else:
        fits = _is_number(given)
        wanted = "numbers"
    if not fits:
        raise BadInputError(f"column {field.name!r} holds {given}; allowed are {wanted}")


def _is_number(given: pa.DataType) -> bool:
    return bool(pa.types.is_floating(given) or pa.types.is_integer(given) or pa.types.is_null(given))


def _check_readings(table: pa.Table) -> None:
    number, histogram = _there(table["value"]), _there(table["counts"])
    classic, native = _there(table["upper_bounds"]), _there(table["histogram_scale"])
    _refuse(number == histogram, "a reading is neither or both of 'value' and 'counts'", "give one of them")
    _refuse(
        histogram != (classic ^ native),
        "'counts' goes with either 'upper_bounds' (classic) or 'histogram_scale' (native)",
        "give one of them with it, and neither with a plain value",
    )
    if histogram.any():
        rows = np.flatnonzero(histogram)
        _check_lists(table.take(rows), rows)


def _check_lists(table: pa.Table, rows: NDArray[np.int64]) -> None:
    counts, starts, lengths = _flat(table["counts"])
    _refuse(
        _in_lists(~(np.isfinite(counts) & (counts >= 0.0)), starts, lengths),
        "'counts' must be finite and >= 0",
        "",
        rows,
    )
    classic = _there(table["upper_bounds"])
    bounds, bound_starts, bound_lengths = _flat(table["upper_bounds"])
    _refuse(_in_lists(~np.isfinite(bounds), bound_starts, bound_lengths), "'upper_bounds' must be finite", "", rows)
    _refuse(
        classic & ((lengths != bound_lengths + 1) | (bound_lengths == 0)),
        "a classic histogram has one count per upper bound and one for the infinite bucket",
        "add the count of the infinite bucket, which is the number of all observations",
        rows,
    )
    for name, flat, begin, size, allowed in (
        ("counts", counts, starts, lengths, np.greater_equal),
        ("upper_bounds", bounds, bound_starts, bound_lengths, np.greater),
    ):
        falls = np.concatenate([[False], ~allowed(flat[1:], flat[:-1])]) if flat.size else np.zeros(0, dtype=bool)
        falls[begin[(begin < flat.size) & (size > 0)]] = False
        _refuse(classic & _in_lists(falls, begin, size), f"{name!r} of a classic histogram must increase", "", rows)


def _flat(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return all elements end to end (NaN where null), where each row's begin, and how many it has."""
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.float64)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return flat, np.cumsum(lengths) - lengths, lengths


def _in_lists(element: NDArray[np.bool_], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return per row whether any of its elements is marked."""
    total = np.concatenate([[0], np.cumsum(element)])
    return np.asarray(total[starts + lengths] > total[starts])


def _is_empty(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count == len(column))


def _there(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=bool)


def _instants(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.concatenate([np.asarray(chunk.view(pa.int64())) for chunk in column.chunks])


def _is_finite(column: pa.ChunkedArray) -> bool:
    """Whether there is a finite number in every row, at the cost of one look at each."""
    return not column.null_count and all(np.isfinite(chunk.to_numpy()).all() for chunk in column.chunks)


def _not_finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.invert(pc.is_finite(column)), False)


def _refuse(
    wrong: pa.ChunkedArray | NDArray[np.bool_], what: str, then: str, rows: NDArray[np.int64] | None = None
) -> None:
    found = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if found.size == 0:
        return
    numbers = found if rows is None else rows[found]
    shown = ", ".join(str(row) for row in numbers[:_SHOWN]) + (", ..." if found.size > _SHOWN else "")
    raise BadInputError(f"{what} in {found.size} row(s): {shown}" + (f"; {then}" if then else ""))
