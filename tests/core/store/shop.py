"""A small shop with its readings and actions, for the tests of the store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import ScaleHorizontal
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Channel, Entity, SystemDescriptor
from opswm_schemas.ports import SystemKey

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")


def after(seconds: float) -> datetime:
    """Return the instant this long after noon."""
    return NOON + timedelta(seconds=seconds)


def readings(rows: Sequence[tuple[str, float, float, float]]) -> pa.Table:
    """Return number readings from (channel, event seconds, known seconds, value)."""
    fields = [{"channel_id": c, "event_at": after(e), "known_at": after(k), "value": v} for c, e, k, v in rows]
    return pa.Table.from_pylist(fields, schema=METRICS)


def shop(system_id: str = "shop", description: str = "") -> SystemDescriptor:
    """Return a system of two entities and three channels."""
    return SystemDescriptor(
        system_id=system_id,
        description=description,
        entities=[Entity(entity_id="web", kind="service"), Entity(entity_id="db", kind="database")],
        channels=[
            Channel(channel_id="web.rps", entity_id="web", meaning="request_rate", unit="{request}/s"),
            Channel(channel_id="web.errors", entity_id="web", meaning="error_ratio", unit="%"),
            Channel(
                channel_id="db.p99",
                entity_id="db",
                meaning="latency_p99",
                unit="ms",
                instrument="histogram",
                quantile=0.99,
            ),
        ],
    )


def moved(status: ActionStatus, event_s: float, known_s: float | None = None) -> Transition:
    """Return a transition at seconds after noon."""
    return Transition(status=status, event_at=after(event_s), known_at=after(event_s if known_s is None else known_s))


def scaling(action_id: str, *transitions: Transition, system_id: str = "shop", to_replicas: int = 5) -> Action:
    """Return an action that scales the web tier."""
    return Action(
        action_id=action_id,
        system_id=system_id,
        type="scale_horizontal",
        target=Target(entity_id="web"),
        params=ScaleHorizontal(to_replicas=to_replicas),
        transitions=list(transitions),
        actor=Actor(kind="human", id="ana"),
        source=Source(system="chat"),
    )
