"""What can go wrong, told to servers, wires, hosts and clients second by second.

The kinds and the units of their magnitudes are those of the blueprint; what follows from them is left to the queues.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opswm.simulation.events.fault_kinds import KINDS, VERSION_KINDS
from opswm.simulation.events.randomness import derive, no_type_check
from opswm.simulation.events.rollouts import PACED, Version
from opswm.simulation.kernel.blueprint import Blueprint, Breakage

ITEMS: Final = 2001
"""Keys the items that a backlog is made of."""
ABSENT: Final = -4.0
"""Log factor on the demand of users who cannot reach a system at all, before they all come back at once."""


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
        behind: What was left of it on a database that is not in use since its standby was promoted.
        carried: Versions of the origin that it comes with, and how much of it each of them has.
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
        self.behind = 0.0
        self.carried: dict[Version, float] = {}

    @property
    def with_version(self) -> bool:
        """Whether replicas have it because of what they run, so that it comes and goes with that."""
        breakage = self.breakage
        return breakage.shape == "ROLLOUT" or bool(breakage.via_version and breakage.kind in VERSION_KINDS)

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


_SHAPES: Final = ("STEP", "RAMP", "INTERMITTENT", "DECAY", "REBOUND", "ROLLOUT")
"""The last one is a step that reaches a replica with the version that brings it."""


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
    origin = world.servers.get(fault.origin)
    if origin is not None and (breakage.via_version or breakage.shape == "ROLLOUT"):
        origin.deployed_s = world.env.now
        _bring(fault, origin.fleet, world.faults)
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


def pushes(
    faults: Sequence[Fault], second: int, servers: Mapping[str, Any]
) -> tuple[dict[str, Push], dict[str, float], dict[str, float]]:
    """Return what faults do during a second: to servers, to the demand of entries, to hosts (cores stolen), by name.

    What comes with a version is told to the version: it bites on replicas that run it, and elsewhere in proportion to
    their share.

    Args:
        faults: What goes wrong.
        second: Since the start.
        servers: All of them, by name.
    """
    struck: dict[str, Push] = {}
    demand: dict[str, float] = {}
    stolen: dict[str, float] = {}
    for fault in faults:
        for version in fault.carried:
            version.begin_second()
    for fault in faults:
        size, kind = fault.strength(second), fault.kind
        if not size:
            continue
        own = False
        if fault.carried:
            own = fault.target == fault.origin
            size = _with_versions(fault, size, servers[fault.origin].fleet, own)
        if kind.demand:
            demand[fault.target] = demand.get(fault.target, 0.0) + kind.demand * size
        if kind.steal:
            stolen[fault.target] = stolen.get(fault.target, 0.0) + kind.steal * size
        push = struck.setdefault(fault.target, Push())
        if not own:
            push.service_factor *= math.exp(kind.service * size)
            push.error += kind.error * size
            push.leak += kind.leak * size
        push.io_factor *= math.exp(kind.io * size)
        push.lock += kind.lock * size
        push.pool_leak += kind.pool_leak * size
        push.delay_s += kind.delay * size
        push.down = min(1.0, push.down + kind.down * size)
    return struck, demand, stolen


def _bring(fault: Fault, fleet: Any, faults: Sequence[Fault]) -> None:
    """Let the replicas of a fleet run a version that has a fault: all of them at once, or one after the other."""
    breakage = fault.breakage
    if breakage.shape == "ROLLOUT":
        running = fleet.version
        version = Version(running.factor, running.errors, running)
        fault.carried = {version: 1.0}
        inherit(running, version, faults, 0.0)
        fleet.deploy(version, PACED, over_s=float(breakage.ramp_s))
        return
    version = fleet.version
    if version.rolled_back:
        version.factor, version.rolled_back = 1.0, False
        version.begin_second()
    if fault.with_version:
        fault.carried = {version: 1.0}


def inherit(running: Version, version: Version, faults: Sequence[Fault], fixed: float) -> None:
    """Let a version have what is wrong with the one that runs, but for what it fixes.

    Args:
        running: The one that runs.
        version: The next one.
        faults: Of the whole system.
        fixed: Share of the trouble that it does away with.
    """
    for fault in faults:
        kept = fault.carried.get(running, 0.0) * (1.0 - fixed)
        if kept > 0.0:
            fault.carried[version] = kept


def _with_versions(fault: Fault, size: float, fleet: Any, own: bool) -> float:
    """Tell the versions that have a fault what it does to them; return its size as far as replicas run them.

    Args:
        fault: The fault.
        size: Its strength now.
        fleet: Of its origin.
        own: Whether it bites where it comes from.
    """
    kind = fault.kind
    reached: float = 0.0
    for version, kept in fault.carried.items():
        reached += kept * float(fleet.share_of(version))
        if own:
            version.slow *= math.exp(kind.service * size * kept)
            version.error += kind.error * size * kept
            version.leak += kind.leak * size * kept
            version.leaked += kind.leak * size * kept
    return float(size * reached)


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
                loss = fault.kind.way_loss * size
                if fault.breakage.kind == "certificate_expired":
                    loss *= _read_before(wire.target.fleet.serving, float(fault.breakage.onset_s))
                wire.loss = min(0.99, wire.loss + loss)


def _read_before(replicas: Sequence[Any], second: float) -> float:
    """Return the share of replicas that have not started since: a process reads its certificate when it starts."""
    return float(sum(one.born_s <= second for one in replicas)) / max(1, len(replicas))
