"""A small shop and its readings, for the tests of the timeline."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from opswm.timeline.build import build_timeline
from opswm.timeline.timeline import Timeline
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Parameters, ScaleHorizontal
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Channel, Entity, Relation, SystemDescriptor
from opswm_schemas.telemetry import Event

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
STEP_S = 10.0
NUM_TICKS = 6
SECONDS = NUM_TICKS * STEP_S
"""The grid of these tests: six ticks of ten seconds, from noon to one minute past."""

Row = dict[str, Any]
CHANNELS = ["db.p99", "web.latency", "web.replicas", "web.requests", "web.errors"]


def after(seconds: float) -> datetime:
    """Return the instant this long after noon."""
    return NOON + timedelta(seconds=seconds)


def shop(relations: Sequence[Relation] = (), quantile: float = 0.9) -> SystemDescriptor:
    """Return a system of two entities with one channel of each kind."""
    channels = [
        Channel(
            channel_id="db.p99",
            entity_id="db",
            meaning="latency_p99",
            unit="s",
            instrument="histogram",
            quantile=quantile,
        ),
        Channel(channel_id="web.latency", entity_id="web", meaning="latency_mean", unit="ms"),
        Channel(channel_id="web.replicas", entity_id="web", meaning="replicas_ready", unit="{replica}"),
        Channel(
            channel_id="web.requests", entity_id="web", meaning="request_rate", unit="{request}", instrument="counter"
        ),
        Channel(channel_id="web.errors", entity_id="web", meaning="error_ratio", unit="%"),
    ]
    return SystemDescriptor(
        system_id="shop",
        step_s=STEP_S,
        entities=[Entity(entity_id="web", kind="service"), Entity(entity_id="db", kind="database")],
        channels=channels,
        relations=list(relations),
    )


def number(channel_id: str, event_s: float, value: float, known_s: float | None = None) -> Row:
    """Return a number reading at seconds after noon."""
    known = after(event_s if known_s is None else known_s)
    return {"channel_id": channel_id, "event_at": after(event_s), "known_at": known, "value": value}


def classic(event_s: float, bounds: Sequence[float], cumulative: Sequence[float], known_s: float | None = None) -> Row:
    """Return a classic histogram of the database's latency."""
    row = number("db.p99", event_s, 0.0, known_s)
    return row | {"value": None, "upper_bounds": list(bounds), "counts": list(cumulative)}


def native(event_s: float, scale: int, offset: int, counts: Sequence[float], zero_count: float = 0.0) -> Row:
    """Return a native histogram of the database's latency."""
    row = number("db.p99", event_s, 0.0) | {"value": None, "counts": list(counts)}
    return row | {"histogram_scale": scale, "histogram_offset": offset, "zero_count": zero_count}


def metrics(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table with the columns of the contract."""
    return pa.Table.from_pylist(list(rows), schema=METRICS)


def build(
    rows: Sequence[Row] = (),
    actions: Sequence[Action] = (),
    events: Sequence[Event] = (),
    at_s: float = SECONDS,
    system: SystemDescriptor | None = None,
) -> Timeline:
    """Return the timeline that ends at seconds after noon."""
    return build_timeline(system or shop(), metrics(rows), actions, events, after(at_s), NUM_TICKS)


def column(timeline: Timeline, channel_id: str) -> list[float | None]:
    """Return a channel tick by tick, None where unseen."""
    index = [channel.channel_id for channel in timeline.descriptor.channels].index(channel_id)
    pairs = zip(timeline.value[:, index].tolist(), timeline.seen[:, index].tolist(), strict=True)
    return [value if seen else None for value, seen in pairs]


def same(left: Timeline, right: Timeline) -> bool:
    """Return whether two timelines hold the same, bit for bit."""
    arrays = ("ticks_at", "value", "seen", "in_force", "alerting")
    newest = np.array_equal(left.newest_channel_at, right.newest_channel_at, equal_nan=True)
    told = ("actions", "events", "relations", "newest_at", "at")
    return (
        newest
        and all(np.array_equal(getattr(left, name), getattr(right, name)) for name in arrays)
        and all(getattr(left, name) == getattr(right, name) for name in told)
    )


def moved(status: ActionStatus, event_s: float, known_s: float | None = None) -> Transition:
    """Return a transition at seconds after noon."""
    return Transition(status=status, event_at=after(event_s), known_at=after(event_s if known_s is None else known_s))


def acted(
    action_id: str, *transitions: Transition, params: Parameters | None = None, target: str = "web", **fields: Any
) -> Action:
    """Return an action on the shop; it scales where nothing else is said."""
    params = params or ScaleHorizontal(to_replicas=5)
    return Action(
        action_id=action_id,
        system_id="shop",
        type=params.type,
        target=Target(entity_id=target),
        params=params,
        transitions=list(transitions),
        actor=Actor(kind="human", id="ana"),
        source=Source(system="chat"),
        **fields,
    )
