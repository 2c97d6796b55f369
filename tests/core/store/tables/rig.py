"""Telemetry on a log in memory with its table in a folder, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opswm.store.tables.failpoints import Failpoint, nowhere
from opswm.store.tables.filler import Filler, FillerConfig
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_schemas.ports import IngestLog, SystemKey
from tests.core.store.tables.memory_log import MemoryLog


@dataclass
class HandClock:
    """A clock that a test moves.

    Attributes:
        at: What it shows.
    """

    at: datetime = datetime(2024, 3, 6, tzinfo=UTC)

    def now(self) -> datetime:
        """Return what it shows."""
        return self.at

    def forward(self, seconds: float) -> None:
        """Move it."""
        self.at += timedelta(seconds=seconds)


def logged(
    folder: Path,
    log: IngestLog | None = None,
    clock: HandClock | None = None,
    config: FillerConfig | None = None,
    reached: Failpoint = nowhere,
    lost: Mapping[SystemKey, str] | None = None,
) -> LoggedTelemetry:
    """Return telemetry over a log and the table in a folder."""
    chosen = log or MemoryLog()
    table = MetricsTable(folder)
    return LoggedTelemetry(chosen, table, Filler(chosen, table, clock or HandClock(), config, reached), lost)
