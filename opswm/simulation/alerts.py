"""Alerts of a simulated system: threshold rules over what monitoring stored, never over the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.signals import SIGNALS
from opswm_schemas.telemetry import Event

HOLD_TICKS: Final = 3
"""A rule must hold this long before its alert fires, and be quiet as long before it resolves."""

Readings = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Rule:
    """One alert rule: its name, how grave it is, and the condition on an entity's readings per tick."""

    name: str
    severity: str
    holds: Callable[[Readings], NDArray[np.bool_]]


RULES: Final = (
    Rule("HighErrorRatio", "error", lambda r: r["error_ratio"] > 0.05),
    Rule("LatencyFarAboveUsual", "warn", lambda r: r["latency_p99"] > 3.0 * np.maximum(_usual(r["latency_p99"]), 0.02)),
    Rule("CpuSaturated", "warn", lambda r: r["cpu_utilization"] > 0.9),
    Rule("MemoryNearLimit", "warn", lambda r: r["memory_ratio"] > 0.9),
    Rule("ReplicasMissing", "warn", lambda r: r["replicas_ready"] < r["replicas_desired"] - 0.5),
    Rule("PoolExhausted", "error", lambda r: r["pool_in_use"] >= 0.95 * r["pool_size"]),
    Rule("ConsumerLagGrowing", "warn", lambda r: r["consumer_lag"] > 20.0 + 5.0 * _usual(r["consumer_lag"])),
    Rule("CacheHitRatioLow", "warn", lambda r: r["cache_hit_ratio"] < 0.6 * _usual(r["cache_hit_ratio"])),
)
"""Rules in the spirit of the Kubernetes and SRE mixins; comparisons with nothing to read are false."""


def alert_events(lived: Lived, row: int, start: datetime) -> list[Event]:
    """Return fired and resolved alerts of one world up to its decision.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        start: Instant of the world's second 0.
    """
    blueprint = lived.blueprints[row]
    first_s = lived.decision_s - lived.value.shape[1] * blueprint.step_s
    value = lived.value[row].numpy().astype(np.float64)
    value = np.where(lived.seen[row].numpy(), value, np.nan)
    events: list[Event] = []
    for index, part in enumerate(blueprint.parts):
        readings = {name: value[:, index, column] for column, name in enumerate(SIGNALS)}
        for rule in RULES:
            with np.errstate(invalid="ignore"):
                held = rule.holds(readings)
            for tick, fired in _changes(held):
                at = start + timedelta(seconds=first_s + (tick + 1) * blueprint.step_s)
                events.append(_event(blueprint, part.name, rule, at, fired, f"{lived.world_seeds[row]}-{tick}"))
    return events


def _event(blueprint: Blueprint, entity: str, rule: Rule, at: datetime, fired: bool, number: str) -> Event:
    return Event.observed(
        at,
        event_id=f"{entity}/{rule.name}/{number}",
        type="alert_fired" if fired else "alert_resolved",
        entity_id=entity,
        name=rule.name,
        severity=rule.severity,
        attributes={"system": blueprint.name},
    )


def _changes(held: NDArray[np.bool_]) -> list[tuple[int, bool]]:
    """Return the ticks at which an alert fires (True) or resolves (False)."""
    changes: list[tuple[int, bool]] = []
    firing, run = False, 0
    for tick, now in enumerate(held):
        run = run + 1 if bool(now) != firing else 0
        if run >= HOLD_TICKS:
            firing, run = not firing, 0
            changes.append((tick, firing))
    return changes


def _usual(values: NDArray[np.float64]) -> float:
    """Return the median over the first third of the history, infinite where nothing was read."""
    early = values[: max(1, len(values) // 3)]
    early = early[np.isfinite(early)]
    return float(np.median(early)) if early.size else float("inf")
