"""A small system for the tests of the service: three entities in a row, what can be done to them, its telemetry."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.telemetry import Event, MetricPoint

AT = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
"""The decision instant of every question in these tests."""

NUM_TICKS = 40
STEP_S = 5.0


def channel(entity: str, meaning: str, unit: str, **more: Any) -> dict[str, Any]:
    """One channel, named after its entity and meaning."""
    return {"channel_id": f"{entity}.{meaning}", "entity_id": entity, "meaning": meaning, "unit": unit, **more}


def descriptor_document() -> dict[str, Any]:
    """Three entities in a row, with what can be done to them."""
    entities = ("edge", "checkout", "orders-db")
    return {
        "schema_version": "1.0",
        "system_id": "corner-shop",
        "name": "Corner shop",
        "step_s": STEP_S,
        "entities": [
            {"entity_id": "edge", "kind": "load_balancer"},
            {"entity_id": "checkout", "kind": "service"},
            {"entity_id": "orders-db", "kind": "database"},
        ],
        "relations": [
            {"source": "edge", "target": "checkout", "kind": "routes_to"},
            {"source": "checkout", "target": "orders-db", "kind": "calls"},
        ],
        "channels": [
            *(channel(entity, "request_rate", "{request}/s") for entity in entities),
            *(channel(entity, "error_ratio", "%") for entity in entities),
            *(channel(entity, "latency_p99", "ms") for entity in entities),
            channel("checkout", "replicas_ready", "{replica}"),
        ],
        "capabilities": [
            {
                "capability_id": "scale-checkout",
                "type": "scale_horizontal",
                "targets": ["checkout"],
                "bounds": {"to_replicas": {"minimum": 1, "maximum": 12, "levels": [4, 8]}},
                "affects": [{"resource": "capacity", "sign": 1}],
            },
            {"capability_id": "restart-checkout", "type": "restart", "targets": ["checkout"], "approvals_needed": 1},
            {
                "capability_id": "shed-at-edge",
                "type": "load_shed",
                "targets": ["edge"],
                "bounds": {"fraction_ratio": {"minimum": 0.0, "maximum": 0.5, "levels": [0.2]}},
                "affects": [{"resource": "demand", "sign": -1}],
            },
        ],
        "objectives": [{"objective_id": "fast-checkout", "entity_id": "edge", "latency_threshold_s": 0.5}],
    }


def points(num_ticks: int = NUM_TICKS, until: datetime = AT) -> list[dict[str, Any]]:
    """Readings of every channel, one a tick, the last at ``until``; latency climbs for the last ten ticks."""
    level = {"request_rate": 120.0, "error_ratio": 0.4, "latency_p99": 180.0, "replicas_ready": 4.0}
    found = []
    for one in descriptor_document()["channels"]:
        for tick in range(num_ticks):
            at = (until - timedelta(seconds=STEP_S * (num_ticks - 1 - tick))).isoformat()
            value = level[one["meaning"]] * (1.0 + 0.02 * math.sin(tick))
            if one["meaning"] in ("latency_p99", "error_ratio"):
                value *= 1.0 + max(0, tick - num_ticks + 10)
            found.append({"channel_id": one["channel_id"], "event_at": at, "known_at": at, "value": value})
    return found


def write_recording(path: Path, **descriptor: Any) -> Path:
    """A recording of the small system: its telemetry and one alert; a zip where the path ends in .zip."""
    system = SystemDescriptor.model_validate({**descriptor_document(), **descriptor})
    alert = Event.observed(AT, event_id="a-1", type="alert_fired", entity_id="edge", name="edge is slow")
    with RecordingWriter(path, system, path.stem, until=AT) as writer:
        writer.add_metrics(TypeAdapter(list[MetricPoint]).validate_python(points()))
        writer.add_events([alert])
    return path
