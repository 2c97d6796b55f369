"""An open SQLite ingest log: transactions in turn across threads and processes, its mark, and its checkpoints."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from opswm.errors import StoreError
from opswm.instrument import timed
from opswm.store.durable_files import make_folder
from opswm.store.ingest_log.failpoints import Failpoint
from opswm.store.ingest_log.mark import Mark, WriteLock
from opswm.store.ingest_log.sqlite_file import connect, require_log

_WAL_BEGINS = 32
"""Bytes at the start of a write-ahead log that are other ones whenever it begins anew."""

_COMMIT_BYTES = 50_000
"""About what a commit adds to the write-ahead log beside readings: the pages of names, sums and places."""


_OPENING_S = 600.0
"""So long an opener waits for another one, which may be about checking a large log page by page."""


class LogFile:
    """One connection that writes and one that reads, each used by one thread at a time.

    Args:
        path: The SQLite file; made where there is none.
        checkpoint_bytes: About so much this process adds to the write-ahead log before it copies it into the database.
            The file keeps its size afterwards, since overwriting is cheaper to sync than growing.
        failpoint: Told what is reached.

    Raises:
        StoreError: When it cannot be opened, or when it shows that acknowledged batches are lost or damaged.
    """

    def __init__(self, path: Path, checkpoint_bytes: int, failpoint: Failpoint) -> None:
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._checkpoint_bytes = checkpoint_bytes
        self._reach = failpoint
        self._writing, self._reading = Lock(), Lock()
        self._is_closed = False
        self._marked_wal = b""
        self._wal_bytes = 0
        with self._translated("opened"):
            make_folder(path.parent.absolute())
            self._lock = WriteLock(path.with_name(path.name + "-lock"))
            try:
                self._mark = Mark(path.with_name(path.name + "-mark"))
                try:
                    with self._lock.held(_OPENING_S):
                        require_log(path, self._mark, is_alone=self._mark.claim())
                        self._mark.share()
                        self._writer, self._reader = connect(path), connect(path)
                except BaseException:
                    self._mark.close()
                    raise
            except BaseException:
                self._lock.close()
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run a block in a transaction; what it does not :meth:`commit` is rolled back.

        Raises:
            StoreError: When the log cannot be written, or is closed.
        """
        with self._translated("written"), self._writing:
            self._require_open()
            with self._lock.held():
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                finally:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")

    def commit(self, step: str, num_bytes: int = 0) -> None:
        """Put on disk what a block under :meth:`writing` did; it is there, synced, on return.

        Args:
            step: What is committed, for the labels of failpoints.
            num_bytes: How many bytes of readings it adds.
        """
        end = self._writer.execute("SELECT end FROM log").fetchone()[0]
        self._reach(f"{step}:before-commit")
        self._writer.execute("COMMIT")
        self._reach(f"{step}:after-commit")
        with self._wal.open("rb") as stream:
            begins = stream.read(_WAL_BEGINS)
        is_new = begins != self._marked_wal
        self._mark.write(end, sync=is_new)
        self._marked_wal = begins
        self._wal_bytes = (0 if is_new else self._wal_bytes) + num_bytes + _COMMIT_BYTES
        self._reach(f"{step}:after-mark")
        if self._wal_bytes >= self._checkpoint_bytes:
            self._checkpoint()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run a block against one state of the log.

        Raises:
            StoreError: When the log cannot be read, or is closed.
        """
        with self._translated("read"), self._reading:
            self._require_open()
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    def close(self) -> None:
        """Close what is open; a second time does nothing."""
        with self._writing, self._reading:
            if self._is_closed:
                return
            self._is_closed = True
            try:
                with self._translated("closed"), self._lock.held():
                    try:
                        self._mark.write(self._writer.execute("SELECT end FROM log").fetchone()[0], sync=True)
                    finally:
                        self._reader.close()
                        self._writer.close()
            finally:
                self._mark.close()
                self._lock.close()

    def _checkpoint(self) -> None:
        """Copy the write-ahead log into the database; what fails is tried again after the next commit."""
        self._wal_bytes = 0
        self._reach("checkpoint:before")
        try:
            with timed("ingest_log.checkpoint"):
                self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        except sqlite3.Error:
            return  # the span says what happened, and everything is still in the write-ahead log
        self._reach("checkpoint:after")

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"the ingest log {self.path} was closed")

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise StoreError(f"the ingest log {self.path} cannot be {done}: {problem}") from problem
