"""A store into one archive while it is in use: as it was at a moment, and read again before it counts."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlalchemy import Engine

from opswm.clock import Clock
from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.backup.archive import ArchiveWriter, opened
from opswm.store.backup.ledger_lines import ledger_tables, read_lines, read_revision
from opswm.store.backup.manifest import (
    LEDGER_FOLDER,
    TABLE_FOLDERS,
    LedgerPart,
    LogPart,
    Manifest,
    TableFolder,
    TablePart,
)
from opswm.store.database import reading
from opswm.store.database_engines import make_engine, shown
from opswm.store.durable_files import sync_file, sync_folder
from opswm.store.layout import LEDGER_FILE, LOG_FILE
from opswm.store.tables.layout import LOG_FOLDER, on_disk
from opswm.store.tables.metrics_table import MetricsTable

Tell = Callable[[str], None]

_WAIT_S: Final = 120.0


def back_up(folder: Path, database: str | None, out: Path, clock: Clock, tell: Tell = lambda what: None) -> Manifest:
    """Write a backup of a store, which may be in use meanwhile.

    All that was acknowledged before the call is in it. The ledger is taken first: what its decisions rest on is
    then among the readings. Log and table are taken together, while nothing moves between them.

    Args:
        folder: Of the store: its tables, its ingest log and, without ``database``, its ledger.
        database: URL of the ledger's database, where it is not in the folder.
        out: The archive; must not be there yet, and is there whole or not at all afterwards.
        clock: Says when.
        tell: Told what is done now.

    Returns:
        What is in it.

    Raises:
        NotFoundError: When there is no ledger.
        BadInputError: When ``out`` is there, or cannot be.
        StoreError: When something of the store cannot be read.
    """
    if out.exists():
        raise BadInputError(f"{out} is there already, and backups are never written over; choose another name")
    if not out.parent.is_dir():
        raise BadInputError(f"there is no folder {out.parent}; make it first")
    with tempfile.TemporaryDirectory(prefix=".opswm-backup-", dir=out.parent) as name:
        draft = Path(name) / "archive.zip"
        writer = ArchiveWriter(draft)
        try:
            draft.chmod(0o600)
            tell("ledger")
            ledger = _add_ledger(writer, _ledger_engine(folder, database))
            tell("telemetry")
            log, tables = _add_telemetry(writer, folder, Path(name), tell)
            manifest = Manifest(
                created_at=clock.now(),
                software=version("opswm"),
                ledger=ledger,
                tables=tables,
                log=log,
                members=writer.members,
            )
            writer.finish(manifest)
        except (DeltaError, OSError, sqlite3.Error) as problem:
            raise StoreError(f"the store in {folder} cannot be backed up to {out}: {problem}") from problem
        finally:
            writer.abandon()
        tell("verifying")
        with opened(draft) as archive:
            archive.verify()
        sync_file(draft)
        draft.rename(out)
        sync_folder(out.parent)
    return manifest


def _ledger_engine(folder: Path, database: str | None) -> Engine:
    if database is not None:
        return make_engine(database)
    file = folder / LEDGER_FILE
    if not file.is_file():
        raise NotFoundError(
            f"there is no store in {folder}; name the right folder, or the ledger's --database where it is elsewhere"
        )
    return make_engine(f"sqlite:///{file}")


def _add_ledger(writer: ArchiveWriter, engine: Engine) -> LedgerPart:
    try:
        with reading(engine) as connection:
            revision = read_revision(connection)
            if revision is None:
                raise NotFoundError(f"there is no ledger in {shown(engine)}")
            counts = {
                table.name: writer.add(
                    f"{LEDGER_FOLDER}/{table.name}.jsonl", read_lines(connection, table), compress=True
                )
                for table in ledger_tables(connection)
            }
    finally:
        engine.dispose()
    return LedgerPart(revision=revision, num_rows=counts)


def _add_telemetry(
    writer: ArchiveWriter, folder: Path, drafts: Path, tell: Tell
) -> tuple[LogPart | None, list[TablePart]]:
    """Add log and tables.

    Parts get a second name while nothing moves, and are copied after the lock is given back: upkeep may compact and
    remove them meanwhile, however long it takes.
    """
    with tempfile.TemporaryDirectory(prefix=".opswm-backup-", dir=folder) as links:
        pinned: list[_Pinned] = []
        metrics = MetricsTable(folder / TABLE_FOLDERS[0])
        with metrics.writing(_WAIT_S) as free:
            if not free:
                raise StoreError(f"the tables in {folder} were written for {_WAIT_S:g} s without a pause; try again")
            log = _add_log(writer, folder / LOG_FILE, drafts) if (folder / LOG_FILE).is_file() else None
            for name in TABLE_FOLDERS:
                if (folder / name / LOG_FOLDER).is_dir():
                    pinned.append(_pin(folder, name, Path(links)))
                    _add_commits(writer, folder, name, pinned[-1].version)
            if metrics.kept_file.is_file():
                writer.add_file(metrics.kept_file.relative_to(folder).as_posix(), metrics.kept_file)
        parts = []
        for table in pinned:
            tell(table.name)
            for part, link in table.parts:
                writer.add_file(part, link)
            parts.append(
                TablePart(folder=table.name, version=table.version, num_parts=len(table.parts), num_rows=table.num_rows)
            )
    return log, parts


@dataclass(frozen=True)
class _Pinned:
    """A version of a table: the names its parts have in the archive, with files that nobody removes."""

    name: TableFolder
    version: int
    num_rows: int
    parts: Sequence[tuple[str, Path]]


def _pin(folder: Path, name: TableFolder, links: Path) -> _Pinned:
    table = DeltaTable(folder / name)
    parts, num_rows = [], 0
    for number, row in enumerate(pa.table(table.get_add_actions(flatten=True)).to_pylist()):
        file = on_disk(folder / name, row["path"])
        link = links / f"{name.replace('/', '-')}-{number}"
        try:
            os.link(file, link)
        except FileNotFoundError:
            raise
        except OSError:  # no links on this file system, or too many of this file
            shutil.copyfile(file, link)
        parts.append((file.relative_to(folder).as_posix(), link))
        num_rows += row["num_records"]
    return _Pinned(name, table.version(), num_rows, parts)


def _add_log(writer: ArchiveWriter, file: Path, drafts: Path) -> LogPart:
    """Add the ingest log as its writers last left it, with what stands in its write-ahead log."""
    copy = drafts / LOG_FILE
    source = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=_WAIT_S)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
        end = int(target.execute("SELECT end FROM log").fetchone()[0])
        problem = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    finally:
        target.close()
        source.close()
    if problem != "ok":
        raise StoreError(f"the ingest log {file} is damaged: {problem}; see 'opswm doctor'")
    writer.add_file(LOG_FILE, copy, compress=True)
    copy.unlink()
    return LogPart(end=end)


def _add_commits(writer: ArchiveWriter, folder: Path, name: str, last: int) -> None:
    """Add a table's own log up to a version: commits and checkpoints."""
    for file in sorted((folder / name / LOG_FOLDER).iterdir()):
        number = file.name.partition(".")[0]
        if number.isdigit() and int(number) <= last:
            writer.add_file(f"{name}/{LOG_FOLDER}/{file.name}", file, compress=True)
