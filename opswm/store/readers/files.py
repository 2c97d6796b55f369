"""Telemetry in Parquet files as they lie there: recordings, and folders that somebody else writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.readers.scan import ParquetScan, Wanted
from opswm_schemas.ports import SystemKey
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.tables import schema_problems

_METRICS_FILE: Final = "metrics.parquet"


class ParquetReader:
    """Reads files of readings in place; nothing is copied or kept, so what is added to them is not looked for.

    Args:
        files: Per system, Parquet files in the columns of ``METRICS``.
        threads: Processor threads of one reading.

    Raises:
        BadInputError: When a file's columns differ, naming each.
        StoreError: When a file cannot be read.
    """

    def __init__(self, files: Mapping[SystemKey, Sequence[Path]], threads: int = 2) -> None:
        self._files = {system: sorted(set(mine)) for system, mine in files.items()}
        for file in sorted({file for mine in self._files.values() for file in mine}):
            _require_readings(file)
        self._scan = ParquetScan(threads)

    @classmethod
    def of_recordings(cls, folders: Sequence[Path], threads: int = 2) -> "ParquetReader":
        """Read the recordings in some folders; several of one system are read as one.

        Raises:
            BadInputError: When one is an archive, or its readings' columns differ.
            RecordingError: When one cannot be read, or its readings are not what its manifest says.
        """
        files: dict[SystemKey, list[Path]] = {}
        for folder in folders:
            if not folder.is_dir():
                raise BadInputError(f"{folder} is no folder; unpack the recording, or ingest it")
            with Recording.open(folder) as recording:
                recording.metrics()  # its digest is checked
                described = recording.descriptor
            if (folder / _METRICS_FILE).is_file():
                files.setdefault(SystemKey(described.tenant_id, described.system_id), []).append(folder / _METRICS_FILE)
        return cls(files, threads)

    @classmethod
    def of_folder(cls, folder: Path, threads: int = 2) -> "ParquetReader":
        """Read files below ``tenant_id=TENANT/system_id=SYSTEM/``, the names percent-encoded where they need it.

        Raises:
            NotFoundError: When there is no such file.
            BadInputError: When a file's columns differ, naming each.
            StoreError: When a file cannot be read.
        """
        files: dict[SystemKey, list[Path]] = {}
        for file in folder.glob("tenant_id=*/system_id=*/**/*.parquet"):
            tenant, system = (unquote(part.partition("=")[2]) for part in file.relative_to(folder).parts[:2])
            files.setdefault(SystemKey(tenant, system), []).append(file)
        if not files:
            raise NotFoundError(f"there is no tenant_id=.../system_id=.../*.parquet in {folder}; name the right folder")
        return cls(files, threads)

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
            StoreError: When a file cannot be read.
        """
        wanted = Wanted.of(channel_ids, since, until, as_of, step_s)
        return self._scan.read(self._files.get(system, ()), wanted)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many files of the system hold a reading, or one known by a moment.

        Raises:
            BadInputError: On a naive moment.
            StoreError: When a file cannot be read.
        """
        return self._scan.count_known(self._files.get(system, ()), as_of)


def _require_readings(file: Path) -> None:
    try:
        found = pq.read_schema(file)
    except (pa.ArrowException, OSError) as problem:
        raise StoreError(f"{file} cannot be read as a Parquet file: {problem}") from problem
    problems = schema_problems("metrics", found)
    if problems:
        raise BadInputError(f"{file} is not of readings: " + "; ".join(f"{p.field} {p.what}" for p in problems))
