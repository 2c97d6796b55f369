"""An ingest log in memory, for tests of what stands on one."""

from collections.abc import Sequence
from datetime import datetime
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order, require_same
from opswm_schemas.ports import Batch, LoggedBatch, SystemKey


class MemoryLog:
    """Keeps batches in a list; what is trimmed is gone but for its name.

    Attributes:
        trimmed: The offset up to which readings were dropped.
    """

    def __init__(self) -> None:
        self.trimmed = 0
        self._lock = Lock()
        self._names: dict[tuple[SystemKey, str, str], tuple[int, int]] = {}
        self._first: list[tuple[SystemKey, datetime]] = []
        self._batches: dict[int, Batch] = {}

    def append(self, batches: Sequence[Batch]) -> list[int]:
        """Keep batches, each name once."""
        ready = [(batch, in_order(admit_metrics(batch.table))) for batch in batches]
        with self._lock:
            return [self._append(batch, table) for batch, table in ready]

    def _append(self, batch: Batch, table: pa.Table) -> int:
        name, number = (batch.system, batch.source, batch.batch_id), content_number(table)
        if name in self._names:
            offset, known = self._names[name]
            require_same(batch.batch_id, known, number)
            return offset
        self._first.append((batch.system, pc.min(table["known_at"]).as_py()))
        offset = len(self._first)
        self._names[name] = (offset, number)
        self._batches[offset] = Batch(batch.system, batch.source, batch.batch_id, table)
        return offset

    def reserve(self, name: tuple[str, str, str, str], content: int) -> int:
        """Keep a name for a batch that is stored elsewhere; return what it stands for."""
        tenant, system, source, batch_id = name
        with self._lock:
            return self._names.setdefault((SystemKey(tenant, system), source, batch_id), (0, content))[1]

    def replay(self, after: int, max_bytes: int) -> list[LoggedBatch]:
        """Return batches behind an offset, at least one, then up to a size."""
        found: list[LoggedBatch] = []
        size = 0
        with self._lock:
            for offset in range(max(after, self.trimmed) + 1, len(self._first) + 1):
                size += self._batches[offset].table.nbytes
                if found and size > max_bytes:
                    break
                found.append(LoggedBatch(offset, self._batches[offset]))
        return found

    def end(self) -> int:
        """Return the last offset."""
        return len(self._first)

    def trim(self, through: int) -> None:
        """Drop readings."""
        with self._lock:
            for offset in range(self.trimmed + 1, through + 1):
                del self._batches[offset]
            self.trimmed = max(self.trimmed, through)

    def count(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Count the batches of a system that hold something known by a moment."""
        return sum(owner == system and (as_of is None or first <= as_of) for owner, first in self._first)

    def close(self) -> None:
        """Nothing is open."""
