"""Alerts of a simulated system: threshold rules over what monitoring stored, never over the truth.

Rules hold for a while before they fire, as in Prometheus (``for``, ``keep_firing_for``), and a notification is sent
again while an alert goes on firing, as by Alertmanager (``repeat_interval``).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.scene import Readings, Scene
from opswm_schemas.telemetry import Event, Severity

REPEAT_S: Final = 300.0
"""A notification is sent again when its alert has fired for so long since the last one."""

Change = Literal["fired", "repeated", "resolved"]


@dataclass(frozen=True)
class Rule:
    """One alert rule.

    Attributes:
        name: Of the alert.
        severity: How grave it is.
        for_s: How long the condition must hold before the alert fires.
        quiet_s: How long it must not hold before the alert resolves.
        holds: The condition on the readings of every entity, ``[T, N]``; nothing read compares as false.
    """

    name: str
    severity: Severity
    for_s: float
    quiet_s: float
    holds: Callable[[Readings], NDArray[np.bool_]]


def _usual(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median per entity over the first third of the history, infinite where nothing was read."""
    early = values[: max(1, len(values) // 3)]
    found = np.full(values.shape[1], np.inf)
    read = np.isfinite(early).any(0)
    if read.any():
        found[read] = np.nanmedian(early[:, read], 0)
    return found


RULES: Final = (
    Rule("HighErrorRatio", "error", 15.0, 15.0, lambda r: r["error_ratio"] > 0.05),
    Rule(
        "LatencyFarAboveUsual",
        "warn",
        15.0,
        15.0,
        lambda r: r["latency_p99"] > 3.0 * np.maximum(_usual(r["latency_p99"]), 0.02),
    ),
    Rule("CpuSaturated", "warn", 15.0, 30.0, lambda r: r["cpu_utilization"] > 0.9),
    Rule("MemoryNearLimit", "warn", 15.0, 30.0, lambda r: r["memory_ratio"] > 0.9),
    Rule("ReplicasMissing", "warn", 15.0, 15.0, lambda r: r["replicas_ready"] < r["replicas_desired"] - 0.5),
    Rule("PoolExhausted", "error", 10.0, 15.0, lambda r: r["pool_in_use"] >= 0.95 * r["pool_size"]),
    Rule("LockWaitsLong", "warn", 15.0, 15.0, lambda r: r["lock_wait"] > 0.05 + 5.0 * _usual(r["lock_wait"])),
    Rule(
        "ConsumerLagGrowing", "warn", 15.0, 30.0, lambda r: r["consumer_lag"] > 20.0 + 5.0 * _usual(r["consumer_lag"])
    ),
    Rule("CacheHitRatioLow", "warn", 15.0, 30.0, lambda r: r["cache_hit_ratio"] < 0.6 * _usual(r["cache_hit_ratio"])),
    Rule("ReplicaRestarted", "warn", 0.0, 60.0, lambda r: r["restart_rate"] > 0.0),
)
"""Rules in the spirit of the Kubernetes and SRE mixins."""


def alert_events(scene: Scene) -> list[Event]:
    """Return the notifications of one world up to its decision: fired, sent again, resolved.

    Args:
        scene: The world; rules read what monitoring stored of it.
    """
    step_s = scene.blueprint.step_s
    events: list[Event] = []
    for rule in RULES:
        with np.errstate(invalid="ignore"):
            held = rule.holds(scene.stored)
        for index in np.flatnonzero(held.any(0)):
            for tick, change in changes(held[:, index], step_s, rule):
                events.append(_event(scene, scene.blueprint.parts[index].name, rule, tick, change))
    return events


def changes(held: NDArray[np.bool_], step_s: float | int, rule: Rule) -> Iterator[tuple[int, Change]]:
    """Yield the ticks at whose end an alert fires, is sent again or resolves.

    Args:
        held: Whether the condition held in each tick.
        step_s: Length of a tick.
        rule: Says how long it must hold, and be quiet.
    """
    to_fire, to_resolve, to_repeat = (max(1, math.ceil(s / step_s)) for s in (rule.for_s, rule.quiet_s, REPEAT_S))
    firing, run, told = False, 0, 0
    for tick, now in enumerate(held):
        run = run + 1 if bool(now) != firing else 0
        if run >= (to_resolve if firing else to_fire):
            firing, run, told = not firing, 0, tick
            yield tick, "fired" if firing else "resolved"
        elif firing and tick - told >= to_repeat:
            told = tick
            yield tick, "repeated"


def _event(scene: Scene, entity: str, rule: Rule, tick: int, change: Change) -> Event:
    return Event.observed(
        scene.end_of(tick),
        event_id=f"{entity}/{rule.name}/{scene.seed}-{tick}",
        type="alert_resolved" if change == "resolved" else "alert_fired",
        entity_id=entity,
        name=rule.name,
        severity=rule.severity,
        attributes={"system": scene.blueprint.name, "notification": change},
    )
