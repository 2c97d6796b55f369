"""Rows of streams that were refused, kept apart for a while: with the reason, bounded, countable."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from opswm.clock import Clock
from opswm.errors import StoreError
from opswm.instrument import meter
from opswm.store.tables.sifting import Refused
from opswm_schemas.ports import SystemKey

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, tenant_id TEXT NOT NULL, system_id TEXT NOT NULL,
    source TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS totals (
    tenant_id TEXT NOT NULL, system_id TEXT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
    num_rows INTEGER NOT NULL, PRIMARY KEY (tenant_id, system_id, source, reason)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class QuarantineConfig:
    """How much is kept.

    Attributes:
        max_rows: Of all tenants together; beyond it the oldest go.
        max_body_bytes: Of one row; a longer one is cut off.
        max_new_rows: Of one batch and reason; the rest is only counted.
    """

    max_rows: int = 100_000
    max_body_bytes: int = 2_048
    max_new_rows: int = 1_000


@dataclass(frozen=True)
class Kept:
    """A row in quarantine.

    Attributes:
        system: Whose it said it was.
        source: Who delivered it.
        reason: Why it was refused, for counting.
        detail: Why, in words.
        body: The row as JSON, cut off where it was too long.
        at_us: When, microseconds since 1970.
    """

    system: SystemKey
    source: str
    reason: str
    detail: str
    body: str
    at_us: int


class Quarantine:
    """Keeps refused rows in one SQLite file of a store; threads and processes may share it.

    What is here was never acknowledged: the newest of it may be lost with the machine.

    Args:
        path: The file; made where there is none.
        clock: Says when something was refused.
        config: How much is kept.

    Raises:
        StoreError: When it cannot be opened, read or written.
    """

    def __init__(self, path: Path, clock: Clock, config: QuarantineConfig | None = None) -> None:
        self._path = path
        self._clock = clock
        self._config = config or QuarantineConfig()
        self._lock = Lock()
        self._counter = meter().create_counter(
            "opswm.store.quarantined", unit="{row}", description="Rows of streams that were refused."
        )
        try:
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as problem:
            raise StoreError(f"the quarantine {path} cannot be opened: {problem}") from problem
        with self._working() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)

    def keep(self, system: SystemKey, source: str, refused: Sequence[Refused]) -> int:
        """Keep refused rows and count them; return how many there were.

        Args:
            system: Whose they said they were, registered or not.
            source: Who delivered them.
            refused: Why, and what.
        """
        now_us = round(self._clock.now().timestamp() * 1e6)
        place = (system.tenant_id, system.system_id, source)
        total = 0
        with self._working() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                for one in refused:
                    rows = one.rows.slice(0, self._config.max_new_rows).to_pylist()
                    database.executemany(
                        "INSERT INTO refused VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                        [(now_us, *place, one.reason, one.detail, self._body(row)) for row in rows],
                    )
                    database.execute(
                        "INSERT INTO totals VALUES (?, ?, ?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET num_rows = num_rows + excluded.num_rows",
                        (*place, one.reason, one.rows.num_rows),
                    )
                    total += one.rows.num_rows
                database.execute(
                    "DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - ?",
                    (self._config.max_rows,),
                )
                database.execute("COMMIT")
            except BaseException:
                database.execute("ROLLBACK")
                raise
        for one in refused:
            self._counter.add(one.rows.num_rows, {"opswm.reason": one.reason, "opswm.tenant.id": system.tenant_id})
        return total

    def totals(self, tenant_id: str) -> dict[tuple[str, str, str], int]:
        """Return by system, source and reason how many rows of a tenant were ever refused, kept or not."""
        with self._working() as database:
            found = database.execute(
                "SELECT system_id, source, reason, num_rows FROM totals WHERE tenant_id = ?", (tenant_id,)
            ).fetchall()
        return {(system_id, source, reason): number for system_id, source, reason, number in found}

    def newest(self, tenant_id: str, limit: int = 100) -> list[Kept]:
        """Return rows of a tenant that are kept, the newest first."""
        with self._working() as database:
            found = database.execute(
                "SELECT system_id, source, reason, detail, body, at_us FROM refused WHERE tenant_id = ? "
                "ORDER BY number DESC LIMIT ?",
                (tenant_id, limit),
            ).fetchall()
        return [Kept(SystemKey(tenant_id, system_id), *rest) for system_id, *rest in found]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _working(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as problem:
                raise StoreError(f"the quarantine {self._path} cannot be read or written: {problem}") from problem

    def _body(self, row: dict[str, Any]) -> str:
        return json.dumps(row, default=str)[: self._config.max_body_bytes]
