"""The ingest log of one machine: an SQLite file in WAL mode that threads and processes append to together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zlib import crc32

import pyarrow as pa

from opswm.clock import to_utc
from opswm.errors import BadInputError, StoreError
from opswm.instrument import timed
from opswm.store.ingest_log.bodies import Body, decode
from opswm.store.ingest_log.counts import counted
from opswm.store.ingest_log.deliveries import Delivery, Name, deliveries
from opswm.store.ingest_log.failpoints import Failpoint, nowhere
from opswm.store.ingest_log.group_commit import GroupCommit
from opswm.store.ingest_log.log_file import LogFile
from opswm.store.ingest_log.sqlite_keep import HOUR_US, keep, reserve, row_checksum
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import Batch, LoggedBatch, SystemKey


@dataclass(frozen=True)
class SqliteIngestLogConfig:
    """Bounds of an ingest log.

    Attributes:
        max_bytes: Of readings that are not trimmed yet; beyond it, appending is refused.
        retry_after_s: What a refused sender is told.
        group_bytes: About as much goes into one transaction at most.
        checkpoint_bytes: About so much is written ahead before it is copied into the database.
    """

    max_bytes: int = 4 << 30
    retry_after_s: float = 5.0
    group_bytes: int = 16 << 20
    checkpoint_bytes: int = 64 << 20


class SqliteIngestLog:
    """Keeps batches in one SQLite file; a batch is on disk, synced, when :meth:`append` returns.

    Appends of many threads become one transaction and one sync. Several processes may open the same file, on
    a local disk: WAL mode shares memory between them, which network file systems cannot. Offsets have no gaps.
    Neither offsets nor identities depend on a clock.

    Args:
        path: The file; made where there is none. Files with ``-wal``, ``-shm``, ``-lock`` and ``-mark`` stand beside.
        config: Its bounds.
        failpoint: For tests of crashes; see :mod:`opswm.store.ingest_log.failpoints`.

    Raises:
        StoreError: When it cannot be opened, or when it shows that acknowledged batches are lost or damaged.
    """

    def __init__(
        self, path: str | Path, config: SqliteIngestLogConfig | None = None, failpoint: Failpoint = nowhere
    ) -> None:
        self._config = config or SqliteIngestLogConfig()
        self._file = LogFile(Path(path), self._config.checkpoint_bytes, failpoint)
        self._group = GroupCommit[list[Delivery], list[int]](self._commit, self._config.group_bytes)

    def append(self, batches: Sequence[Batch]) -> list[int]:
        """Keep batches, all of them or none, and return their offsets once they are on disk.

        A batch that is there already, trimmed or not, keeps its offset.

        Raises:
            BadInputError: When one cannot be admitted, its name stands for other content, or all together are
                larger than the log may be; nothing is kept.
            LogFullError: When the tables have to catch up first; nothing is kept.
            StoreError: When they could not be written; what was not acknowledged may be there, whole, or not.
        """
        with counted(len(batches)):
            made = deliveries(batches)
            size = sum(len(delivery.body.data) for delivery in made)
            if size > self._config.max_bytes:
                raise BadInputError(
                    f"{size} bytes of readings at once are more than the log may hold, {self._config.max_bytes}; "
                    "send less at once"
                )
            with timed("ingest_log.append", batches=len(made)):
                return self._group.run(made, size) if made else []

    def reserve(self, name: Name, content: int) -> int:
        """Keep a name for a batch that is stored elsewhere; it is on disk on return.

        Args:
            name: Of the batch.
            content: Stands for what it says, in [0, 2**62).

        Returns:
            What the name stands for: ``content``, or what was kept under it before.

        Raises:
            StoreError: When it cannot be written.
        """
        with self._file.writing() as writer:
            before = writer.total_changes
            known = reserve(writer, name, content)
            if writer.total_changes != before:
                self._file.commit("reserve")
            return known

    def replay(self, after: int, max_bytes: int) -> list[LoggedBatch]:
        """Return the next batches behind an offset, in order, that are not trimmed.

        At least one where there is one, then while they fill at most ``max_bytes`` of memory.

        Raises:
            StoreError: When a batch is damaged, or when the log ends before ``after``: whoever asks has seen
                batches that the log lost.
        """
        rows: list[tuple[int, Name, Body, int]] = []
        total = 0
        with self._file.reading() as reader:
            end = reader.execute("SELECT end FROM log").fetchone()[0]
            if after > end:
                raise StoreError(
                    f"the log {self._file.path} ends at offset {end}, and batches behind {after} were asked for: it "
                    "lost some; restore it, or let it go on behind what the tables hold (skip_to)"
                )
            for offset, *name, codec, plain_bytes, checksum, data in reader.execute(
                "SELECT offset, tenant_id, system_id, source, batch_id, codec, plain_bytes, checksum, body FROM bodies "
                "WHERE offset > ? ORDER BY offset",
                (after,),
            ):
                total += plain_bytes
                if rows and total > max_bytes:
                    break
                rows.append((offset, (*name,), Body(codec, plain_bytes, crc32(data), data), checksum))
        return [self._logged(*row) for row in rows]

    def end(self) -> int:
        """Return the last offset, 0 where nothing was ever appended."""
        with self._file.reading() as reader:
            return int(reader.execute("SELECT end FROM log").fetchone()[0])

    def trimmed(self) -> int:
        """Return the last offset whose readings were dropped, 0 where none were."""
        with self._file.reading() as reader:
            return int(reader.execute("SELECT trimmed FROM log").fetchone()[0])

    def trim(self, through: int) -> None:
        """Drop the readings of batches up to an offset; their names stay known.

        Raises:
            BadInputError: When the log ends before it.
            StoreError: When it cannot be written.
        """
        with self._file.writing() as writer:
            end, trimmed = writer.execute("SELECT end, trimmed FROM log").fetchone()
            if through > end:
                raise BadInputError(f"the log ends at offset {end} and cannot be trimmed through {through}")
            if through <= trimmed:
                return
            dropped = writer.execute("SELECT sum(kept_bytes) FROM bodies WHERE offset <= ?", (through,)).fetchone()[0]
            writer.execute("DELETE FROM bodies WHERE offset <= ?", (through,))
            writer.execute("UPDATE log SET trimmed = ?, kept_bytes = kept_bytes - ?", (through, dropped or 0))
            self._file.commit("trim")

    def skip_to(self, offset: int) -> None:
        """Let the next batch come behind an offset, where the tables hold more than a log that lost its end.

        Raises:
            BadInputError: When there are batches that are not trimmed.
            StoreError: When it cannot be written.
        """
        with self._file.writing() as writer:
            end, trimmed = writer.execute("SELECT end, trimmed FROM log").fetchone()
            if offset <= end:
                return
            if trimmed < end:
                raise BadInputError(f"there are batches behind offset {trimmed}; fill the tables from them, then trim")
            writer.execute("UPDATE log SET end = ?, trimmed = ?", (offset, offset))
            self._file.commit("skip")

    def count(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many batches of a system hold something, or something known by ``as_of``, trimmed or not.

        Raises:
            BadInputError: On a naive moment.
        """
        key = (system.tenant_id, system.system_id)
        hours = "SELECT coalesce(sum(num_batches), 0) FROM known_hours WHERE tenant_id = ? AND system_id = ?"
        with self._file.reading() as reader:
            if as_of is None:
                return int(reader.execute(hours, key).fetchone()[0])
            known_us = int(pa.scalar(to_utc(as_of), INSTANT).value)
            hour = known_us // HOUR_US
            before = reader.execute(f"{hours} AND hour < ?", (*key, hour)).fetchone()[0]
            within = reader.execute(
                "SELECT count(*) FROM names WHERE tenant_id = ? AND system_id = ? AND first_known_us BETWEEN ? AND ?",
                (*key, hour * HOUR_US, known_us),
            ).fetchone()[0]
            return int(before) + int(within)

    def close(self) -> None:
        """Close what is open; what was appended stays. A second time does nothing."""
        self._file.close()

    def _commit(self, calls: list[list[Delivery]]) -> Sequence[list[int] | Exception]:
        """Keep calls in one transaction; those that it refuses get an error each, and all get one if it fails."""
        try:
            with self._file.writing() as writer:
                answers = keep(writer, calls, self._config.max_bytes, self._config.retry_after_s)
                self._file.commit("append", sum(len(one.body.data) for call in calls for one in call))
        except StoreError as problem:
            return [StoreError(str(problem)) for _ in calls]
        return answers

    def _logged(self, offset: int, name: Name, body: Body, checksum: int) -> LoggedBatch:
        try:
            if row_checksum(offset, name, body) != checksum:
                raise StoreError("its checksum differs: the bytes on disk are not those that were written")
            tenant, system, source, batch_id = name
            return LoggedBatch(offset, Batch(SystemKey(tenant, system), source, batch_id, decode(body)))
        except StoreError as problem:
            raise StoreError(f"batch {offset} in {self._file.path} is damaged: {problem}") from problem
