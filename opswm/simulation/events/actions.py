"""What operators do: each type of action takes hold of servers, replicas, wires, caches and queues in its own way."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from opswm.simulation.events.breakages import VERSION_KINDS
from opswm.simulation.kernel.blueprint import Level
from opswm.simulation.kernel.incidents import Request
from opswm_schemas.vocabulary import ACTION_INDEX

RESTART_ALL: Final = 1
RESTART_ONE: Final = 2
CACHE_WARM: Final = 1
EMPTIED_WARMTH: Final = 0.02
LOADING_S: Final = 60.0
LOADING_SHARE: Final = 0.35
"""A loading run reads as much from behind a cache as this share of the cache's own requests."""
KILLED_SHARE: Final = 0.5
COMES_BACK: Final = 0.33
"""Of a lock that a new version keeps taking, what is left after its queries were killed once."""
PROMOTION_SHARE: Final = 0.5
LEFT_BEHIND: Final = frozenset(
    {"lock_contention", "pool_leak", "gray_replica", "replica_down", "zone_down", "slow_disk"}
)
TRIP_RATIO: Final = 0.3
USUAL_OPEN_S: Final = 30.0
MOST_RETRIES: Final = 3

LOWEST_AIM: Final = 0.05
QUEUE_CAPACITY: Final = 1
BY_NETWORK: Final = 0
BY_LABEL: Final = 2
QUEUE_PAUSE: Final = 0
QUEUE_PURGE: Final = 1
HELD_BACK_S: Final = 60.0

Doing = Callable[[Any, Request, Level], None]


