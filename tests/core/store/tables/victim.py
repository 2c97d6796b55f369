"""A process that receives, fills and keeps a table until it is killed, and what must be there afterwards."""

import os
import random
import signal
from collections import Counter
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow as pa

from opswm.clock import SystemClock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.open import open_telemetry
from opswm.store.tables.damage import mend
from opswm.store.tables.filler import Filler, FillerConfig
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import after, readings

CHANNELS = ["web.rps", "web.errors", "db.p99"]
SYSTEMS = [SystemKey("default", "shop"), SystemKey("default", "mall")]
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.core.store.tables.victim"])


def rows_of(batch: int) -> pa.Table:
    """Return the readings of a batch: each has a value that no other batch has."""
    rows = [(CHANNELS[row % 3], batch % 7, batch, batch + row / 16) for row in range(1 + batch % 5)]
    return readings([(channel, float(event), float(known), value) for channel, event, known, value in rows])


def work(folder: str, label: str, visits: int, first: int, last: int) -> None:
    """Append batches and write down each that was acknowledged; fill and keep the table in between; then end.

    Args:
        folder: Of the store.
        label: Where the process kills itself, empty for nowhere.
        visits: At which visit there.
        first: The first batch.
        last: The last one.
    """
    left = visits

    def reached(place: str) -> None:
        nonlocal left
        left -= place == label
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    path = Path(folder)
    chance = random.Random(first)
    log, table, clock = (
        SqliteIngestLog(path / "ingest.sqlite"),
        MetricsTable(path / "tables" / "metrics"),
        SystemClock(),
    )
    mend(table, log)
    filler = Filler(log, table, clock, FillerConfig(commit_bytes=2_000, keep_s=0.0, keep_bytes=0), reached)
    upkeep = Upkeep(table, clock, UpkeepConfig(num_merged=2, removed_after_s=0.0, checkpoint_every=4), reached)
    telemetry = LoggedTelemetry(log, table, filler)
    acknowledged = os.open(path / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for batch in range(first, last):
        telemetry.append_metrics(SYSTEMS[batch % 2], rows_of(batch), f"b{batch}")
        os.write(acknowledged, f"{batch}\n".encode())
        if chance.random() < 0.4:
            with table.writing() as free:
                if free:
                    filler.fill_once()
        if chance.random() < 0.3:
            upkeep.run()
    os.close(acknowledged)
    telemetry.close()


def started(folder: Path, label: str, visits: int, num_batches: int) -> BaseProcess:
    """Start a process that goes on behind what was acknowledged."""
    first = max(acknowledged_in(folder), default=-1) + 1
    process = _CONTEXT.Process(target=work, args=(str(folder), label, visits, first, first + num_batches))
    process.start()
    return process


def acknowledged_in(folder: Path) -> list[int]:
    """Return the batches whose acknowledgement somebody saw."""
    file = folder / "acknowledged"
    return [int(line) for line in file.read_text(encoding="ascii").splitlines()] if file.exists() else []


def check(folder: Path) -> None:
    """Open the store as after a crash: what was acknowledged is there once, and the one that was not, whole or not."""
    acknowledged = acknowledged_in(folder)
    in_flight = max(acknowledged, default=-1) + 1
    telemetry = open_telemetry(folder, SqliteIngestLog(folder / "ingest.sqlite"))
    try:
        for place, system in enumerate(SYSTEMS):
            expected = Counter(value for batch in acknowledged if batch % 2 == place for value in values_of(batch))
            extra = Counter(values_of(in_flight)) if in_flight % 2 == place else Counter[float]()
            for _ in range(2):
                table = telemetry.read_metrics(system, CHANNELS, after(-9), after(99), after(1e6))
                found = Counter(table["value"].to_pylist())
                assert found in (expected, expected + extra)
                known = sum(batch % 2 == place for batch in acknowledged)
                assert telemetry.version(system) == known + (found != expected)
                telemetry.flush()
    finally:
        telemetry.close()


def values_of(batch: int) -> list[float]:
    """Return the values of a batch."""
    values: list[float] = rows_of(batch)["value"].to_pylist()
    return values
