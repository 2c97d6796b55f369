"""How a fault of each kind is drawn for a system: where it strikes, what caused it, how hard, for how long.

The same kind of fault comes from different causes and in different sizes: a slow database because of a new version of
one of its callers, of a lock, or of too many connections; a surge that passes by itself or stays. So no kind of fault
has one answer.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part
from opswm.simulation.kernel.sizing import Usual

Draw = Callable[[Blueprint, Usual, np.random.Generator], Breakage | None]
"""Draws a fault of one kind for a system at its usual load, None where the system cannot have it."""


def one_of(parts: Sequence[Part], known: Usual, rng: np.random.Generator) -> Part | None:
    """Return one of the parts, busy ones more often."""
    if not parts:
        return None
    busy = np.sqrt([known.rate_rps[part.name] + 1.0 for part in parts])
    return parts[int(rng.choice(len(parts), p=busy / busy.sum()))]


def parts_of(blueprint: Blueprint, *kinds: str) -> list[Part]:
    """Return the parts of some kinds."""
    return [part for part in blueprint.parts if part.kind in kinds]


def slack(part: Part, known: Usual) -> float:
    """Return the log of how much slower a part may get before its usual load fills it."""
    return math.log(part.replicas * part.cores / max(known.rate_rps[part.name] * part.cpu_s, 1e-6))


def onset(rng: np.random.Generator) -> dict[str, Any]:
    """Return how something sets in that may come at once, slowly or off and on."""
    shape = str(rng.choice(["STEP", "RAMP", "INTERMITTENT"], p=[0.6, 0.3, 0.1]))
    return {"shape": shape, "ramp_s": float(rng.uniform(15.0, 60.0))}


def lasting(rng: np.random.Generator) -> float:
    """Return how long something lasts that ends by itself: often beyond the horizon, sometimes not."""
    return float(rng.choice([120.0, 240.0, 500.0, 1e6], p=[0.2, 0.2, 0.2, 0.4]))


def _slow_version(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "service", "worker"), known, rng)
    if part is None:
        return None
    size = float(np.clip(slack(part, known) + rng.normal(0.05, 0.45), 0.2, 2.6))
    return Breakage("slow_version", part.name, via_version=1.0, magnitude=size, **onset(rng))


def _erroring_version(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "service"), known, rng)
    if part is None:
        return None
    share = float(np.clip(math.exp(rng.normal(-1.0, 0.8)), 0.03, 0.9))
    return Breakage("erroring_version", part.name, via_version=1.0, magnitude=share, **onset(rng))


def _memory_leak(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "service", "worker", "load_balancer"), known, rng)
    if part is None:
        return None
    via = float(part.kind == "service" and rng.random() < 0.5)
    return Breakage("memory_leak", part.name, via_version=via, magnitude=float(math.exp(rng.uniform(-6.5, -4.5))))


def _replicas_lost(kind: str) -> Draw:
    def draw(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
        part = one_of(parts_of(blueprint, "service", "worker", "load_balancer"), known, rng)
        if part is None:
            return None
        count = float(min(part.replicas, rng.choice([1.0, 1.0, 2.0, part.replicas - 1.0])))
        return Breakage(kind, part.name, magnitude=max(1.0, count))

    return draw


def _lock(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "database"), known, rng)
    if part is None:
        return None
    callers = [link.source for link in blueprint.links if link.target == part.name]
    services = [name for name in callers if blueprint.parts[blueprint.index(name)].kind == "service"]
    guilty = services and rng.random() < 0.45
    origin = str(rng.choice(services)) if guilty else ""
    own_s = part.cpu_s + part.io_s
    fills = part.pool_size / max(known.rate_rps[part.name] * own_s, 1e-3)
    size = float(np.clip(fills * math.exp(rng.normal(-0.9, 0.7)), 1.0, 60.0))
    lasts_s = 1e6 if guilty else lasting(rng)
    return Breakage(
        "lock_contention", part.name, origin, float(bool(guilty)), "STEP", duration_s=lasts_s, magnitude=size
    )


def _slow_queries(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "database"), known, rng)
    if part is None:
        return None
    callers = [link.source for link in blueprint.links if link.target == part.name]
    services = [name for name in callers if blueprint.parts[blueprint.index(name)].kind == "service"]
    origin = str(rng.choice(services)) if services and rng.random() < 0.7 else ""
    size = float(np.clip(slack(part, known) + rng.normal(0.05, 0.4), 0.2, 2.3))
    lasts_s = 1e6 if origin else lasting(rng)
    return Breakage("slow_queries", part.name, origin, float(bool(origin)), duration_s=lasts_s, magnitude=size)


def _pool_leak(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "database"), known, rng)
    if part is None:
        return None
    callers = [link.source for link in blueprint.links if link.target == part.name]
    services = [name for name in callers if blueprint.parts[blueprint.index(name)].kind == "service"]
    if not services:
        return None
    pace = part.pool_size / float(rng.uniform(30.0, 200.0))
    via = float(rng.random() < 0.5)
    return Breakage("pool_leak", part.name, str(rng.choice(services)), via, magnitude=pace)


def _cold_cache(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "cache"), known, rng)
    return Breakage("cold_cache", part.name, magnitude=float(rng.uniform(0.5, 1.0))) if part else None


def _poisoned_cache(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "cache"), known, rng)
    return Breakage("poisoned_cache", part.name, magnitude=float(rng.uniform(0.03, 0.5))) if part else None


def _pool_shrunk(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "database"), known, rng)
    if part is None:
        return None
    needed = known.rate_rps[part.name] * (part.cpu_s + part.io_s)
    size = 1.0 - max(1.0, needed * float(rng.uniform(0.6, 1.6))) / part.pool_size
    return Breakage("pool_shrunk", part.name, magnitude=float(np.clip(size, 0.2, 0.95)))


def _retry_storm(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    """A short trigger where retries could keep the overload going after it has passed."""
    found: list[tuple[Part, float]] = []
    for part in parts_of(blueprint, "service", "database"):
        tries = [link.retries for link in blueprint.links if link.target == part.name and link.synchronous > 0]
        if tries and max(tries) >= 1.0:
            found.append((part, (1.0 + max(tries)) * math.exp(-slack(part, known))))
    if not found:
        return None
    weights = np.array([prone for _, prone in found]) ** 3
    part = found[int(rng.choice(len(found), p=weights / weights.sum()))][0]
    lasts = float(rng.uniform(20.0, 60.0))
    return Breakage("retry_storm", part.name, duration_s=lasts, magnitude=float(rng.uniform(0.8, 1.4)))


def _surge(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    del known
    inlet = blueprint.inlets[int(rng.integers(len(blueprint.inlets)))]
    size = float(np.clip(rng.normal(0.75, 0.3), 0.2, 1.5))
    shape = str(rng.choice(["RAMP", "STEP", "DECAY"], p=[0.6, 0.2, 0.2]))
    ramp = float(rng.uniform(20.0, 90.0))
    return Breakage("demand_surge", inlet.entity, shape=shape, ramp_s=ramp, duration_s=lasting(rng), magnitude=size)


def _outage(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "external"), known, rng) or one_of(parts_of(blueprint, "service"), known, rng)
    if part is None:
        return None
    size = float(rng.choice([0.25, 0.6, 0.95]))
    return Breakage("dependency_outage", part.name, duration_s=lasting(rng), magnitude=size)


def _dependency_slow(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "external"), known, rng) or one_of(parts_of(blueprint, "service"), known, rng)
    if part is None:
        return None
    waits: list[Link] = [link for link in blueprint.links if link.target == part.name]
    timeout = max((link.timeout_s for link in waits), default=1.0)
    size = float(timeout * rng.uniform(0.05, 0.9) + known.latency_s[part.name])
    return Breakage("dependency_slow", part.name, duration_s=lasting(rng), magnitude=size)


def _noisy_neighbour(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of(parts_of(blueprint, "host"), known, rng)
    if part is None:
        return None
    return Breakage("noisy_neighbour", part.name, duration_s=lasting(rng), magnitude=float(rng.uniform(0.3, 0.8)))


DRAWS: Final[Mapping[str, tuple[Draw, float]]] = {
    "slow_version": (_slow_version, 1.4),
    "erroring_version": (_erroring_version, 1.0),
    "memory_leak": (_memory_leak, 0.9),
    "replica_down": (_replicas_lost("replica_down"), 0.8),
    "gray_replica": (_replicas_lost("gray_replica"), 0.9),
    "lock_contention": (_lock, 1.0),
    "slow_queries": (_slow_queries, 1.0),
    "pool_leak": (_pool_leak, 0.8),
    "pool_shrunk": (_pool_shrunk, 0.8),
    "cold_cache": (_cold_cache, 0.8),
    "poisoned_cache": (_poisoned_cache, 0.6),
    "retry_storm": (_retry_storm, 0.9),
    "demand_surge": (_surge, 1.4),
    "dependency_outage": (_outage, 0.7),
    "dependency_slow": (_dependency_slow, 0.7),
    "noisy_neighbour": (_noisy_neighbour, 0.7),
}
"""How each kind is drawn, and how often in proportion to the others; order is part of what a seed means."""
