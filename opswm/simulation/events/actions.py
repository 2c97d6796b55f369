"""What operators do, by type of action: demand and its ways here, replicas and data in modules of their own."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from opswm.simulation.events import data_actions, fleet_actions
from opswm.simulation.kernel.blueprint import Level
from opswm.simulation.kernel.incidents import Request
from opswm_schemas.vocabulary import ACTION_INDEX

TRIP_RATIO: Final = 0.3
USUAL_OPEN_S: Final = 30.0
MOST_RETRIES: Final = 3
BY_NETWORK: Final = 0
BY_LABEL: Final = 2

Doing = Callable[[Any, Request, Level], None]


def _traffic_shift(world: Any, request: Request, level: Level) -> None:
    _shift(world, request, min(1.0, max(0.0, float(level.amount))))


def _failover(world: Any, request: Request, level: Level) -> None:
    del level
    if world.server(request).pooled:
        data_actions.promote_standby(world, request.ability.target)
    else:
        _shift(world, request, 0.0)


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


DOINGS: Final[Mapping[str, Doing]] = {
    "deploy": fleet_actions.deploy,
    "rollback": fleet_actions.rollback,
    "rollout_control": fleet_actions.rollout_control,
    "restart": fleet_actions.restart,
    "kill_instance": fleet_actions.kill_instance,
    "scale_horizontal": fleet_actions.scale_horizontal,
    "scale_vertical": fleet_actions.scale_vertical,
    "autoscaler_policy": fleet_actions.autoscaler_policy,
    "traffic_shift": _traffic_shift,
    "failover": _failover,
    "cordon": fleet_actions.cordon,
    "drain": fleet_actions.drain,
    "quarantine": _quarantine,
    "config_change": fleet_actions.config_change,
    "feature_flag": _feature_flag,
    "rate_limit": _rate_limit,
    "load_shed": _load_shed,
    "circuit_break": _circuit_break,
    "timeout_retry": _timeout_retry,
    "pool_resize": data_actions.pool_resize,
    "cache_op": data_actions.cache_op,
    "queue_op": data_actions.queue_op,
    "db_op": data_actions.db_op,
}
"""What is done, by action type; ``no_op`` does nothing."""


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
