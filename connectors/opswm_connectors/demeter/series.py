"""The measured series of a run, read whole and refused with file and row when they are not what they claim."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opswm_connectors.errors import TerminalSourceError

METRICS: Final = ("consumer_lag", "cpu_load", "latency", "task_managers", "task_slots", "throughput")
_NAN_IS_ABSENT: Final = frozenset({"consumer_lag"})
"""A Kafka consumer reports NaN for its lag until its first fetch; the other metrics are never NaN."""
_ZERO_IS_ABSENT: Final = frozenset({"latency"})
"""The latency histogram reads 0 until a first record has left a sink, which takes a window of a second at least."""
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800  # 2000 and 2100 in unix seconds


@dataclass(frozen=True)
class Series:
    """Readings of one metric in strictly rising order.

    Attributes:
        at: Unix seconds, UTC.
        value: In the unit of the source.
    """

    at: NDArray[np.int64]
    value: NDArray[np.float64]


def read_series(file: Path) -> dict[str, Series]:
    """Read ``metrics.parquet``: columns ``metric``, ``timestamp`` (unix seconds) and ``value``.

    An identical reading that is there twice is kept once, because the export repeats the seam between two
    queries. What a metric does not know yet (lag before the first fetch, latency before the first record) is left out.

    Raises:
        TerminalSourceError: When the file is truncated or no Parquet file, a column is missing or mistyped, a
            metric is missing or unknown, or a reading is NaN, infinite, out of order, or there twice with
            different values. Rows count from 0.
    """
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as problem:
        reason = str(problem).splitlines()[0]
        raise TerminalSourceError(f"{file} is truncated or no Parquet file ({reason}); copy it again") from problem
    _check_columns(file, table.schema)
    names = np.asarray(table["metric"].to_pylist())
    at, value = table["timestamp"].to_numpy(), table["value"].to_numpy().astype(np.float64)
    unknown = sorted(set(names.tolist()) - set(METRICS))
    missing = [name for name in METRICS if name not in names]
    if unknown or missing:
        raise TerminalSourceError(
            f"{file}: metrics {', '.join(METRICS)} are expected; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}"
        )
    return {name: _one(file, name, np.flatnonzero(names == name), at, value) for name in METRICS}


def _check_columns(file: Path, schema: pa.Schema) -> None:
    checks = {"metric": _is_text, "timestamp": pa.types.is_integer, "value": pa.types.is_floating}
    for name, fits in checks.items():
        if name not in schema.names:
            has = ", ".join(schema.names)
            raise TerminalSourceError(f"{file} lacks column {name!r}; it has {has} and needs {', '.join(checks)}")
        if not fits(schema.field(name).type):
            needed = {"metric": "text", "timestamp": "whole unix seconds", "value": "floating point"}[name]
            raise TerminalSourceError(f"{file}: column {name!r} has type {schema.field(name).type}, needs {needed}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _one(file: Path, name: str, rows: NDArray[np.int64], at: NDArray[np.int64], value: NDArray[np.float64]) -> Series:
    at, value = at[rows].astype(np.int64), value[rows]
    _refuse(file, name, rows, (at < _EARLIEST) | (at >= _LATEST), "timestamp is not in unix seconds", at)
    _refuse(file, name, rows, np.isinf(value), "value is infinite", value)
    if name not in _NAN_IS_ABSENT:
        _refuse(file, name, rows, np.isnan(value), "value is not a number", value)
    step = np.diff(at, prepend=at[:1] - 1)
    _refuse(file, name, rows, step < 0, "timestamp is earlier than that of the row before", at)
    same = (step == 0) & ~_equal(value, np.roll(value, 1))
    _refuse(file, name, rows, same, "timestamp repeats that of the row before with another value", at)
    absent = np.isnan(value) | ((value == 0.0) & (name in _ZERO_IS_ABSENT))
    kept = (step > 0) & ~absent
    return Series(at[kept], value[kept])


def _equal(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))


def _refuse(
    file: Path,
    name: str,
    rows: NDArray[np.int64],
    bad: NDArray[np.bool_],
    what: str,
    given: NDArray[np.float64] | NDArray[np.int64],
) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        more = f" (and {int(bad.sum()) - 1} more rows)" if bad.sum() > 1 else ""
        raise TerminalSourceError(f"{file}, row {rows[first]}, {name}: {what}: {given[first]}{more}; export it again")
