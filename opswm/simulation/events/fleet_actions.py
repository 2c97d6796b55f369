"""What operators do to replicas and to what these run: scale, restart, move, deploy, hold a rollout, roll back."""

from typing import Any, Final

from opswm.simulation.events.breakages import inherit
from opswm.simulation.events.rollouts import Version
from opswm.simulation.kernel.blueprint import Level
from opswm.simulation.kernel.incidents import Request

RESTART_ALL: Final = 1
RESTART_ONE: Final = 2
QUEUE_CAPACITY: Final = 1
PAUSE: Final = 0
PROMOTE: Final = 1
LOWEST_AIM: Final = 0.05


def scale_horizontal(world: Any, request: Request, level: Level) -> None:
    """Want another number of replicas, within the quota."""
    server = world.server(request)
    server.fleet.want(round(min(max(0.0, float(level.amount)), float(server.part.replicas_max))))


def scale_vertical(world: Any, request: Request, level: Level) -> None:
    """Replace replicas by others with other cores."""
    fleet = world.server(request).fleet
    fleet.cores = max(0.1, float(level.amount))
    fleet.roll()


def kill_instance(world: Any, request: Request, level: Level) -> None:
    """Take replicas down, the sick ones first."""
    world.server(request).fleet.kill(round(float(level.amount)))


def restart(world: Any, request: Request, level: Level) -> None:
    """Start replicas anew: one after the other, all at once or just one; with a grace they first finish their work."""
    server = world.server(request)
    fleet = server.fleet
    if level.option == RESTART_ONE and fleet.num_ready > 1:
        fleet.kill(1, grace_s=float(level.second))
        return
    give_connections_back(world, request.ability.target)
    if level.option == RESTART_ALL or fleet.num_ready <= 1:
        fleet.kill(fleet.num_ready, grace_s=float(level.second))
        return
    if server.is_cache:
        server.warmth = 0.0
    fleet.roll(grace_s=float(level.second))


def deploy(world: Any, request: Request, level: Level) -> None:
    """Bring the next version, which may be better or worse, and may mend what is wrong with the present one."""
    server = world.server(request)
    fleet, part = server.fleet, server.part
    version = Version(float(part.next_factor), float(part.next_errors), fleet.version)
    inherit(fleet.version, version, world.faults, float(part.next_fixes))
    server.deployed_s = world.env.now
    fleet.deploy(version, level.option, max(0.0, float(level.amount)))


def rollout_control(world: Any, request: Request, level: Level) -> None:
    """Halt the rollout that is under way, bring it to all replicas, or take it back; nothing where there is none."""
    server = world.server(request)
    rollout = server.fleet.rollout
    if rollout is None:
        return
    if level.option == PAUSE:
        rollout.pause()
    elif level.option == PROMOTE:
        rollout.promote()
    else:
        rollout.abort()
        server.deployed_s = world.env.now


def rollback(world: Any, request: Request, level: Level) -> None:
    """Replace replicas by some of the version before: the one that an operator replaced, else the one before this."""
    del level
    server, name = world.server(request), request.ability.target
    fleet = server.fleet
    for fault in world.faults:
        if fault.origin == name and not fault.carried and fault.with_version:
            fault.left = 0.0
    give_connections_back(world, name)
    before = fleet.rollout.before if fleet.rollout is not None else fleet.version.before
    fleet.settle()
    fleet.version = before or Version(float(server.part.old_version_penalty), rolled_back=True)
    server.deployed_s = world.env.now
    if server.is_cache:
        server.warmth = 0.0
    fleet.roll()


def autoscaler_policy(world: Any, request: Request, level: Level) -> None:
    """Give an autoscaler other bounds, and another aim; nothing where there is none."""
    server = world.server(request)
    scaler, part = server.fleet.scaler, server.part
    if not part.scaler_on:
        return
    if level.second >= 0:
        scaler.most = round(min(float(level.second), float(part.replicas_max)))
    if level.amount >= 0:
        scaler.least = round(float(level.amount))
    scaler.least = min(scaler.least, scaler.most)
    if level.third > 0:
        scaler.aim = max(LOWEST_AIM, float(level.third))
    scaler.told = True


def config_change(world: Any, request: Request, level: Level) -> None:
    """Set the slots of a replica, or the places to wait; replicas start anew for it."""
    server = world.server(request)
    if level.option == QUEUE_CAPACITY:
        server.set_places(max(1.0, float(level.amount)))
    else:
        server.fleet.slots = max(1.0, float(level.amount))
    server.fleet.roll()


def cordon(world: Any, request: Request, level: Level) -> None:
    """Place no more replicas on a host; those that are there stay."""
    del level
    host = world.hosts.get(request.ability.target)
    if host is not None:
        host.closed = True


def drain(world: Any, request: Request, level: Level) -> None:
    """Place no more replicas on a host, and replace those that are there by some elsewhere.

    Where the system has no other host they land on a machine with cores of its own.
    """
    host = world.hosts.get(request.ability.target)
    if host is None:
        return
    host.closed = host.drained = True
    for server in world.servers.values():
        if any(replica.host is host for replica in server.fleet.replicas):
            server.fleet.roll(host, float(level.second))


def give_connections_back(world: Any, name: str) -> None:
    """Close the connections of a server that restarts: those leaked at itself, and those it leaked elsewhere."""
    if name in world.servers:
        world.servers[name].leaked = 0.0
    for fault in world.faults:
        if fault.breakage.kind == "pool_leak" and fault.origin == name and fault.target in world.servers:
            world.servers[fault.target].leaked = 0.0
