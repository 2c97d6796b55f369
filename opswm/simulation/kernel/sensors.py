"""Which channels a system has: what its telemetry leaves out, its units, and whether rates come as counters."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Part, Sensor
from opswm.simulation.kernel.signals import SHOWN_BY, SIGNALS

COUNTED: Final[dict[str, str]] = {
    "request_rate": "{request}", "retry_rate": "{request}", "shed_rate": "{request}", "timeout_rate": "{request}",
    "restart_rate": "{restart}", "throughput": "{record}",
}  # fmt: skip
"""Signals that sources count, with the unit of the counter."""

RATE_UNITS: Final[dict[str, str]] = {name: f"{unit}/s" for name, unit in COUNTED.items()}
COUNT_UNITS: Final[dict[str, str]] = {
    "queue_depth": "{item}", "in_flight": "{request}", "replicas_ready": "{replica}", "replicas_desired": "{replica}",
    "pool_in_use": "{connection}", "pool_size": "{connection}", "consumer_lag": "{message}",
}  # fmt: skip
SECONDS: Final = frozenset({"latency_mean", "latency_p50", "latency_p95", "latency_p99", "lock_wait"})
BUCKETED: Final = frozenset({"latency_p50", "latency_p95", "latency_p99"})
BUCKETED_SHARE: Final = 0.2
"""Quantiles that some sources count into the buckets of a histogram, and in how many systems they do."""
ALWAYS: Final = frozenset({"request_rate", "error_ratio", "latency_p99", "replicas_ready", "pool_size", "consumer_lag"})


def choose_sensors(parts: Sequence[Part], rng: np.random.Generator, whole: bool) -> tuple[Sensor, ...]:
    """Return the channels of a system, part by part.

    Args:
        parts: Of the system.
        rng: Decides what is left out and how it is written down.
        whole: Leave nothing out and use canonical units.
    """
    kept = {name: whole or name in ALWAYS or rng.random() < 0.85 for name in SIGNALS}
    counted = {name: not whole and name in COUNTED and rng.random() < 0.5 for name in SIGNALS}
    odd = {name: not whole and rng.random() < 0.4 for name in SIGNALS}
    in_buckets = not whole and rng.spawn(1)[0].random() < BUCKETED_SHARE  # a stream apart: all else stays as it was
    found: list[Sensor] = []
    for part in parts:
        for name in SIGNALS:
            if part.kind not in SHOWN_BY[name] or not kept[name]:
                continue
            if not whole and name not in ALWAYS and rng.random() < 0.04:
                continue
            if counted[name]:
                found.append(Sensor(part.name, name, COUNTED[name], "counter"))
            elif in_buckets and name in BUCKETED:
                found.append(Sensor(part.name, name, _unit(name, odd[name]), "histogram"))
            else:
                found.append(Sensor(part.name, name, _unit(name, odd[name])))
    return tuple(found)


def _unit(signal: str, odd: bool) -> str:
    if signal in SECONDS:
        return "ms" if odd else "s"
    if signal == "version_age":
        return "min" if odd else "s"
    if signal in RATE_UNITS:
        return RATE_UNITS[signal]
    if signal in COUNT_UNITS:
        return COUNT_UNITS[signal]
    return "%" if odd else "1"
