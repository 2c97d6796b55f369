"""Stores for the tests of inspection: one system that reports every five seconds, whole and well."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from opswm.clock import FixedClock
from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.inspection.findings import Finding, Inspection
from opswm.store.inspection.inspect import inspect_store
from opswm.store.layout import FORMER_TABLE, LEDGER_FILE, LOG_FILE, METRICS_TABLE
from opswm.store.ledger import SqlLedger
from opswm.store.tables.filler import Filler
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.descriptor import Channel, Entity, SystemDescriptor
from opswm_schemas.ports import Batch, SystemKey
from opswm_schemas.telemetry import Event
from tests.core.store.shop import moved, scaling

SHOP = SystemKey("default", "shop")
NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=2)
STEP_S = 5.0
TICKS = 240
"""Twenty minutes of readings in each of three batches."""

CHANNELS = {"web.rps": "request_rate", "web.errors": "error_ratio", "web.cpu": "cpu_utilization"}
UNITS = {"request_rate": "{request}/s", "error_ratio": "%", "cpu_utilization": "1"}


def after(seconds: float) -> datetime:
    """Return the instant this long after noon."""
    return NOON + timedelta(seconds=seconds)


def descriptor() -> SystemDescriptor:
    """One service with three channels, each read every five seconds."""
    return SystemDescriptor(
        system_id="shop",
        step_s=STEP_S,
        entities=[Entity(entity_id="web", kind="service")],
        channels=[
            Channel(channel_id=name, entity_id="web", meaning=meaning, unit=UNITS[meaning])
            for name, meaning in CHANNELS.items()
        ],
    )


def ticks(first: int, last: int, leave_out: Iterable[int] = ()) -> list[int]:
    """Return numbers of ticks, some left out."""
    return [tick for tick in range(first, last) if tick not in set(leave_out)]


def readings(times: Mapping[str, Sequence[float]], delay_s: float = 0.5, seed: int = 5) -> pa.Table:
    """Return readings of channels at seconds after noon, each known a little later and read a little off its tick."""
    random = np.random.default_rng(seed)
    names = [name for name, seconds in times.items() for _ in seconds]
    tick_us = np.array([second for seconds in times.values() for second in seconds], dtype=np.float64) * 1e6
    noon_us = int(NOON.timestamp()) * 1_000_000
    event_us = noon_us + (tick_us + random.uniform(-0.4e6, 0.4e6, tick_us.size)).astype(np.int64)
    known_us = noon_us + (tick_us + 0.4e6 + delay_s * 1e6).astype(np.int64)
    return pa.table(
        {
            "channel_id": pa.array(names, pa.string()),
            "event_at": pa.array(event_us, pa.int64()).cast(INSTANT),
            "known_at": pa.array(known_us, pa.int64()).cast(INSTANT),
            "value": random.normal(size=tick_us.size),
        }
    )


def batch(number: int, **leave_out: Iterable[int]) -> pa.Table:
    """Return a third of an hour of all channels; ticks of some channels left out, by name with ``_`` for ``.``."""
    first, last = TICKS * number, TICKS * (number + 1)
    return readings(
        {
            name: [STEP_S * tick for tick in ticks(first, last, leave_out.get(name.replace(".", "_"), ()))]
            for name in CHANNELS
        }
    )


def facts(ledger: SqlLedger) -> None:
    """Tell a ledger of the system, an action and an event."""
    ledger.register(descriptor())
    ledger.record_action(scaling("a1", moved("started", 2, 4), moved("succeeded", 9, 9)))
    alert = Event(event_id="e1", type="alert_fired", entity_id="web", name="slow", event_at=after(3), known_at=after(4))
    ledger.record_events(SHOP, [alert])


def empty_store(folder: Path) -> Path:
    """A store whose ledger knows the system, and no readings."""
    folder.mkdir()
    ledger = SqlLedger.open(f"sqlite:///{folder / LEDGER_FILE}", FixedClock(NOON))
    facts(ledger)
    ledger.close()
    return folder


def whole_store(folder: Path, batches: Iterable[pa.Table] | None = None, num_filled: int = 3) -> Path:
    """A store whose readings came through an ingest log, the first few batches filled into the table."""
    empty_store(folder)
    log, table = SqliteIngestLog(folder / LOG_FILE), MetricsTable(folder / METRICS_TABLE)
    filler = Filler(log, table, FixedClock(NOON))
    for number, rows in enumerate(batches or [batch(0), batch(1), batch(2)]):
        log.append([Batch(SHOP, "test", f"b{number}", rows)])
        if number < num_filled:
            filler.flush()
    log.close()
    return folder


def former_store(folder: Path) -> Path:
    """A store of opswm 0.1: one Delta table, one commit for each batch with the number of its content."""
    empty_store(folder)
    for number in range(3):
        rows = in_order(admit_metrics(batch(number)))
        columns = {"tenant_id": ["default"] * rows.num_rows, "system_id": ["shop"] * rows.num_rows}
        write_deltalake(
            folder / FORMER_TABLE,
            pa.table({**columns, **{name: rows[name] for name in METRICS.names}}),
            mode="append",
            partition_by=["tenant_id", "system_id"],
            commit_properties=CommitProperties(
                app_transactions=[Transaction(f"opswm/default/shop/b{number}", content_number(rows))]
            ),
        )
    return folder


def look(folder: Path, *, is_thorough: bool = True) -> Inspection:
    """Inspect a store two hours after noon."""
    return inspect_store(folder, NOW, is_thorough=is_thorough)


def told(found: Inspection) -> list[tuple[str, str]]:
    """Return severity and check of each finding."""
    return [(finding.severity, finding.check) for finding in found.findings]


def only(found: Inspection) -> Finding:
    """Return the one finding there is."""
    (finding,) = found.findings
    return finding
