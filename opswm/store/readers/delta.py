"""Telemetry in a local Delta table, read by DuckDB: the table's log names the files, DuckDB scans what is left."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from opswm.clock import to_utc
from opswm.store.readers.delta_files import DeltaFiles
from opswm.store.readers.scan import ParquetScan, Wanted
from opswm_schemas.ports import SystemKey

CountBatches = Callable[[SystemKey, datetime | None], int]
"""Says how many batches of a system were stored, or were known by a moment; see ``TelemetryReader.version``."""


class DuckDbReader:
    """Reads the metrics table without DuckDB's Delta extension, which is not part of DuckDB and would be downloaded.

    Partition, interval, as-of and channels rule out whole files by the table's log, then row groups by the
    files' footers, which stay in memory.

    Args:
        folder: Where the table is: a folder of this machine.
        batches: Who counts batches, since compacted files no longer tell; the table's writer or the ingest log.
        threads: Processor threads of one reading.

    Raises:
        StoreError: When there is no table, or its log cannot be read.
    """

    def __init__(self, folder: Path, batches: CountBatches, threads: int = 2) -> None:
        self._files = DeltaFiles(folder)
        self._batches = batches
        self._scan = ParquetScan(threads)

    def read_metrics(
        self,
        system: SystemKey,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None = None,
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``, of each step the last.

        Raises:
            BadInputError: On a naive instant, or a step that is not above 0.
            StoreError: When the table cannot be read.
        """
        wanted = Wanted.of(channel_ids, since, until, as_of, step_s)
        return self._scan.read(self._files.may_hold(system, wanted), wanted)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many stored batches of the system hold something known by a moment."""
        return self._batches(system, None if as_of is None else to_utc(as_of))
