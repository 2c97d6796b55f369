"""A backup into an empty store: verified before the first write and again afterwards, there whole or not at all."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from sqlalchemy import Connection, Engine

from opswm.errors import BadInputError, StoreError
from opswm.store.backup.archive import Archive, free_bytes, opened
from opswm.store.backup.ledger_lines import is_empty, ledger_tables, read_lines, write_lines
from opswm.store.backup.manifest import LEDGER_FOLDER, Manifest
from opswm.store.database import migrate, reading, write
from opswm.store.database_engines import make_engine, shown
from opswm.store.durable_files import make_folder, sync_file, sync_folder
from opswm.store.layout import LEDGER_FILE, LOG_FILE

Tell = Callable[[str], None]


def restore(file: Path, folder: Path, database: str | None, tell: Tell = lambda what: None) -> Manifest:
    """Bring a backup into an empty folder and, where one is named, an empty database.

    The kind of database need not be the one it was taken from. A ledger of an earlier revision is migrated.

    Args:
        file: The archive.
        folder: Of the store; not there yet, or empty.
        database: URL of the ledger's database; a file in the folder where left out.
        tell: Told what is done now.

    Returns:
        What was in it.

    Raises:
        BadInputError: When the archive is not whole, not a backup of opswm, or the target is not empty; nothing is
            changed then.
        StoreError: When something cannot be written, or does not read back as it was; nothing is left then, unless the
            connection to the database broke while it committed: all is there then, or nothing, and where the database
            cannot be asked which, the folder stays.
    """
    _require_empty(folder)
    with opened(file) as archive:
        tell("verifying")
        archive.verify()
        make_folder(folder.parent.absolute())
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.restoring-", dir=folder.parent) as name:
            try:
                _restore(archive, Path(name) / "store", folder, database, tell)
            except (DeltaError, OSError, sqlite3.Error) as problem:
                raise StoreError(f"{file} cannot be restored to {folder}: {problem}") from problem
        return archive.manifest


def _restore(archive: Archive, draft: Path, folder: Path, database: str | None, tell: Tell) -> None:
    needed = sum(member.size_bytes for member in archive.manifest.members)
    if free_bytes(draft.parent) < needed:
        raise StoreError(f"{folder} needs {needed} bytes, and its disk has {free_bytes(draft.parent)} free")
    draft.mkdir()
    tell("telemetry")
    for member in archive.manifest.members:
        if not member.name.startswith(f"{LEDGER_FOLDER}/"):
            archive.unpack(member, draft)
    _verify_telemetry(draft, archive.manifest)
    tell("ledger")
    if database is None:
        _restore_ledger(archive, f"sqlite:///{draft / LEDGER_FILE}", lambda: None)
        _sync(draft)
        _put(draft, folder)
    else:
        _sync(draft)
        _restore_ledger(archive, database, lambda: _put(draft, folder), lambda: _take_back(draft, folder))


def _restore_ledger(
    archive: Archive, database: str, put: Callable[[], None], take_back: Callable[[], None] = lambda: None
) -> None:
    """Fill a database in one transaction, and put the folder in its place before that is committed.

    Args:
        archive: With the ledger.
        database: Its URL.
        put: Puts the folder in its place; where it fails, nothing is committed.
        take_back: Undoes that, where nothing was committed afterwards.
    """
    engine = make_engine(database)
    is_put = False

    def work(connection: Connection) -> None:
        nonlocal is_put
        if not is_empty(connection):
            raise BadInputError(f"{shown(engine)} holds a ledger already; restore into an empty database")
        _fill_ledger(connection, archive)
        if not is_put:  # a transaction that lost a race is begun anew
            put()
            is_put = True

    try:
        write(engine, work)
    except BaseException:
        # A connection that broke in the moment of the commit may have committed: then the folder belongs to it.
        if is_put and _is_without_ledger(engine):
            take_back()
        raise
    finally:
        engine.dispose()


def _is_without_ledger(engine: Engine) -> bool:
    """Return whether a database surely has no ledger; not, where it cannot be asked."""
    try:
        with reading(engine) as connection:
            return is_empty(connection)
    except StoreError:
        return False


def _sync(draft: Path) -> None:
    for path in sorted(draft.rglob("*")):
        (sync_folder if path.is_dir() else sync_file)(path)
    sync_folder(draft)


def _put(draft: Path, folder: Path) -> None:
    """Give a folder its name, in the place of an empty one; where that is not on disk on return, it has none."""
    draft.rename(folder)
    try:
        sync_folder(folder.parent.absolute())
    except OSError:
        _take_back(draft, folder)
        raise


def _take_back(draft: Path, folder: Path) -> None:
    folder.rename(draft)


def _fill_ledger(connection: Connection, archive: Archive) -> None:
    """Fill a database at the revision it was taken from, read all of it back, and migrate it."""
    part = archive.manifest.ledger
    migrate(connection, part.revision)
    tables = ledger_tables(connection)
    if {table.name for table in tables} != part.num_rows.keys():
        raise BadInputError(
            f"the backup holds the tables {sorted(part.num_rows)}, revision {part.revision} of the ledger has others; "
            "restore it with the opswm that wrote it"
        )
    digests = {member.name: member.sha256 for member in archive.manifest.members}
    for table in tables:
        name = f"{LEDGER_FOLDER}/{table.name}.jsonl"
        count = write_lines(connection, table, archive.lines(name))
        digest = hashlib.sha256()
        for line in read_lines(connection, table):
            digest.update(line)
        if count != part.num_rows[table.name] or digest.hexdigest() != digests.get(name):
            raise StoreError(f"table {table.name!r} of the restored ledger does not read back as it was backed up")
    migrate(connection)


def _verify_telemetry(draft: Path, manifest: Manifest) -> None:
    """Open log and tables as they were unpacked, and compare them with what the manifest tells."""
    for part in manifest.tables:
        table = DeltaTable(draft / part.folder)
        found = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        told = (table.version(), len(found), sum(row["num_records"] for row in found))
        if told != (part.version, part.num_parts, part.num_rows):
            raise StoreError(
                f"the restored table {part.folder} has version, parts and readings {told} instead of "
                f"{(part.version, part.num_parts, part.num_rows)}"
            )
    if manifest.log is not None:
        log = sqlite3.connect(draft / LOG_FILE)
        try:
            end = log.execute("SELECT end FROM log").fetchone()[0]
            problem = log.execute("PRAGMA integrity_check(1)").fetchone()[0]
        finally:
            log.close()
        if (end, problem) != (manifest.log.end, "ok"):
            raise StoreError(f"the restored ingest log ends at {end} instead of {manifest.log.end}, check: {problem}")


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder} is not an empty folder; backups are restored into an empty or new one")
    if not folder.name:
        raise BadInputError(f"{folder} cannot be replaced; name a folder in it")
