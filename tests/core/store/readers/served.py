"""The same readings behind every reader: in memory, in Delta, in files, in a Prometheus, in a VictoriaMetrics."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.readers.delta import DuckDbReader
from opswm.store.readers.files import ParquetReader
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_connectors.prometheus.config import PrometheusConfig
from opswm_connectors.prometheus.reader import PrometheusReader
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Channel, Entity, SystemDescriptor
from opswm_schemas.ports import SystemKey, TelemetryReader
from tests.core.store.tables.rig import logged
from tests.metrics_servers import MetricsServer, Sent

NOON: Final = datetime(2024, 3, 5, 12, tzinfo=UTC)
SYSTEM: Final = SystemKey("acme@corp", "shop/eu:1#a")
DELAY_S: Final = 1.0
"""Every reading is known so long after it was taken, since Prometheus can keep no other moment."""

Serve = Callable[[pa.Table], TelemetryReader]


def after(seconds: float) -> datetime:
    """Return the instant this long after noon."""
    return NOON + timedelta(seconds=seconds)


def reading(channel_id: str, event_s: float, value: float | None = None, **told: Any) -> dict[str, Any]:
    """Return a row of a number, or of a histogram whose columns are told."""
    moments = {"event_at": after(event_s), "known_at": after(event_s + DELAY_S)}
    return dict.fromkeys(METRICS.names) | {"channel_id": channel_id, "value": value} | moments | told


def table(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=METRICS)


def described(run: str = "") -> SystemDescriptor:
    """Return the system, whose channels say where a test's run left their readings."""

    def channel(channel_id: str, meaning: str, unit: str, **told: Any) -> Channel:
        name = f"readings_{channel_id.replace('.', '_')}"
        query = f'{name}{{run="{run}",channel="{channel_id}"}}'
        return Channel(channel_id=channel_id, entity_id="web", meaning=meaning, unit=unit, **told | {"query": query})

    return SystemDescriptor(
        tenant_id=SYSTEM.tenant_id,
        system_id=SYSTEM.system_id,
        entities=[Entity(entity_id="web", kind="service")],
        channels=[
            channel("web.rps", "request_rate", "{request}/s"),
            channel("web.errors", "error_ratio", "%"),
            channel("web.requests", "request_rate", "{request}", instrument="counter"),
            channel("web.p99", "latency_p99", "ms", instrument="histogram", quantile=0.99),
            channel("web.native", "latency_p99", "s", instrument="histogram", quantile=0.99),
        ],
    )


def series(rows: pa.Table, run: str, descriptor: SystemDescriptor) -> list[Sent]:
    """Return rows as a Prometheus would have scraped them."""
    names = {channel.channel_id: channel.query.partition("{")[0] for channel in descriptor.channels}
    samples: dict[tuple[str, str], list[tuple[int, float]]] = {}
    native: dict[str, list[tuple[int, dict[str, object]]]] = {}
    for row in rows.to_pylist():
        at_ms = round(row["event_at"].timestamp() * 1000)
        if row["histogram_scale"] is not None:
            native.setdefault(row["channel_id"], []).append((at_ms, row))
        elif row["counts"] is not None:
            for bound, size in zip([*row["upper_bounds"], "+Inf"], row["counts"], strict=True):
                samples.setdefault((row["channel_id"], str(bound)), []).append((at_ms, size))
        else:
            samples.setdefault((row["channel_id"], ""), []).append((at_ms, row["value"]))

    def labels(channel_id: str, bound: str = "") -> dict[str, str]:
        own = {"__name__": names[channel_id], "run": run, "channel": channel_id}
        return own | ({"le": bound} if bound else {})

    found = [Sent(labels(*key), sorted(values)) for key, values in samples.items()]
    return found + [Sent(labels(channel_id), native=values) for channel_id, values in native.items()]


def from_memory(rows: pa.Table) -> TelemetryReader:
    """Serve from memory."""
    store = ArrowTelemetry()
    for part, batch in enumerate(_batches(rows)):
        store.append_metrics(SYSTEM, batch, f"b{part}")
    return store


def from_delta(rows: pa.Table, folder: Path) -> LoggedTelemetry:
    """Serve from a Delta table for the first batch and from the log before it for the second."""
    store = logged(folder / "metrics")
    for part, batch in enumerate(_batches(rows)):
        store.append_metrics(SYSTEM, batch, f"b{part}")
        if part == 0:
            store.flush()
    return store


def from_duckdb(rows: pa.Table, folder: Path) -> TelemetryReader:
    """Serve from a Delta table, read by DuckDB."""
    store = from_delta(rows, folder)
    with store.table.writing():
        if not store.table.exists():
            store.table.create()
    store.flush()
    return DuckDbReader(folder / "metrics", store.version)


def from_files(rows: pa.Table, folder: Path) -> TelemetryReader:
    """Serve from plain files."""
    place = folder / "tenant_id=acme%40corp" / "system_id=shop%2Feu%3A1%23a"
    place.mkdir(parents=True)
    pq.write_table(METRICS.empty_table(), place / "empty.parquet")
    for part, batch in enumerate(_batches(rows)):
        pq.write_table(batch, place / f"part [{part}].parquet", row_group_size=3)
    return ParquetReader.of_folder(folder)


def from_server(rows: pa.Table, server: MetricsServer) -> PrometheusReader:
    """Serve from a server that speaks the Prometheus HTTP API."""
    run = server.new_run()
    descriptor = described(run)
    sent = series(rows, run, descriptor)
    if sent:
        server.write(sent)
    return PrometheusReader(PrometheusConfig(server.url, scrape_delay_s=DELAY_S), lambda system, at: descriptor)


def _batches(rows: pa.Table) -> Sequence[pa.Table]:
    """Return rows in two batches that overlap in time and channels, the second half first."""
    middle = rows.num_rows // 2
    return [part for part in (rows.slice(middle), rows.slice(0, middle)) if part.num_rows]
