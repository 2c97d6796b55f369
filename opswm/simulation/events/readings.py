"""What a perfect observer of a tick reads: counts over it, gauges at its end, quantiles of the response times in it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.kernel.signals import SIGNALS

QUANTILES: Final = (50.0, 95.0, 99.0)


def read_tick(world: Any, span_s: float) -> NDArray[np.float32]:
    """Return the signals of every part over the tick that ends now, and begin to count anew.

    Latencies without an answer are 0; a response time belongs to the tick of the answer.

    Args:
        world: After the tick.
        span_s: Its length.
    """
    table = np.zeros((len(world.blueprint.parts), len(SIGNALS)), np.float32)
    for row, part in enumerate(world.blueprint.parts):
        if part.name in world.servers:
            values = _of_server(world, world.servers[part.name], span_s)
        elif part.name in world.queues:
            values = _of_queue(world.queues[part.name], span_s)
        elif part.name in world.hosts:
            values = _of_host(world, part.name, span_s)
        else:
            continue
        for name, value in values.items():
            table[row, _COLUMN[name]] = value
    for wire in world.wires:
        wire.num_retries = wire.num_timeouts = 0
    return table


def count_anew(world: Any) -> None:
    """Begin to count for another tick where nobody reads this one.

    Args:
        world: After the tick.
    """
    for server in world.servers.values():
        server.used_then_s = server.used_cpu_s
        server.tally = type(server.tally)()
    for queue in world.queues.values():
        queue.tally = type(queue.tally)()
    for host in world.hosts.values():
        host.used_then_s = host.used_cpu_s
    for wire in world.wires:
        wire.num_retries = wire.num_timeouts = 0


def scaled_in_tick(world: Any) -> NDArray[np.float32]:
    """Return the replicas that autoscalers added (removed: negative) since the last tick, per part."""
    return np.array(
        [
            world.servers[part.name].tally.scaled if part.name in world.servers else 0.0
            for part in world.blueprint.parts
        ],
        np.float32,
    )


_COLUMN: Final = {name: column for column, name in enumerate(SIGNALS)}


def _of_server(world: Any, server: Any, span_s: float) -> dict[str, float]:
    tally, fleet, now = server.tally, server.fleet, world.env.now
    answered = tally.served + tally.refused + tally.dropped
    ready = [replica for replica in fleet.replicas if replica.ready]
    reserved = max(0.01, sum(replica.cores for replica in ready))
    used_s = server.used_cpu_s - server.used_then_s
    server.used_then_s = server.used_cpu_s
    out = world.wires_out[server.part.name]
    reads = tally.hits + tally.misses
    latencies = np.array(tally.latencies_s) if tally.latencies_s else np.zeros(1)
    p50, p95, p99 = np.percentile(latencies, QUANTILES)
    values = {
        "request_rate": tally.offered / span_s,
        "error_ratio": (tally.errors + tally.refused + tally.dropped) / max(1, answered),
        "latency_mean": latencies.mean(),
        "latency_p50": p50,
        "latency_p95": p95,
        "latency_p99": p99,
        "cpu_utilization": min(1.0, used_s / (reserved * span_s)),
        "memory_ratio": min(1.0, sum(replica.memory for replica in ready) / len(ready)) if ready else 0.0,
        "queue_depth": server.lined + server.queued,
        "in_flight": server.lined + server.busy,
        "replicas_ready": len(fleet.serving),
        "replicas_desired": fleet.desired,
        "pool_in_use": server.busy + server.leaked,
        "pool_size": server.pool_size,
        "cache_hit_ratio": tally.hits / reads if reads else float(server.part.hit_max) * server.warmth,
        "retry_rate": sum(wire.num_retries for wire in out) / span_s,
        "shed_rate": (tally.refused + tally.dropped) / span_s,
        "timeout_rate": sum(wire.num_timeouts for wire in out) / span_s,
        "restart_rate": tally.restarts / span_s,
        "lock_wait": tally.locked_s / max(1, tally.served),
        "version_age": now - server.deployed_s,
        "breaker_open_ratio": sum(wire.open_until_s > now for wire in out) / max(1, len(out)),
        "throughput": tally.served / span_s,
    }
    server.tally = type(tally)()
    return values


def _of_queue(queue: Any, span_s: float) -> dict[str, float]:
    tally = queue.tally
    values = {
        "request_rate": tally.offered / span_s,
        "error_ratio": tally.refused / max(1, tally.offered),
        "queue_depth": float(len(queue.items)),
        "consumer_lag": float(len(queue.items)),
        "replicas_ready": 1.0,
        "throughput": tally.served / span_s,
        "shed_rate": tally.refused / span_s,
    }
    queue.tally = type(tally)()
    return values


def _of_host(world: Any, name: str, span_s: float) -> dict[str, float]:
    host = world.hosts[name]
    used_s = host.used_cpu_s - host.used_then_s
    host.used_then_s = host.used_cpu_s
    return {"cpu_utilization": min(1.0, used_s / (host.cores * span_s) + host.stolen), "replicas_ready": 1.0}
