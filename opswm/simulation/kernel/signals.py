"""What a perfect observer of a tick would read: counters gathered over it, gauges at its end."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import latency
from opswm.simulation.kernel.conditions import Conditions
from opswm.simulation.kernel.flow import Instant
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState
from opswm.simulation.kernel.wiring import Wiring
from opswm_schemas.vocabulary import ENTITY_KINDS

SIGNALS: Final[tuple[str, ...]] = (
    "request_rate", "error_ratio", "latency_mean", "latency_p50", "latency_p95", "latency_p99", "cpu_utilization",
    "memory_ratio", "queue_depth", "in_flight", "replicas_ready", "replicas_desired", "pool_in_use", "pool_size",
    "cache_hit_ratio", "consumer_lag", "retry_rate", "shed_rate", "timeout_rate", "restart_rate", "lock_wait",
    "version_age", "breaker_open_ratio", "throughput",
)  # fmt: skip
"""Signals in order, named as in ``opswm_schemas.vocabulary.MEANINGS`` and in their canonical units."""

_WORKS: Final = ("load_balancer", "service", "cache", "database", "worker", "external")
_RUNS: Final = ("load_balancer", "service", "cache", "database", "worker")
SHOWN_BY: Final[dict[str, tuple[str, ...]]] = {
    "request_rate": _WORKS, "error_ratio": _WORKS, "latency_mean": _WORKS, "latency_p50": _WORKS,
    "latency_p95": _WORKS, "latency_p99": _WORKS, "cpu_utilization": (*_RUNS, "host"), "memory_ratio": _RUNS,
    "queue_depth": _RUNS, "in_flight": _WORKS, "replicas_ready": _RUNS,
    "replicas_desired": ("load_balancer", "service", "worker"), "pool_in_use": ("database",),
    "pool_size": ("database",), "cache_hit_ratio": ("cache",), "consumer_lag": ("queue",),
    "retry_rate": ("load_balancer", "service", "worker"), "shed_rate": ("load_balancer", "service"),
    "timeout_rate": ("load_balancer", "service", "worker"), "restart_rate": _RUNS, "lock_wait": ("database",),
    "version_age": ("load_balancer", "service", "worker"),
    "breaker_open_ratio": ("load_balancer", "service", "worker"), "throughput": ("queue",),
}  # fmt: skip
"""Which kinds of entity show a signal at all."""


@dataclass(frozen=True)
class Tally:
    """Sums over the ``num_substeps`` substeps of a tick, as far as it is over; per entity unless said otherwise."""

    num_substeps: int
    offered: Float[Tensor, "W N"]
    entered: Float[Tensor, "W N"]
    served: Float[Tensor, "W N"]
    refused: Float[Tensor, "W N"]
    dropped: Float[Tensor, "W N"]
    failed: Float[Tensor, "W N"]
    time_s: Float[Tensor, "W N"]
    time_square: Float[Tensor, "W N"]
    cpu_s: Float[Tensor, "W N"]
    retries: Float[Tensor, " K"]
    timeouts: Float[Tensor, " K"]
    offered_attempts: Float[Tensor, "W O"]
    bad_attempts: Float[Tensor, "W O"]


def start_tally(parameters: WorldParameters, wiring: Wiring, num_substeps: int) -> Tally:
    """Return empty sums over that many substeps."""
    entities = torch.zeros(9, *parameters.entities.slots.shape, device=parameters.entities.slots.device)
    edges = torch.zeros(2, *wiring.edge.shape, device=entities.device)
    attempts = torch.zeros(2, *parameters.objectives.items.shape, device=entities.device)
    return Tally(num_substeps, *entities.unbind(), *edges.unbind(), *attempts.unbind())


def count(tally: Tally, instant: Instant, conditions: Conditions) -> None:
    """Add one more substep to the sums; objectives are counted apart."""
    square = (instant.latency_s * instant.latency_s).add_(instant.latency_var)
    entered = (instant.offered - instant.refused).clamp_(min=0.0)
    tally.offered.add_(instant.offered)
    tally.entered.add_(entered)
    tally.served.add_(instant.served)
    tally.refused.add_(instant.refused)
    tally.dropped.add_(instant.dropped)
    tally.failed.addcmul_(instant.offered, instant.failed)
    tally.time_s.addcmul_(entered, instant.latency_s)
    tally.time_square.addcmul_(entered, square)
    tally.cpu_s.addcmul_(instant.served, conditions.cpu_s)
    tally.retries.add_(instant.calls.retry_rate)
    tally.timeouts.add_(instant.calls.timeout_rate)


def read_signals(
    parameters: WorldParameters,
    wiring: Wiring,
    before: WorldState,
    state: WorldState,
    conditions: Conditions,
    tally: Tally,
    substep_s: float,
) -> Float[Tensor, "W N C"]:
    """Return the signals of a tick in canonical units, in the order of ``SIGNALS``; latencies without traffic are 0.

    Args:
        parameters: The worlds.
        wiring: Index tensors.
        before: State at the start of the tick.
        state: State at its end.
        conditions: What held in its last second.
        tally: Sums over it.
        substep_s: Length of a substep.
    """
    entities, fleet, resources, flow = parameters.entities, state.fleet, state.resources, state.flow
    span_s = tally.num_substeps * substep_s
    busy = tally.served > 0.5
    entered = tally.entered.clamp(min=0.5)
    mean = tally.time_s / entered * busy
    variance = (tally.time_square / entered - mean * mean).clamp(min=0.0)
    quantiles = [latency.quantile(mean, variance, z) * busy for z in (0.0, 1.6449, 2.3263)]
    cpu = tally.cpu_s / (conditions.reserved * span_s)
    host_cpu = (
        torch.zeros_like(cpu)
        .view(-1)
        .scatter_add_(0, wiring.host, (tally.cpu_s * wiring.resident * (1.0 - state.settings.moved)).view(-1))
    )
    is_host = entities.kind == ENTITY_KINDS.index("host")
    cpu = torch.where(is_host, host_cpu.view_as(cpu) / (entities.host_cores * span_s) + conditions.stolen, cpu)
    pool_in_use = flow.busy + resources.leaked
    opened = (wiring.of_edges(state.settings.breaker_left_s) > 0).float()
    num_edges = _by_source(wiring, torch.ones_like(opened), cpu)
    attempts = tally.offered.clamp(min=1e-6)
    lock_wait_s = (conditions.own_s - conditions.cpu_s - entities.io_s).clamp(min=0.0)
    values = {
        "request_rate": tally.offered / span_s,
        "error_ratio": tally.failed / attempts * (tally.offered > 0.5),
        "latency_mean": mean,
        "latency_p50": quantiles[0],
        "latency_p95": quantiles[1],
        "latency_p99": quantiles[2],
        "cpu_utilization": cpu.clamp(max=1.0),
        "memory_ratio": resources.memory.clamp(max=1.0),
        "queue_depth": flow.waiting,
        "in_flight": flow.present,
        "replicas_ready": (fleet.ready - fleet.stuck).clamp(min=0.0),
        "replicas_desired": fleet.desired,
        "pool_in_use": pool_in_use,
        "pool_size": state.settings.pool_size,
        "cache_hit_ratio": entities.hit_max * resources.warmth,
        "consumer_lag": flow.waiting,
        "retry_rate": _by_source(wiring, tally.retries, cpu) / tally.num_substeps,
        "shed_rate": (tally.refused + tally.dropped) / span_s,
        "timeout_rate": _by_source(wiring, tally.timeouts, cpu) / tally.num_substeps,
        "restart_rate": (fleet.restarts - before.fleet.restarts).clamp(min=0.0) / span_s,
        "lock_wait": lock_wait_s,
        "version_age": state.second - fleet.deployed_s,
        "breaker_open_ratio": _by_source(wiring, opened, cpu) / num_edges.clamp(min=1.0),
        "throughput": tally.served / span_s,
    }
    return torch.stack([values[name] for name in SIGNALS], -1)


def _by_source(wiring: Wiring, edges: Float[Tensor, " K"], like: Float[Tensor, "W N"]) -> Float[Tensor, "W N"]:
    return torch.zeros_like(like).view(-1).scatter_add_(0, wiring.source, edges).view_as(like)
