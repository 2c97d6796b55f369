"""Which channels a system has: what its telemetry leaves out, names, units, and whether rates come as counters."""

import zlib
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
LEFT_OUT_SHARE: Final = 0.04
"""Quantiles that some sources count into the buckets of a histogram, and in how many systems they do."""
ALWAYS: Final = frozenset({"request_rate", "error_ratio", "latency_p99", "replicas_ready", "pool_size", "consumer_lag"})

STYLES: Final = ("", "prometheus", "dotted", "camel", "opaque")
"""Ways in which sources name what they measure: not at all, three conventions, and numbers that say nothing."""

SAID_AS: Final[dict[str, str]] = {
    "request_rate": "http_server_hits", "error_ratio": "failure_pct", "latency_mean": "rt_avg",
    "latency_p50": "rt_median", "latency_p95": "rt_95", "latency_p99": "rt_tail", "cpu_utilization": "cpu_load",
    "memory_ratio": "mem_used", "queue_depth": "accept_queue", "in_flight": "active_calls",
    "replicas_ready": "instances_up", "replicas_desired": "instances_wanted", "pool_in_use": "conns_busy",
    "pool_size": "conns_max", "cache_hit_ratio": "hit_pct", "consumer_lag": "messages_pending",
    "retry_rate": "client_reattempts", "shed_rate": "dropped_calls", "timeout_rate": "deadline_exceeded",
    "restart_rate": "container_starts", "lock_wait": "wait_events", "version_age": "uptime_since_release",
    "breaker_open_ratio": "circuits_tripped", "throughput": "messages_done",
}  # fmt: skip
"""What sources say instead of the canonical name."""


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
    style = "" if whole else str(rng.choice(STYLES))
    kinds = {part.kind for part in parts}
    shown = {kind: [name for name in SIGNALS if kind in SHOWN_BY[name] and kept[name]] for kind in kinds}
    optional = {kind: 0 if whole else sum(name not in ALWAYS for name in shown[kind]) for kind in kinds}
    left_out = iter((rng.random(sum(optional[part.kind] for part in parts)) < LEFT_OUT_SHARE).tolist())
    found: list[Sensor] = []
    for part in parts:
        for name in shown[part.kind]:
            if not whole and name not in ALWAYS and next(left_out):
                continue
            said = local_name(style, part.name, name)
            if counted[name]:
                found.append(Sensor(part.name, name, COUNTED[name], "counter", said))
            elif in_buckets and name in BUCKETED:
                found.append(Sensor(part.name, name, _unit(name, odd[name]), "histogram", said))
            else:
                found.append(Sensor(part.name, name, _unit(name, odd[name], style), name=said))
    return tuple(found)


def local_name(style: str, part: str, signal: str) -> str:
    """Return what a source calls a signal of a part; nothing where it has no names of its own.

    Args:
        style: One of ``STYLES``.
        part: The part.
        signal: The signal, which the name need not resemble.
    """
    if not style:
        return ""
    said = SAID_AS[signal]
    if style == "prometheus":
        return f"{part.replace('-', '_')}_{said}"
    if style == "dotted":
        return f"{part}.{said.replace('_', '.')}"
    if style == "camel":
        return "".join(word.capitalize() for word in said.split("_"))
    return f"m{zlib.crc32(f'{part}/{signal}'.encode()):08x}"


def _unit(signal: str, odd: bool, style: str = "") -> str:
    if signal in SECONDS:
        return ("us" if style == "dotted" else "ms") if odd else "s"
    if signal == "version_age":
        return ("h" if style == "camel" else "min") if odd else "s"
    if signal in RATE_UNITS:
        return f"{COUNTED[signal]}/min" if odd and style in ("dotted", "camel") else RATE_UNITS[signal]
    if signal in COUNT_UNITS:
        return COUNT_UNITS[signal]
    return "%" if odd else "1"
