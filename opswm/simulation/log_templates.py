"""Templates of the log lines of simulated systems: what each says, how often, and what makes it be said.

Rates follow the true signals of an entity, because a program logs what happens to it; the hidden cause is named by no
template. What a program would say of a cause itself (a refused certificate, a query that waits for its disk) is in
``SYMPTOMS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.scene import Readings
from opswm_schemas.telemetry import Severity

Rate = Callable[[Readings], NDArray[np.float64]]
_SERVES: Final = ("load_balancer", "service", "worker", "external")
_CALLS: Final = ("load_balancer", "service", "worker")


@dataclass(frozen=True)
class Template:
    """One kind of log line.

    Attributes:
        template_id: Stable, whatever the wording.
        severity: Of each line.
        text: The line with its variable parts in braces, named as in ``log_fields.FIELDS``.
        rate: Expected lines per second and entity, ``[T, N]``.
        kinds: Entity kinds that say it; all where empty.
        most: Lines per entity and tick at most, as log libraries limit what is said over and over.
    """

    template_id: str
    severity: Severity
    text: str
    rate: Rate
    kinds: tuple[str, ...] = ()
    most: int = 3


def _while(held: NDArray[np.bool_], per_s: float) -> NDArray[np.float64]:
    return held.astype(np.float64) * np.float64(per_s)


def _failed(r: Readings) -> NDArray[np.float64]:
    return r["request_rate"] * r["error_ratio"]


TEMPLATES: Final = (
    Template(
        "request-failed",
        "error",
        "{method} {route} failed with {status} after {duration_ms} ms (request {request_id})",
        lambda r: 0.1 * _failed(r),
        _SERVES,
    ),
    Template(
        "query-failed",
        "error",
        "query {query_id} on {table} was ended after {duration_ms} ms",
        lambda r: 0.1 * _failed(r),
        ("database",),
    ),
    Template("cache-read-failed", "error", "GET {key} failed: {cache_error}", lambda r: 0.1 * _failed(r), ("cache",)),
    Template(
        "call-timed-out",
        "warn",
        "call to {peer} timed out after {timeout_ms} ms (request {request_id})",
        lambda r: 0.1 * r["timeout_rate"],
        _CALLS,
    ),
    Template(
        "call-retried",
        "warn",
        "calling {peer} again, attempt {attempt}",
        lambda r: 0.05 * r["retry_rate"],
        _CALLS,
        2,
    ),
    Template(
        "breaker-open",
        "warn",
        "circuit breaker to {peer} is open, calls are refused",
        lambda r: _while(r["breaker_open_ratio"] > 0, 0.3),
        _CALLS,
        2,
    ),
    Template(
        "request-refused",
        "warn",
        "refused request {request_id}: {waiting} are waiting",
        lambda r: 0.05 * r["shed_rate"],
        ("load_balancer", "service"),
        2,
    ),
    Template(
        "pool-exhausted",
        "error",
        "no connection became free in {wait_ms} ms: {in_use} of {size} in use",
        lambda r: _while((r["pool_size"] > 0) & (r["pool_in_use"] >= 0.95 * r["pool_size"]), 0.5),
        ("database",),
    ),
    Template(
        "lock-waited",
        "warn",
        "process {pid} waited {lock_ms} ms for a lock on {table}",
        lambda r: _while(r["lock_wait"] > 0.02, 0.3),
        ("database",),
    ),
    Template(
        "memory-low",
        "warn",
        "memory at {memory_percent} %, collection took {pause_ms} ms",
        lambda r: _while(r["memory_ratio"] > 0.85, 0.2),
        _CALLS,
        1,
    ),
    Template(
        "cpu-throttled",
        "warn",
        "throttled: {cpu_percent} % of the CPU quota used",
        lambda r: _while(r["cpu_utilization"] > 0.95, 0.1),
        most=1,
    ),
    Template(
        "consumer-behind",
        "warn",
        "consumer group {peer} is {lag} messages behind",
        lambda r: _while(r["consumer_lag"] > 50, 0.2),
        ("queue",),
        1,
    ),
    Template(
        "cache-misses",
        "info",
        "hit ratio {hit_percent} % over the last minute",
        lambda r: np.full_like(r["cache_hit_ratio"], 0.02),
        ("cache",),
        1,
    ),
    Template(
        "request-served",
        "info",
        "{method} {route} 200 {duration_ms} ms (request {request_id})",
        lambda r: 0.003 * r["request_rate"] * (1.0 - r["error_ratio"]),
        _SERVES,
        2,
    ),
    Template(
        "checkpoint-done",
        "info",
        "checkpoint complete: wrote {pages} buffers in {pause_ms} ms",
        lambda r: np.full_like(r["request_rate"], 1.0 / 60.0),
        ("database",),
        1,
    ),
    Template(
        "health-checked",
        "debug",
        "health check passed, {in_flight} requests in flight",
        lambda r: _while(r["replicas_ready"] >= 0.5, 1.0 / 30.0),
        _CALLS,
        1,
    ),
)
"""Lines that are drawn from a rate."""

HAPPENINGS: Final[Mapping[str, tuple[str, Severity, str]]] = {
    "stopped": ("instance-stopped", "warn", "instance {instance} is shutting down, {in_flight} requests in flight"),
    "killed": ("out-of-memory", "fatal", "out of memory: killed process {pid} of instance {instance}"),
    "started": ("instance-started", "info", "instance {instance} is listening on port {port}"),
    "deployed": ("version-started", "info", "version {version} is starting"),
    "configured": ("configuration-changed", "info", "configuration changed by {actor}: {change}"),
}
"""Lines of something that happened once: template id, severity, text."""

SYMPTOMS: Final[Mapping[str, tuple[str, Severity, str]]] = {
    "dependency_outage": ("connection-refused", "error", "connect: connection refused (request {request_id})"),
    "lock_contention": ("lock-queue", "warn", "{waiters} processes are waiting for a lock on {table}"),
    "slow_queries": ("slow-query", "warn", "slow query {query_id} on {table}: {duration_ms} ms, sequential scan"),
    "poisoned_cache": ("decoding-failed", "error", "cannot decode the value of {key}: {cache_error}"),
    "poison_message": ("message-returned", "error", "cannot process message {key}, delivery {attempt}: returned"),
    "slow_disk": ("slow-sync", "warn", "sync took {pause_ms} ms, {pages} buffers are waiting"),
    "certificate_expired": ("handshake-failed", "error", "TLS handshake failed: certificate is not valid now"),
    "bad_config": ("option-invalid", "error", "option {key} is not valid, the default is used"),
}
"""What a program says of a cause while it lasts, by the kind of fault; most kinds say nothing of themselves."""

SYMPTOM_PER_S: Final = 0.15
