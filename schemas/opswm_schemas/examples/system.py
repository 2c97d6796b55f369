"""Example of a system and what was seen of it: a small shop whose checkout slows down after a deployment."""

from datetime import UTC, datetime, timedelta

from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Rollback
from opswm_schemas.actions.record import Action, Actor, Approval, Evidence, Source, Target, Transition
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Affect, Capability, Condition
from opswm_schemas.descriptor import Channel, Entity, Objective, Relation, SystemDescriptor
from opswm_schemas.recordings.manifest import ClockOffset, FileEntry, Manifest, Redaction, TruthFile
from opswm_schemas.recordings.problem import Problem
from opswm_schemas.telemetry import ClassicHistogram, Event, LogRecord, MetricPoint, NativeHistogram, Span

START = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
"""When the example's deployment began."""


def after(seconds: float) -> datetime:
    """Return the instant so many seconds after ``START``."""
    return START + timedelta(seconds=seconds)


def descriptor() -> SystemDescriptor:
    """Return a system with three entities, two capabilities and an objective on requests."""
    return SystemDescriptor(
        system_id="shop",
        name="Shop",
        description="A web shop: the front end calls checkout, which keeps its orders in a database.",
        entities=[
            Entity(entity_id="frontend", kind="load_balancer", attributes={"service.name": "frontend"}),
            Entity(entity_id="checkout", kind="service", zone="zone-a", attributes={"service.name": "checkout"}),
            Entity(entity_id="orders-db", kind="database", attributes={"db.system.name": "postgresql"}),
        ],
        relations=[
            Relation(source="frontend", target="checkout", kind="calls", calls_per_request=1.2),
            Relation(source="checkout", target="orders-db", kind="calls", known_at=START),
        ],
        channels=[
            Channel(
                channel_id="checkout.requests",
                entity_id="checkout",
                meaning="request_rate",
                unit="{request}",
                instrument="counter",
                step_s=15.0,
                query='http_requests_total{service="checkout"}',
            ),
            Channel(
                channel_id="checkout.latency",
                entity_id="checkout",
                meaning="latency_p99",
                unit="ms",
                instrument="histogram",
                quantile=0.99,
            ),
            Channel(
                channel_id="checkout.errors",
                entity_id="checkout",
                meaning="error_ratio",
                unit="%",
                mapping="guessed",
                mapping_confidence=0.8,
            ),
        ],
        capabilities=[
            Capability(
                capability_id="scale-checkout",
                type="scale_horizontal",
                targets=["checkout"],
                bounds={"to_replicas": Bound(minimum=1, maximum=12, levels=[4, 8])},
                affects=[Affect(resource="capacity", sign=1), Affect(entity_id="orders-db", resource="demand", sign=1)],
                forbid_if=[
                    Condition(
                        entity_id="orders-db",
                        meaning="pool_utilization",
                        comparison="above",
                        threshold=0.95,
                        reason="more replicas would exhaust the connections of the database",
                    )
                ],
                cooldown_s=300.0,
                typical_delay_s=45.0,
                reconciled_by=["hpa"],
            ),
            Capability(
                capability_id="rollback-checkout",
                type="rollback",
                targets=["checkout"],
                affects=[Affect(resource="latency", sign=-1)],
                cost_bad_minutes=0.5,
                approvals_needed=1,
                approver_team="checkout-owners",
            ),
        ],
        objectives=[
            Objective(objective_id="checkout-slo", entity_id="checkout", target_ratio=0.999, latency_threshold_s=0.5)
        ],
    )


def transition(status: ActionStatus = "succeeded", at_s: float = 180.0) -> Transition:
    """Return a change of status, learned from an audit log two seconds late."""
    return Transition(event_at=after(at_s), known_at=after(at_s + 2.0), status=status, source="kubernetes-audit")


