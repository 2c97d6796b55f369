"""The end of an ingest log that no table holds yet, kept in memory by system so that reading it costs little."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import pyarrow as pa

from opswm_schemas.columns import METRICS
from opswm_schemas.ports import IngestLog, LoggedBatch, SystemKey

_REPLAYED_BYTES: Final = 32 * 1024 * 1024


@dataclass
class _Known:
    """Batches in memory: all between two offsets.

    Attributes:
        through: The last offset that was looked at.
        size_bytes: What they take.
        batches: By system, offset and readings in the order of offsets.
    """

    through: int = 0
    size_bytes: int = 0
    batches: dict[SystemKey, deque[tuple[int, pa.Table]]] = field(default_factory=dict)


class LogTail:
    """Reads the end of a log; what was read once is not asked for again.

    Args:
        log: Which.
        max_bytes: How much is kept in memory; what is beyond it is read from the log each time.
    """

    def __init__(self, log: IngestLog, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._log = log
        self._max_bytes = max_bytes
        self._known = _Known()
        self._lock = Lock()

    def read(self, system: SystemKey, after: int) -> list[tuple[int, pa.Table]]:
        """Return offset and readings of each batch of a system behind an offset that the log holds at the call.

        Batches the log has dropped are missing: whoever asks takes a version of the table afterwards, which holds them.

        Args:
            system: Whose.
            after: Offset up to which a table is filled, as far as the caller knows.

        Raises:
            StoreError: When the log cannot be read.
        """
        with self._lock:
            self._forget(after)
            beyond = [
                (logged.offset, logged.batch.table.cast(METRICS))
                for logged in self._follow(self._log.end())
                if logged.batch.system == system
            ]
            return [*self._known.batches.get(system, ()), *beyond]

    def _follow(self, end: int) -> Iterator[LoggedBatch]:
        """Take in what was appended since, and yield what there is no room for."""
        at = self._known.through
        while at < end:
            batches = self._log.replay(at, _REPLAYED_BYTES)
            if not batches:
                break
            at = batches[-1].offset
            for logged in batches:
                if self._known.size_bytes > self._max_bytes:
                    yield logged
                else:
                    self._remember(logged)

    def _remember(self, logged: LoggedBatch) -> None:
        known = self._known
        table = logged.batch.table.cast(METRICS)
        known.batches.setdefault(logged.batch.system, deque()).append((logged.offset, table))
        known.size_bytes += table.nbytes
        known.through = logged.offset

    def _forget(self, through: int) -> None:
        known = self._known
        if through <= 0:
            return
        for system in list(known.batches):
            batches = known.batches[system]
            while batches and batches[0][0] <= through:
                known.size_bytes -= batches.popleft()[1].nbytes
            if not batches:
                del known.batches[system]
        known.through = max(known.through, through)