def _scale_horizontal(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    server.fleet.want(round(min(max(0.0, float(level.amount)), float(server.part.replicas_max))))


def _scale_vertical(world: Any, request: Request, level: Level) -> None:
    fleet = world.server(request).fleet
    fleet.cores = max(0.1, float(level.amount))
    fleet.roll()


def _kill_instance(world: Any, request: Request, level: Level) -> None:
    world.server(request).fleet.kill(round(float(level.amount)))


def _restart(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    fleet = server.fleet
    if level.option == RESTART_ONE and fleet.num_ready > 1:
        fleet.kill(1)
        return
    _give_connections_back(world, request.ability.target)
    if level.option == RESTART_ALL or fleet.num_ready <= 1:
        fleet.kill(fleet.num_ready)
        return
    if server.is_cache:
        server.warmth = 0.0
    fleet.roll()


def _rollback(world: Any, request: Request, level: Level) -> None:
    del level
    server, name = world.server(request), request.ability.target
    for fault in world.faults:
        if fault.origin == name and fault.breakage.via_version and fault.breakage.kind in VERSION_KINDS:
            fault.left = 0.0
    _give_connections_back(world, name)
    server.old_version = True
    server.deployed_s = world.env.now
    if server.is_cache:
        server.warmth = 0.0
    server.fleet.roll()


def _drain(world: Any, request: Request, level: Level) -> None:
    del level
    host = world.hosts.get(request.ability.target)
    for server in world.servers.values():
        if host is not None and server.fleet.host is host:
            server.fleet.host = None
            server.fleet.roll()


def _traffic_shift(world: Any, request: Request, level: Level) -> None:
    _shift(world, request, min(1.0, max(0.0, float(level.amount))))


def _failover(world: Any, request: Request, level: Level) -> None:
    del level
    server = world.server(request)
    if not server.pooled:
        _shift(world, request, 0.0)
        return
    _relieve(world, request.ability.target, LEFT_BEHIND, 0.0)
    server.leaked = 0.0
    server.fleet.kill(server.fleet.num_ready, float(server.part.start_s) * PROMOTION_SHARE)
    for attempt in list(server.line):
        server.drop(attempt)


def _feature_flag(world: Any, request: Request, level: Level) -> None:
    ability = request.ability
    for wire in world.wires:
        if ability.feature and wire.link.feature == ability.feature and wire.link.source == ability.target:
            wire.enabled = level.option > 0
    world.refresh()


def _rate_limit(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    server.limit_rps = max(0.0, float(level.amount))
    server.burst = float(level.second) if level.second > 0 else max(1.0, server.limit_rps)
    server.tokens, server.tokens_at_s = 0.0, world.env.now
    server.guarded = True


def _load_shed(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    server.shed = min(1.0, max(0.0, float(level.amount)))
    server.guarded = True


def _circuit_break(world: Any, request: Request, level: Level) -> None:
    for wire in world.wires_into(request.ability.target):
        wire.breaker_ratio = TRIP_RATIO
        wire.breaker_open_s = float(level.amount) if level.amount > 0 else USUAL_OPEN_S


def _timeout_retry(world: Any, request: Request, level: Level) -> None:
    for wire in world.wires_into(request.ability.target):
        if level.amount > 0:
            wire.set_timeout(max(0.01, float(level.amount)))
        if level.second >= 0:
            wire.retries = min(MOST_RETRIES, round(float(level.second)))


def _pool_resize(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    server.pool_size = max(1.0, float(round(float(level.amount))))
    server.pull()


def _cache_op(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    if level.option == CACHE_WARM:
        server.loading_left_s = LOADING_S
        server.loading_pace = LOADING_SHARE * world.usual_rps[request.ability.target]
        return
    server.warmth = EMPTIED_WARMTH
    server.loading_left_s = 0.0
    _relieve(world, request.ability.target, frozenset({"poisoned_cache"}), 0.0)


def _db_op(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    if level.option:  # maintenance, which this engine does not know yet
        return
    for fault in world.faults:
        if fault.target == request.ability.target and fault.breakage.kind == "lock_contention":
            fault.left *= COMES_BACK if fault.breakage.via_version else 0.0
    server.drop_longest(math.ceil(server.busy * KILLED_SHARE))


def _autoscaler_policy(world: Any, request: Request, level: Level) -> None:
    fleet = world.server(request).fleet
    if not fleet.server.part.scaler_on:
        return
    if level.second >= 0:
        fleet.most = round(min(float(level.second), float(fleet.server.part.replicas_max)))
    if level.amount >= 0:
        fleet.least = round(float(level.amount))
    fleet.least = min(fleet.least, fleet.most)
    if level.third > 0:
        fleet.aim = max(LOWEST_AIM, float(level.third))
    fleet.told = True


def _config_change(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    if level.option == QUEUE_CAPACITY:
        server._queue_limit = max(1.0, float(level.amount))
    else:
        server.fleet.slots = max(1.0, float(level.amount))
    server.fleet.roll()


def _quarantine(world: Any, request: Request, level: Level) -> None:
    server = world.server(request)
    if level.option == BY_LABEL:
        server.fleet.set_aside()
        return
    server.cut_off = True
    for attempt in list(server.line):
        server.drop(attempt)
    if level.option == BY_NETWORK:
        server.drop_longest(server.busy)
    _shift(world, request, 0.0)


def _queue_op(world: Any, request: Request, level: Level) -> None:
    queue = world.queues.get(request.ability.target)
    if queue is None:
        return
    if level.option == QUEUE_PAUSE:
        queue.pause(HELD_BACK_S)
    elif level.option == QUEUE_PURGE:
        queue.purge()
    else:
        queue.replay()


DOINGS: Final[Mapping[str, Doing]] = {
    "autoscaler_policy": _autoscaler_policy,
    "config_change": _config_change,
    "quarantine": _quarantine,
    "queue_op": _queue_op,
    "rollback": _rollback,
    "restart": _restart,
    "kill_instance": _kill_instance,
    "scale_horizontal": _scale_horizontal,
    "scale_vertical": _scale_vertical,
    "traffic_shift": _traffic_shift,
    "failover": _failover,
    "drain": _drain,
    "feature_flag": _feature_flag,
    "rate_limit": _rate_limit,
    "load_shed": _load_shed,
    "circuit_break": _circuit_break,
    "timeout_retry": _timeout_retry,
    "pool_resize": _pool_resize,
    "cache_op": _cache_op,
    "db_op": _db_op,
}
"""What is done, by action type; ``no_op`` does nothing, and types that are absent cannot be carried out here."""


def carry_out(world: Any, request: Request) -> None:
    """Do what was asked for, at the moment of its effect.

    Args:
        world: Where.
        request: What; a target that is none of the system's parts is left alone.
    """
    doing = DOINGS.get(request.ability.type)
    if doing is not None:
        doing(world, request, request.level)


def number_of(request: Request) -> int:
    """Return the number that keys what chance does to a request of this type."""
    return ACTION_INDEX[request.ability.type]


def _shift(world: Any, request: Request, share: float) -> None:
    """Send a share of what goes to the target and its peer to the target, the rest to the peer."""
    name = request.ability.target
    peer = world.server(request).part.peer
    if not peer:
        return
    for wire in world.wires_into(name):
        wire.weight = share
    for wire in world.wires_into(peer):
        wire.weight = 1.0 - share
    world.refresh()


def _relieve(world: Any, target: str, kinds: frozenset[str], keep: float) -> None:
    for fault in world.faults:
        if fault.target == target and fault.breakage.kind in kinds:
            fault.left *= keep


def _give_connections_back(world: Any, name: str) -> None:
    """Close the connections of a server that restarts: those leaked at itself, and those it leaked elsewhere."""
    if name in world.servers:
        world.servers[name].leaked = 0.0
    for fault in world.faults:
        if fault.breakage.kind == "pool_leak" and fault.origin == name and fault.target in world.servers:
            world.servers[fault.target].leaked = 0.0
