"""The Delta table of metrics on a local disk: opened, looked at, committed to, verified."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from opswm.errors import StoreError
from opswm.store.durable_files import make_folder, sync_file, sync_folder
from opswm.store.tables.commits import described, keep_copy
from opswm.store.tables.layout import (
    CONFIGURATION,
    FILLED,
    LOG_FOLDER,
    OWN_FOLDER,
    PARTITIONS,
    READER_VERSION,
    SCHEMA,
    WRITER_VERSION,
    commit_file,
)
from opswm.store.tables.snapshot import Part, Snapshot, take_snapshot
from opswm.store.tables.table_lock import TableLock

_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_UNREADABLE = (DeltaError, OSError, ValueError, KeyError, pa.ArrowInvalid)


class MetricsTable:
    """One table of all systems' readings, partitioned by tenant and system.

    Whoever changes it holds :meth:`writing`; reading needs no lock.

    Args:
        folder: Where it is; made with the first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers = TableLock(folder / OWN_FOLDER / "writer.lock")
        self._guard = Lock()
        self._snapshot: Snapshot | None = None

    @property
    def own_folder(self) -> Path:
        """Where the lock, the state and damaged files are."""
        return self.folder / OWN_FOLDER

    @property
    def kept_file(self) -> Path:
        """Where it is written down what was verified."""
        return self.own_folder / "kept.json"

    def writing(self, wait_s: float = 60.0) -> AbstractContextManager[bool]:
        """Hold the one writer's place; yields whether it was free in time."""
        return self._writers.held(wait_s)

    def exists(self) -> bool:
        """Return whether anything of a table is there."""
        return (self.folder / LOG_FOLDER).is_dir()

    def create(self) -> None:
        """Make an empty table where none is, while holding :meth:`writing`.

        Raises:
            StoreError: When it cannot be made.
        """
        try:
            make_folder(self.folder)
            DeltaTable.create(
                self.folder,
                SCHEMA,
                mode="ignore",
                partition_by=PARTITIONS,
                name="metrics",
                configuration=CONFIGURATION,
                post_commithook_properties=_NO_HOOKS,
            )
            self._sync_commit(0)
            sync_folder(self.folder)
        except (DeltaError, OSError) as problem:
            raise self._unreadable(problem) from problem

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return the newest version: it costs a look at the disk where nothing was committed since the last call.

        Args:
            fresh: Whether to read the table's log whole, as somebody who never saw it.

        Raises:
            StoreError: When the table cannot be read.
        """
        with self._guard:
            known = self._snapshot
            if known is not None and not fresh and not commit_file(self.folder, known.version + 1).exists():
                return known
            try:
                self._snapshot = take_snapshot(self.load(), self.folder)
            except _UNREADABLE as problem:
                raise self._unreadable(problem) from problem
            return self._snapshot

    def load(self) -> DeltaTable:
        """Return the table as the library sees it, and refuse one that needs a newer protocol.

        Raises:
            StoreError: When it cannot be read or is of another protocol.
        """
        try:
            table = DeltaTable(self.folder)
            protocol = table.protocol()
        except (DeltaError, OSError) as problem:
            raise self._unreadable(problem) from problem
        if protocol.min_reader_version > READER_VERSION or protocol.min_writer_version > WRITER_VERSION:
            raise StoreError(
                f"the metrics table at {self.folder} needs Delta reader {protocol.min_reader_version} and writer "
                f"{protocol.min_writer_version}, opswm keeps to {READER_VERSION} and {WRITER_VERSION}; "
                "another program has upgraded it: restore it from a backup"
            )
        return table

    def commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        what: str,
        through: int | None = None,
        delivery: Transaction | None = None,
    ) -> Snapshot:
        """Change the table in one step, while holding :meth:`writing`, and return it as read again from disk.

        The commit and its name are on disk when this returns.

        Args:
            actions: Parts to take in and out.
            what: Why, for the table's history.
            through: Offset of the log up to which it is filled then, where that changes.
            delivery: Names a batch that comes into the table directly, and what it says.

        Raises:
            StoreError: When it cannot be written; either all of it is there then, or nothing.
        """
        transactions = [] if through is None else [Transaction(FILLED, through)]
        transactions += [] if delivery is None else [delivery]
        try:
            table = self.load()
            table.create_write_transaction(
                list(actions),
                "append",
                table.schema(),
                PARTITIONS,
                commit_properties=CommitProperties(
                    custom_metadata={"userMetadata": described(what, len(actions), len(transactions))},
                    max_commit_retries=0,
                    app_transactions=transactions or None,
                ),
                post_commithook_properties=_NO_HOOKS,
            )
            self._sync_commit(table.version() + 1)
        except (DeltaError, OSError) as problem:
            raise StoreError(f"the metrics table at {self.folder} cannot be written: {problem}") from problem
        return self.snapshot(fresh=True)

    def verify(self, parts: Sequence[Part]) -> None:
        """Check that parts are on disk with the size and the number of rows that the table says.

        Raises:
            StoreError: When one is not, naming it.
        """
        for part in parts:
            problem = part_problem(part)
            if problem is not None:
                raise StoreError(f"the metrics table at {self.folder} is damaged: {problem}")

    def settle(self, before: int) -> None:
        """Bring commits behind a version to disk that the library made by itself, while holding :meth:`writing`.

        Raises:
            OSError: When one cannot be written.
        """
        for version in range(before + 1, self.load().version() + 1):
            self._sync_commit(version)

    def _sync_commit(self, version: int) -> None:
        file = commit_file(self.folder, version)
        sync_file(file)
        sync_folder(file.parent)
        keep_copy(self.own_folder, file)

    def _unreadable(self, problem: BaseException) -> StoreError:
        return StoreError(f"the metrics table at {self.folder} cannot be opened or read: {problem}")


def part_problem(part: Part, *, footer: bool = True) -> str | None:
    """Return what is wrong with a part's file, None where it is whole as far as its length and footer tell.

    Args:
        part: Which.
        footer: Whether to read the footer as well.
    """
    try:
        size = part.file.stat().st_size
        if size != part.size_bytes:
            return f"{part.file} has {size} bytes instead of {part.size_bytes}"
        rows = pq.read_metadata(part.file).num_rows if footer else part.num_rows
    except FileNotFoundError:
        return f"{part.file} is missing"
    except (OSError, pa.ArrowInvalid) as broken:
        return f"{part.file} cannot be read: {broken}"
    return None if rows == part.num_rows else f"{part.file} has {rows} rows instead of {part.num_rows}"
