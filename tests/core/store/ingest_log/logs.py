"""Batches for the tests of ingest logs, and what is read back of them."""

from collections import Counter
from typing import Protocol

from opswm_schemas.ports import Batch, IngestLog, SystemKey
from tests.core.store.shop import SHOP, readings


class Log(IngestLog, Protocol):
    """What both logs have beyond the port."""

    def trimmed(self) -> int:
        """Return the last offset whose readings were dropped."""
        ...

    def skip_to(self, offset: int) -> None:
        """Let the next batch come behind an offset."""
        ...


def batch(
    batch_id: str,
    value: float = 1.0,
    rows: int = 1,
    known_s: float = 1.0,
    system: SystemKey = SHOP,
    source: str = "otlp",
) -> Batch:
    """Return a batch whose readings all have one value, at seconds after noon, first known at ``known_s``."""
    table = readings([("web.rps", float(row), known_s + row, value) for row in range(rows)])
    return Batch(system, source, batch_id, table)


def replayed(log: IngestLog, after: int = 0, max_bytes: int = 1 << 30) -> list[tuple[int, str, float]]:
    """Return offset, batch id and value of everything that is replayed, until nothing more comes."""
    found: list[tuple[int, str, float]] = []
    while some := log.replay(found[-1][0] if found else after, max_bytes):
        found += [(one.offset, one.batch.batch_id, one.batch.table["value"][0].as_py()) for one in some]
    return found


def names(log: IngestLog) -> Counter[str]:
    """Return how often each batch id is replayed."""
    return Counter(batch_id for _, batch_id, _ in replayed(log))
