"""What can go wrong, told to servers, wires, hosts and clients second by second.

The kinds and the units of their magnitudes are those of the blueprint; what follows from them is left to the queues.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from opswm.simulation.events.randomness import derive, no_type_check
from opswm.simulation.kernel.blueprint import Blueprint, Breakage

ITEMS: Final = 2001
"""Keys the items that a backlog is made of."""
ABSENT: Final = -4.0
"""Log factor on the demand of users who cannot reach a system at all, before they all come back at once."""


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


@dataclass
class Push:
    """What faults do to one server during a second."""

    service_factor: float = 1.0
    io_factor: float = 1.0
    error: float = 0.0
    leak: float = 0.0
    lock: float = 0.0
    pool_leak: float = 0.0
    delay_s: float = 0.0
    down: float = 0.0


@no_type_check
class Fault:
    """One breakage of one target, and what is left of it.

    Attributes:
        breakage: Its description.
        target: Name of the part that it strikes.
        kind: What it does.
        left: 1 until something was done about it, 0 when it is cured.
    """

    def __init__(self, breakage: Breakage, target: str) -> None:
        if breakage.kind not in KINDS:
            raise ValueError(f"fault kind {breakage.kind!r} is not known; use one of {', '.join(KINDS)}")
        if breakage.shape not in _SHAPES:
            raise ValueError(f"fault shape {breakage.shape!r} is not known; use one of {', '.join(_SHAPES)}")
        self.breakage = breakage
        self.target = target
        self.origin = breakage.origin or target
        self.kind = KINDS[breakage.kind]
        self.left = 1.0

    def strength(self, second: float) -> float:
        """Return its magnitude at one second, by the shape of its onset and what is left."""
        breakage = self.breakage
        age = second - float(breakage.onset_s)
        if self.left <= 0.0 or not 0.0 <= age < breakage.duration_s:
            return 0.0
        ramp = max(1.0, float(breakage.ramp_s))
        size = float(breakage.magnitude)
        if breakage.shape == "RAMP":
            size *= max(0.0, min(1.0, age / ramp, (float(breakage.duration_s) - age) / ramp))
        elif breakage.shape == "INTERMITTENT":
            size *= float(age % (2.0 * ramp) < ramp)
        elif breakage.shape == "DECAY":
            size *= math.exp(-age / ramp)
        elif breakage.shape == "REBOUND":
            size = ABSENT if age < ramp else size * math.exp(1.0 - age / ramp)
        return size * self.left


_SHAPES: Final = ("STEP", "RAMP", "INTERMITTENT", "DECAY", "REBOUND")


def faults_of(blueprint: Blueprint, breakages: Sequence[Breakage]) -> list[Fault]:
    """Return the faults of a system; one whose target is a zone strikes every part in it.

    Args:
        blueprint: The system.
        breakages: What will go wrong.

    Raises:
        ValueError: When a target, kind or shape is not known.
    """
    found: list[Fault] = []
    for breakage in breakages:
        part = blueprint.parts[blueprint.index(breakage.target)]
        others = blueprint.parts if part.kind == "zone" else ()
        inside = [other.name for other in others if other is not part and other.zone == part.name]
        found += [Fault(breakage, name) for name in inside or [part.name]]
    return found


def set_in(fault: Fault, world: Any) -> None:
    """Make the one-time changes of a fault's onset."""
    kind, size, breakage = fault.kind, float(fault.breakage.magnitude), fault.breakage
    server = world.servers.get(fault.target)
    if breakage.via_version and fault.origin in world.servers:
        world.servers[fault.origin].deployed_s = world.env.now
        world.servers[fault.origin].old_version = False
    if kind.backlog and fault.target in world.queues:
        world.queues[fault.target].pile_up(round(kind.backlog * size), derive(world.seed, ITEMS))
    if server is None:
        return
    if kind.stuck:
        server.fleet.fall_sick(round(kind.stuck * size), gray=False)
    if kind.gray:
        server.fleet.fall_sick(round(kind.gray * size), gray=True)
    if kind.chill:
        server.warmth *= max(0.0, 1.0 - kind.chill * size)
    if kind.shrink:
        kept = math.ceil(server.pool_size * max(0.0, 1.0 - kind.shrink * size))
        server.pool_size = max(float(kept), min(server.pool_size, 1.0))


def pushes(faults: Sequence[Fault], second: int) -> tuple[dict[str, Push], dict[str, float], dict[str, float]]:
    """Return what faults do during a second: to servers, to the demand of entries, to hosts (cores stolen), by name."""
    servers: dict[str, Push] = {}
    demand: dict[str, float] = {}
    stolen: dict[str, float] = {}
    for fault in faults:
        size, kind = fault.strength(second), fault.kind
        if not size:
            continue
        if kind.demand:
            demand[fault.target] = demand.get(fault.target, 0.0) + kind.demand * size
        if kind.steal:
            stolen[fault.target] = stolen.get(fault.target, 0.0) + kind.steal * size
        push = servers.setdefault(fault.target, Push())
        push.service_factor *= math.exp(kind.service * size)
        push.io_factor *= math.exp(kind.io * size)
        push.error += kind.error * size
        push.leak += kind.leak * size
        push.lock += kind.lock * size
        push.pool_leak += kind.pool_leak * size
        push.delay_s += kind.delay * size
        push.down = min(1.0, push.down + kind.down * size)
    return servers, demand, stolen


def disturb(faults: Sequence[Fault], wires: Sequence[Any], second: int) -> None:
    """Set what faults do to calls on their way during a second."""
    way = [fault for fault in faults if fault.kind.way_delay or fault.kind.way_loss]
    if not way:
        return
    for wire in wires:
        wire.delay_s = wire.loss = 0.0
    for fault in way:
        size = fault.strength(second)
        for wire in wires:
            meant = wire.link.target == fault.target and fault.origin in (fault.target, wire.link.source)
            if meant and wire.synchronous:
                wire.delay_s += fault.kind.way_delay * size
                wire.loss = min(0.99, wire.loss + fault.kind.way_loss * size)