def action() -> Action:
    """Return a rollback that a person proposed, another approved, and that succeeded."""
    return Action(
        action_id="rollback-7",
        system_id="shop",
        type="rollback",
        target=Target(entity_id="checkout"),
        resolved_targets=["checkout"],
        params=Rollback(to_version="2.3.1"),
        previous_params={"to_version": "2.4.0"},
        transitions=[
            transition("proposed", 60.0),
            transition("approved", 90.0),
            transition("started", 95.0),
            transition("succeeded", 180.0),
        ],
        approvals=[
            Approval(
                event_at=after(90.0), known_at=after(90.0), decision="approved", status="approved", responder="robin"
            )
        ],
        actor=Actor(kind="human", id="alex"),
        source=Source(system="argo-cd", event_id="41", trust="high"),
        policy_id="on-call-runbook",
        candidates_considered=["no_op", "rollback-7", "scale-checkout"],
        propensity=0.7,
        incident_id="incident-3",
        evidence=[Evidence(kind="dashboard", ref="checkout latency doubled at 12:01")],
    )


def event() -> Event:
    """Return an alert."""
    return Event(
        event_at=after(45.0),
        known_at=after(50.0),
        event_id="alert-12",
        type="alert_fired",
        entity_id="checkout",
        name="CheckoutLatencyHigh",
        severity="error",
        attributes={"runbook": "checkout-latency"},
    )


def metric_point() -> MetricPoint:
    """Return a reading of a classic histogram."""
    histogram = ClassicHistogram(upper_bounds=[100.0, 250.0, 500.0, 1_000.0], cumulative_counts=[80, 95, 99, 102, 103])
    return MetricPoint(channel_id="checkout.latency", event_at=after(30.0), known_at=after(31.5), histogram=histogram)


def native_metric_point() -> MetricPoint:
    """Return a reading of an exponential histogram."""
    histogram = NativeHistogram(scale=3, offset=-2, zero_count=1, positive_counts=[4, 9, 2])
    return MetricPoint(channel_id="checkout.latency", event_at=after(45.0), known_at=after(46.5), histogram=histogram)


def log_record() -> LogRecord:
    """Return a log line."""
    return LogRecord(
        event_at=after(40.0),
        known_at=after(41.0),
        entity_id="checkout",
        severity="error",
        body="payment authorisation took 1.2 s",
        template_id="payment authorisation took <*> s",
        attributes={"thread.name": "worker-3"},
    )


def span() -> Span:
    """Return a server span that failed."""
    return Span(
        event_at=after(40.0),
        known_at=after(42.0),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        entity_id="checkout",
        name="POST /orders",
        kind="server",
        duration_s=1.31,
        failed=True,
    )


def manifest() -> Manifest:
    """Return the manifest of a recording of the incident."""
    rows = {"descriptor.json": 1, "metrics.parquet": 1_440, "logs.parquet": 12, "spans.parquet": 0}
    rows |= {"events.jsonl": 2, "actions.jsonl": 1}
    entries = [
        {"path": path, "sha256": f"{number:064x}", "size_bytes": 100 * number, "rows": count, "schema_version": "1.0"}
        for number, (path, count) in enumerate(rows.items(), start=1)
    ]
    return Manifest(
        recording_id="incident-3",
        system_id="shop",
        created_at=after(3_600.0),
        since=after(-1_800.0),
        until=after(1_800.0),
        origin="example",
        software="opswm 0.1.0",
        files=[FileEntry.model_validate(entry) for entry in entries],
        truth=[TruthFile(path="truth/branches.parquet", sha256=f"{7:064x}", size_bytes=700)],
        clock_offsets=[ClockOffset(source="kubernetes-audit", offset_s=0.4, uncertainty_s=0.1, method="ntp")],
        redactions=[Redaction(action_id="rollback-7", field="transitions.0.note")],
    )


def problem() -> Problem:
    """Return a problem of one row."""
    return Problem(
        file="metrics.parquet",
        row=17,
        field="value",
        what="channel 'checkout.errors' at 2025-06-01T12:00:30+00:00 has value nan",
        fix="leave out the row where nothing was measured; NaN and infinities are no measurements",
    )
