"""How a metrics table lies on disk: columns, partitions, protocol, and what the name of a part says.

A part is one Parquet file of the table. Its name says which offsets of the ingest log it holds for its system, so that
a part that is lost can be written again from the log, and one whose commit is lost can be taken in again.
"""

from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, unquote

import pyarrow as pa

from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey

PARTITIONS: Final = ["tenant_id", "system_id"]
"""Columns that lead every table; they stand in the folders' names and the table's log, not in the files."""

SCHEMA: Final = pa.schema([*(pa.field(name, pa.string(), nullable=False) for name in PARTITIONS), *METRICS])
"""All columns, as other engines see them."""

READER_VERSION: Final = 1
WRITER_VERSION: Final = 2
"""Versions of the Delta protocol: the oldest ones, which every engine knows; no table feature is used."""

CONFIGURATION: Final = {
    "delta.minReaderVersion": str(READER_VERSION),
    "delta.minWriterVersion": str(WRITER_VERSION),
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}
"""Properties of a new table; what it does by itself is set per commit."""

FILLED: Final = "opswm/ingest-log"
"""Application id of the transaction (``txn`` action of the Delta protocol) that says up to which offset of the log
the table is filled."""

LOG_FOLDER: Final = "_delta_log"
OWN_FOLDER: Final = "_opswm"
"""Lock, state and damaged files; a leading underscore keeps engines and vacuum away."""


def partition_folder(system: SystemKey) -> PurePosixPath:
    """Return the folder of a system's parts within a table; whatever its name, it stays one level each."""
    return PurePosixPath(
        f"tenant_id={quote(system.tenant_id, safe='')}", f"system_id={quote(system.system_id, safe='')}"
    )


def part_name(first: int, last: int, rows: int, unique: str) -> str:
    """Return the name of a part.

    Args:
        first: Offset of the first batch it may hold.
        last: Offset of the last one.
        rows: How many readings it holds.
        unique: Tells it from a part of the same batches.
    """
    return f"offsets-{first:020d}-{last:020d}-{rows}-{unique}.parquet"


def imported_name(number: int, first_known_us: int, rows: int, unique: str) -> str:
    """Return the name of a part of a batch that came into the table directly.

    Args:
        number: Stands for the batch's name and content.
        first_known_us: When the first of the batch was known, microseconds since 1970.
        rows: How many readings the part holds.
        unique: Tells it from other parts of the batch.
    """
    return f"imported-{number:016x}-{first_known_us:016d}-{rows}-{unique}.parquet"


def import_of(path: str) -> tuple[int, int] | None:
    """Return number and first moment of a batch that came directly, None where a part is of the log."""
    words = path.rpartition("/")[2].removesuffix(".parquet").split("-")
    if len(words) != 5 or words[0] != "imported":
        return None
    return int(words[1], 16), int(words[2])


def part_offsets(path: str) -> tuple[int, int, int] | None:
    """Return first offset, last offset and number of rows a part's name tells, None for another file's name."""
    words = path.rpartition("/")[2].removesuffix(".parquet").split("-")
    if len(words) != 5 or words[0] != "offsets" or not all(word.isdigit() for word in words[1:4]):
        return None
    return int(words[1]), int(words[2]), int(words[3])


def on_disk(table: Path, path: str) -> Path:
    """Return where the file is whose path stands in the table's log: there it is a URL, with per cent signs escaped."""
    return table / unquote(path)


def commit_file(table: Path, version: int) -> Path:
    """Return the file of a commit."""
    return table / LOG_FOLDER / f"{version:020d}.json"
