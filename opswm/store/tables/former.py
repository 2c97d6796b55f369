"""Stores of opswm 0.1, whose table was written to directly: their batches go through the ingest log, once."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from opswm.errors import OpswmError, StoreError
from opswm.instrument import timed
from opswm.store.durable_files import sync_folder
from opswm.store.tables.bulk import BULK_ROWS, BulkImport
from opswm.store.tables.filler import Filler
from opswm.store.tables.layout import LOG_FOLDER, on_disk
from opswm.store.tables.telemetry import RECEIVED
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import Batch, IngestLog, SystemKey

_LOG: Final = logging.getLogger(__name__)
_UNNAMED: Final = "former-table"
"""Source of batches whose name the former table's log no longer tells."""


def move_former_table(folder: Path, log: IngestLog, filler: Filler, bulk: BulkImport) -> int:
    """Append the batches of a former table to the log under their names, fill, and remove the table; return how many.

    Ended in between, it goes on the next time: the log knows what it has.

    Args:
        folder: The former table's folder; nothing is done where there is none.
        log: Takes the batches.
        filler: Fills the new table.
        bulk: Takes what is too large for the log.

    Raises:
        StoreError: When the former table cannot be read; it stays as it is.
    """
    if not (folder / LOG_FOLDER).is_dir():
        return 0
    with timed("store.move_former_table"):
        number = 0
        try:
            for batch in _batches(folder):
                if batch.table.num_rows >= BULK_ROWS:
                    bulk.append(batch)
                else:
                    log.append([batch])
                    filler.flush()
                number += 1
        except (DeltaError, OSError, ValueError, KeyError, pa.ArrowInvalid) as problem:
            raise StoreError(f"the former metrics table at {folder} cannot be read: {problem}") from problem
        except OpswmError as problem:
            raise StoreError(f"the former metrics table at {folder} cannot be moved: {problem}") from problem
        done = folder.with_name(f".{folder.name}.moved")
        with suppress(FileNotFoundError):  # another process has moved it, too, and was first here
            folder.rename(done)
            sync_folder(folder.parent)
            shutil.rmtree(done)
        _LOG.info("%d batches of the former table %s are in the new one", number, folder)
        return number


def _batches(folder: Path) -> Iterator[Batch]:
    table = DeltaTable(folder)
    present = {row["path"]: row for row in pa.table(table.get_add_actions(flatten=True)).to_pylist()}
    seen: set[str] = set()
    for app_id, paths in _deliveries(folder):
        mine = [path for path in paths if path in present]
        if app_id is None or not mine:
            continue
        seen.update(mine)
        system = _system(present[mine[0]])
        prefix = f"opswm/{system.tenant_id}/{system.system_id}/"
        yield Batch(system, RECEIVED, app_id.removeprefix(prefix), _read(folder, mine))
    for path, row in present.items():
        if path not in seen:
            yield Batch(_system(row), _UNNAMED, path, _read(folder, [path]))


def _deliveries(folder: Path) -> Iterator[tuple[str | None, list[str]]]:
    """Yield for each commit that is still told the batch's application id and the files it added."""
    for commit in sorted((folder / LOG_FOLDER).glob("*.json")):
        actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines() if line.strip()]
        names = [action["txn"]["appId"] for action in actions if "txn" in action]
        yield (names[0] if names else None), [action["add"]["path"] for action in actions if "add" in action]


def _system(row: dict[str, str]) -> SystemKey:
    return SystemKey(row["partition.tenant_id"], row["partition.system_id"])


def _read(folder: Path, paths: list[str]) -> pa.Table:
    tables = [pq.read_table(on_disk(folder, path), partitioning=None) for path in paths]
    return pa.concat_tables([table.select(METRICS.names).cast(METRICS) for table in tables])
