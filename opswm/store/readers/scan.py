"""DuckDB over Parquet files of readings: channels, interval and as-of are pushed down to row groups."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from opswm.clock import to_utc
from opswm.errors import BadInputError, StoreError
from opswm.instrument import timed
from opswm.store.batches import in_order, last_of_steps
from opswm_schemas.columns import METRICS

_NUMBERS: Final = ("channel_id", "event_at", "known_at", "value")
"""What a reading of a number has; reading the lists of histograms where there are none takes as long again."""

_MEMORY_LIMIT: Final = "2GB"
_SETTINGS: Final[Mapping[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": _MEMORY_LIMIT,
}


@dataclass(frozen=True)
class Wanted:
    """Which readings: ``since <= event_at < until``, ``known_at <= as_of``, each instant in UTC.

    Attributes:
        step_s: Where given, of each channel the last reading of each step.
    """

    channel_ids: tuple[str, ...]
    since: datetime
    until: datetime
    as_of: datetime
    step_s: float | None

    @classmethod
    def of(
        cls,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None,
    ) -> "Wanted":
        """Return what a question to a reader asks for.

        Raises:
            BadInputError: On a naive instant, or a step that is not above 0.
        """
        if step_s is not None and not step_s > 0.0:
            raise BadInputError(f"step_s is {step_s}: give a step above 0 seconds, or none for every reading")
        return cls(tuple(dict.fromkeys(channel_ids)), to_utc(since), to_utc(until), to_utc(as_of), step_s)

    @property
    def nothing(self) -> bool:
        """Whether no reading can be meant."""
        return not self.channel_ids or self.since >= self.until


class ParquetScan:
    """One DuckDB in memory that scans files; several threads may ask it at once.

    Nothing is downloaded: extensions are neither installed nor loaded.

    Args:
        threads: Processor threads of one scan.
    """

    def __init__(self, threads: int = 2) -> None:
        self._database = duckdb.connect(":memory:", config={**_SETTINGS, "threads": threads})
        self._database.execute("SET GLOBAL parquet_metadata_cache = true")
        self._lock = Lock()

    def read(self, files: Sequence[Path], wanted: Wanted) -> pa.Table:
        """Return the wanted readings of files in the columns of ``METRICS``, in order.

        Args:
            files: Parquet files with at least those columns.
            wanted: Which readings.

        Raises:
            StoreError: When a file cannot be read, or is not of readings.
        """
        if wanted.nothing or not files:
            return METRICS.empty_table()
        condition = (
            f"channel_id IN ({', '.join('?' * len(wanted.channel_ids))})"
            " AND event_at >= ? AND event_at < ? AND known_at <= ?"
        )
        values = [*wanted.channel_ids, wanted.since, wanted.until, wanted.as_of]
        with timed("store.scan", files=len(files), channels=len(wanted.channel_ids)) as span:
            found = _padded(self._select(f"SELECT {', '.join(_NUMBERS)}", files, condition, values))
            if found["value"].null_count:
                histograms = self._select(
                    f"SELECT {', '.join(METRICS.names)}", files, f"{condition} AND value IS NULL", values
                )
                found = pa.concat_tables([found.filter(pc.is_valid(found["value"])), histograms.cast(METRICS)])
            span.set_attribute("rows", found.num_rows)
            return last_of_steps(in_order(found), wanted.since, wanted.step_s)

    def count_known(self, files: Sequence[Path], as_of: datetime | None) -> int:
        """Return how many of the files hold a reading, or one known by a moment.

        Raises:
            BadInputError: On a naive moment.
            StoreError: When a file cannot be read, or is not of readings.
        """
        if not files:
            return 0
        condition, values = ("true", []) if as_of is None else ("known_at <= ?", [to_utc(as_of)])
        found = self._select("SELECT count(DISTINCT filename) AS n", files, condition, list[object](values))
        return int(found["n"][0].as_py())

    def _select(self, select: str, files: Sequence[Path], condition: str, values: list[object]) -> pa.Table:
        source = "read_parquet(?, hive_partitioning = false, union_by_name = false)"
        query = f"{select} FROM {source} WHERE {condition}"
        names = [_literal(file) for file in files]
        try:
            with self._lock:
                cursor = self._database.cursor()
            try:
                return cursor.sql(query, params=[names, *values]).to_arrow_table()
            finally:
                cursor.close()
        except (duckdb.Error, pa.ArrowException) as problem:
            raise StoreError(f"{_shown(names)} cannot be read as readings: {problem}") from problem


def _padded(numbers: pa.Table) -> pa.Table:
    columns = [
        numbers[field.name].cast(field.type)
        if field.name in _NUMBERS
        else pa.chunked_array([pa.nulls(numbers.num_rows, field.type)])
        for field in METRICS
    ]
    return pa.table(columns, schema=METRICS)


def _literal(file: Path) -> str:
    """Return a path in which nothing is a pattern of DuckDB's."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))


def _shown(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more files"
