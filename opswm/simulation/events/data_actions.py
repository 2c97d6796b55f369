"""What operators do to databases, caches and queues."""

import math
from typing import Any, Final

from opswm.simulation.kernel.blueprint import Level
from opswm.simulation.kernel.incidents import Request

CACHE_WARM: Final = 1
CACHE_INVALIDATE: Final = 2
EMPTIED_WARMTH: Final = 0.02
KNOWN_SHARE: Final = 0.75
"""Of bad entries, what is known to be bad, and can be removed by itself."""
BYCATCH: Final = 0.35
"""Of a cache's contents, what goes with them."""
LOADING_S: Final = 60.0
LOADING_SHARE: Final = 0.35
"""A loading run reads as much from behind a cache as this share of the cache's own requests."""
KILLED_SHARE: Final = 0.5
COMES_BACK: Final = 0.33
"""Of a lock that a new version keeps taking, what is left after its queries were killed once."""
PROMOTION_SHARE: Final = 0.5
RETURN_SHARE: Final = 0.25
"""A promoted standby, and a primary that takes over again, are ready after these shares of a start."""
LEFT_BEHIND: Final = frozenset(
    {"lock_contention", "pool_leak", "gray_replica", "replica_down", "zone_down", "slow_disk"}
)
KILL_QUERY: Final = 0
VACUUM: Final = 1
CREATE_INDEX: Final = 2
QUEUE_PAUSE: Final = 0
QUEUE_PURGE: Final = 1
HELD_BACK_S: Final = 60.0


def pool_resize(world: Any, request: Request, level: Level) -> None:
    """Set the size of a connection pool."""
    server = world.server(request)
    server.pool_size = max(1.0, float(round(float(level.amount))))
    server.pull()


def cache_op(world: Any, request: Request, level: Level) -> None:
    """Load what a cache lacks, remove the entries that are known to be bad with some good ones, or empty it."""
    server, name = world.server(request), request.ability.target
    if level.option == CACHE_WARM:
        server.loading_left_s = LOADING_S
        server.loading_pace = LOADING_SHARE * world.usual_rps[name]
        return
    server.loading_left_s = 0.0
    if level.option == CACHE_INVALIDATE:
        server.warmth *= 1.0 - BYCATCH
        _relieve(world, name, frozenset({"poisoned_cache"}), 1.0 - KNOWN_SHARE)
        return
    server.warmth = EMPTIED_WARMTH
    _relieve(world, name, frozenset({"poisoned_cache"}), 0.0)


def promote_standby(world: Any, name: str) -> None:
    """Let a database go on on its standby: an outage, and what ailed the primary stays with it."""
    server = world.servers[name]
    for fault in world.faults:
        if fault.target == name and fault.breakage.kind in LEFT_BEHIND:
            fault.behind, fault.left = max(fault.behind, fault.left), 0.0
    server.promoted = True
    _take_over(server, PROMOTION_SHARE)


def db_op(world: Any, request: Request, level: Level) -> None:
    """Kill the longest queries, vacuum, make an index, or go back from the standby to the primary."""
    server, name = world.server(request), request.ability.target
    if level.option == KILL_QUERY:
        for fault in world.faults:
            if fault.target == name and fault.breakage.kind == "lock_contention":
                fault.left *= COMES_BACK if fault.breakage.via_version else 0.0
        server.drop_longest(math.ceil(server.busy * KILLED_SHARE))
    elif level.option == VACUUM:
        server.upkeep.vacuum()
    elif level.option == CREATE_INDEX:
        server.upkeep.create_index([fault for fault in world.faults if fault.target == name])
    elif server.promoted:
        for fault in world.faults:
            if fault.target == name and fault.behind > 0.0:
                fault.left, fault.behind = max(fault.left, fault.behind), 0.0
        server.promoted = False
        _take_over(server, RETURN_SHARE)


def queue_op(world: Any, request: Request, level: Level) -> None:
    """Hold items back for a minute, throw away what waits, or bring that back."""
    queue = world.queues.get(request.ability.target)
    if queue is None:
        return
    if level.option == QUEUE_PAUSE:
        queue.pause(HELD_BACK_S)
    elif level.option == QUEUE_PURGE:
        queue.purge()
    else:
        queue.replay()


def _take_over(server: Any, start_share: float) -> None:
    """Break all connections and wait for the other side to be ready."""
    server.leaked = 0.0
    server.fleet.kill(server.fleet.num_ready, float(server.part.start_s) * start_share)
    for attempt in list(server.line):
        server.drop(attempt)


def _relieve(world: Any, target: str, kinds: frozenset[str], keep: float) -> None:
    for fault in world.faults:
        if fault.target == target and fault.breakage.kind in kinds:
            fault.left *= keep
