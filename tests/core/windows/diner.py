"""A small system in trouble, for tests of windows and planning: four entities, nine channels, typed capabilities."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from opswm.timeline.timeline import Timeline
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Parameters, Restart
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Affect, Capability, Condition
from opswm_schemas.descriptor import Channel, Entity, Objective, Relation, SystemDescriptor

AT = datetime(2024, 3, 5, 12, tzinfo=UTC)
STEP_S = 5.0

READINGS = {
    "web.rps": 120.0,
    "web.errors": 0.08,
    "web.p99": 0.9,
    "web.p99.canary": 1.1,
    "web.replicas": 4.0,
    "db.in_use": 19.0,
    "db.size": 20.0,
    "cache.hits": 0.93,
    "cache.oddity": 7.0,
}
"""The steady reading of each channel, in canonical units."""


def diner(**changes: Any) -> SystemDescriptor:
    """Return the system: web calls db and cache, and has a twin."""
    fields: dict[str, Any] = {
        "system_id": "diner",
        "step_s": STEP_S,
        "entities": [
            Entity(entity_id="web", kind="service", attributes={"team": "front"}),
            Entity(entity_id="db", kind="database"),
            Entity(entity_id="cache", kind="cache"),
            Entity(entity_id="web-b", kind="service", attributes={"team": "front"}),
        ],
        "relations": [
            Relation(source="web", target="db", kind="calls"),
            Relation(source="web", target="cache", kind="reads_through"),
            Relation(source="web", target="web-b", kind="replicates"),
        ],
        "channels": [
            Channel(channel_id="web.rps", entity_id="web", meaning="request_rate", unit="{request}/s"),
            Channel(channel_id="web.errors", entity_id="web", meaning="error_ratio", unit="1"),
            Channel(channel_id="web.p99", entity_id="web", meaning="latency_p99", unit="s"),
            Channel(channel_id="web.p99.canary", entity_id="web", meaning="latency_p99", unit="s"),
            Channel(channel_id="web.replicas", entity_id="web", meaning="replicas_ready", unit="{replica}"),
            Channel(channel_id="db.in_use", entity_id="db", meaning="pool_in_use", unit="{connection}"),
            Channel(channel_id="db.size", entity_id="db", meaning="pool_size", unit="{connection}"),
            Channel(channel_id="cache.hits", entity_id="cache", meaning="cache_hit_ratio", unit="1"),
            Channel(channel_id="cache.oddity", entity_id="cache", meaning="other", unit="1"),
        ],
        "capabilities": capabilities(),
        "objectives": [
            Objective(objective_id="fast", entity_id="web", weight=0.75, latency_threshold_s=0.5),
            Objective(
                objective_id="roomy", entity_id="db", kind="gauge", weight=0.25, channel_id="db.in_use", threshold=18.0
            ),
        ],
    }
    return SystemDescriptor(**(fields | changes))


def capabilities() -> list[Capability]:
    """Return what can be done to it."""
    return [
        Capability(
            capability_id="scale-web",
            type="scale_horizontal",
            targets=["web"],
            bounds={"to_replicas": Bound(minimum=1, maximum=6)},
            affects=[Affect(resource="capacity", sign=1)],
        ),
        Capability(
            capability_id="restart-any",
            type="restart",
            targets=["web", "db", "cache"],
            affects=[Affect(resource="capacity", sign=-1)],
            cooldown_s=120.0,
            cost_bad_minutes=0.2,
            reversibility="irreversible",
        ),
        Capability(
            capability_id="pool",
            type="pool_resize",
            targets=["db"],
            affects=[
                Affect(resource="connections", sign=1),
                Affect(relation=("web", "db"), resource="latency", sign=-1),
            ],
        ),
        Capability(
            capability_id="shed",
            type="load_shed",
            targets=["web"],
            bounds={"fraction_ratio": Bound(minimum=0.0, maximum=0.6, levels=[0.1, 0.4])},
            preconditions=[Condition(meaning="request_rate", comparison="above", threshold=50.0)],
            affects=[Affect(resource="demand", sign=-1)],
        ),
        Capability(
            capability_id="flush",
            type="cache_op",
            targets=["cache"],
            bounds={"op": Bound(choices=["flush", "warm"])},
            forbid_if=[Condition(entity_id="db", meaning="pool_in_use", comparison="above", threshold=15.0)],
        ),
        Capability(capability_id="shift", type="traffic_shift", targets=["web"]),
        Capability(capability_id="release", type="deploy", targets=["web"]),
    ]


def timeline(
    descriptor: SystemDescriptor,
    readings: dict[str, float] | None = None,
    actions: Sequence[Action] = (),
    num_ticks: int = 21,
    alerting: Sequence[str] = (),
    seed: int = 3,
) -> Timeline:
    """Return a past around given readings, with some noise and some gaps; channels without a reading are unseen."""
    rng = np.random.default_rng(seed)
    steady = READINGS if readings is None else readings
    shape = (num_ticks, len(descriptor.channels))
    base = np.array([steady.get(channel.channel_id, 0.0) for channel in descriptor.channels])
    there = np.array([channel.channel_id in steady for channel in descriptor.channels], dtype=np.bool_)
    whole = np.array([channel.meaning.startswith(("replicas", "pool")) for channel in descriptor.channels], dtype=bool)
    noise = np.where(whole, 1.0, rng.uniform(0.98, 1.02, shape))
    seen = there & (rng.random(shape) < 0.9)
    if num_ticks:
        seen[-1] = there
    fires = np.zeros((num_ticks, len(descriptor.entities)), dtype=np.bool_)
    for entity in alerting:
        fires[-3:, descriptor.entity_index()[entity]] = True
    ends = [
        np.datetime64((AT - timedelta(seconds=STEP_S * back)).replace(tzinfo=None), "us") for back in range(num_ticks)
    ]
    return Timeline(
        descriptor=descriptor,
        at=AT,
        ticks_at=np.array(ends[::-1], dtype="datetime64[us]"),
        value=np.where(seen, base * noise, 0.0),
        seen=seen,
        newest_at=AT if num_ticks and steady else None,
        newest_channel_at=np.full(shape[1], np.datetime64("NaT"), dtype="datetime64[us]"),
        actions=tuple(actions),
        in_force=np.zeros((num_ticks, len(actions)), dtype=np.bool_),
        events=(),
        alerting=fires,
        relations=tuple(descriptor.relations),
    )


def logged(
    action_id: str,
    target: str,
    params: Parameters | None = None,
    facts: Sequence[tuple[ActionStatus, float, float]] = (("approved", -30.0, -30.0), ("started", -25.0, -25.0)),
    **fields: Any,
) -> Action:
    """Return a logged action; each fact is (status, event seconds, known seconds) relative to the decision."""
    chosen = Restart() if params is None else params
    described: dict[str, Any] = {
        "action_id": action_id,
        "system_id": "diner",
        "type": chosen.type,
        "target": Target(entity_id=target),
        "params": chosen,
        "transitions": [
            Transition(status=status, event_at=after(event), known_at=after(known)) for status, event, known in facts
        ],
        "actor": Actor(kind="human", id="ada"),
        "source": Source(system="test"),
    }
    return Action(**(described | fields))


def after(seconds: float) -> datetime:
    """Return the instant this long after the decision."""
    return AT + timedelta(seconds=seconds)
