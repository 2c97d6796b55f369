"""The kinds of faults that there are, and which mechanisms each of them drives."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """What a kind of fault does, each times its magnitude.

    Attributes:
        service, io: Log factors on all own time, and on what of it needs no CPU.
        error: Share of answers that become errors.
        leak: Share of a replica's memory per second.
        lock: Time under a lock in multiples of the own time.
        pool_leak: Connections per second.
        steal: Share of a host's cores.
        delay: Seconds on every request.
        demand: Log factor on first attempts.
        down: Share of replicas held down while it lasts.
        way_delay, way_loss: Of calls on the way: seconds, share that never arrives.
        stuck, gray: Replicas that go down, or go on badly, at its onset.
        chill, shrink: Shares of a cache's contents and of a pool that go at its onset.
        backlog: Items that appear in a queue at its onset.
    """

    service: float = 0.0
    io: float = 0.0
    error: float = 0.0
    leak: float = 0.0
    lock: float = 0.0
    pool_leak: float = 0.0
    steal: float = 0.0
    delay: float = 0.0
    demand: float = 0.0
    down: float = 0.0
    way_delay: float = 0.0
    way_loss: float = 0.0
    stuck: float = 0.0
    gray: float = 0.0
    chill: float = 0.0
    shrink: float = 0.0
    backlog: float = 0.0


KINDS: Final[dict[str, Kind]] = {
    "none": Kind(),
    "slow_version": Kind(service=1.0),
    "erroring_version": Kind(error=1.0),
    "memory_leak": Kind(leak=1.0),
    "replica_down": Kind(stuck=1.0),
    "gray_replica": Kind(gray=1.0),
    "lock_contention": Kind(lock=1.0),
    "slow_queries": Kind(service=1.0),
    "pool_leak": Kind(pool_leak=1.0),
    "pool_shrunk": Kind(shrink=1.0),
    "cold_cache": Kind(chill=1.0),
    "poisoned_cache": Kind(error=1.0),
    "retry_storm": Kind(error=0.6, service=1.5),
    "demand_surge": Kind(demand=1.0),
    "dependency_outage": Kind(error=1.0, delay=1.0),
    "dependency_slow": Kind(delay=1.0),
    "noisy_neighbour": Kind(steal=1.0),
    "harmless_deploy": Kind(),
    "zone_down": Kind(down=1.0),
    "slow_disk": Kind(io=1.0),
    "queue_backlog": Kind(backlog=1.0),
    "poison_message": Kind(service=1.0, error=0.2),
    "edge_delay": Kind(way_delay=1.0),
    "edge_loss": Kind(way_loss=1.0),
    "certificate_expired": Kind(way_loss=1.0),
    "bad_config": Kind(error=1.0, delay=0.2),
    "thundering_herd": Kind(demand=1.0),
}
"""Kinds by name."""

VERSION_KINDS: Final = frozenset(
    {"slow_version", "erroring_version", "memory_leak", "lock_contention", "slow_queries", "pool_leak",
     "poisoned_cache", "bad_config"}
)  # fmt: skip
"""Kinds that a new version can bring, and a rollback takes away."""
