"""The variable parts of simulated log lines, each from the state of its entity or from chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.scene import Scene

ROUTES: Final = ("/api/items", "/api/items/7", "/api/orders", "/api/search", "/login", "/")
TABLES: Final = ("orders", "items", "accounts", "sessions", "stock")


@dataclass(frozen=True)
class Lines:
    """Lines of one template that are to be filled in: which tick and entity each is of."""

    scene: Scene
    tick: NDArray[np.int64]
    entity: NDArray[np.int64]
    rng: np.random.Generator

    def signal(self, name: str) -> NDArray[np.float64]:
        """Return what a signal truly was for each line."""
        return self.scene.signals[name][self.tick, self.entity]


Field = Callable[[Lines], Sequence[str]]


def _whole(values: NDArray[np.float64]) -> list[str]:
    return [str(value) for value in np.round(values).astype(np.int64).tolist()]


def _scaled(name: str, factor: float = 1.0) -> Field:
    return lambda lines: _whole(factor * lines.signal(name))


def _between(low: int, high: int) -> Field:
    return lambda lines: [str(value) for value in lines.rng.integers(low, high, len(lines.tick)).tolist()]


def _one_of(choices: Sequence[str]) -> Field:
    return lambda lines: [choices[at] for at in lines.rng.integers(0, len(choices), len(lines.tick)).tolist()]


def _hexadecimal(lines: Lines) -> list[str]:
    return [f"{value:012x}" for value in lines.rng.integers(0, 1 << 48, len(lines.tick)).tolist()]


def _duration_ms(lines: Lines) -> list[str]:
    """Durations spread around the mean as the tick's tail suggests."""
    mean, tail = lines.signal("latency_mean"), lines.signal("latency_p99")
    spread = np.log(np.maximum(tail, 1e-4) / np.maximum(mean, 1e-4)).clip(0.1, 3.0) / 2.3263
    drawn = np.maximum(mean, 1e-4) * np.exp(spread * lines.rng.standard_normal(len(lines.tick)))
    return [f"{value:.1f}" for value in (1e3 * drawn).tolist()]


def _spread_ms(name: str, least_s: float) -> Field:
    def drawn(lines: Lines) -> list[str]:
        mean = np.maximum(lines.signal(name), least_s)
        return _whole(1e3 * mean * lines.rng.exponential(1.0, len(lines.tick)) + 1.0)

    return drawn


def _peer(lines: Lines) -> list[str]:
    """Whom an entity calls; its own name where it calls nobody."""
    parts = lines.scene.blueprint.parts
    called: dict[str, list[str]] = {part.name: [] for part in parts}
    for link in lines.scene.blueprint.links:
        called[link.source].append(link.target)
    draws = lines.rng.random(len(lines.tick)).tolist()
    names = [parts[entity].name for entity in lines.entity.tolist()]
    return [
        peers[int(draw * len(peers))] if (peers := called[name]) else name
        for name, draw in zip(names, draws, strict=True)
    ]


def _timeout_ms(lines: Lines) -> list[str]:
    slowest = {part.name: 1.0 for part in lines.scene.blueprint.parts}
    for link in lines.scene.blueprint.links:
        slowest[link.source] = float(link.timeout_s)
    parts = lines.scene.blueprint.parts
    return [f"{1e3 * slowest[parts[entity].name]:.0f}" for entity in lines.entity.tolist()]


def _instance(lines: Lines) -> list[str]:
    """Members of an entity are told apart by a suffix, as pods are."""
    parts = lines.scene.blueprint.parts
    numbers = lines.rng.integers(0, 1 << 20, len(lines.tick)).tolist()
    return [f"{parts[entity].name}-{number:05x}" for entity, number in zip(lines.entity.tolist(), numbers, strict=True)]


def _version(lines: Lines) -> list[str]:
    """Versions count up with time, so that the same deployment has the same number on every line."""
    return [f"1.{entity % 7}.{tick}" for entity, tick in zip(lines.entity.tolist(), lines.tick.tolist(), strict=True)]


FIELDS: Final[Mapping[str, Field]] = {
    "method": _one_of(("GET", "GET", "GET", "POST", "PUT")),
    "route": _one_of(ROUTES),
    "status": _one_of(("500", "502", "503", "503", "504")),
    "cache_error": _one_of(("connection reset", "unexpected end of data", "timed out")),
    "table": _one_of(TABLES),
    "request_id": _hexadecimal,
    "query_id": _hexadecimal,
    "key": lambda lines: [f"item:{number}" for number in lines.rng.integers(1, 90_000, len(lines.tick)).tolist()],
    "duration_ms": _duration_ms,
    "lock_ms": _spread_ms("lock_wait", 0.005),
    "wait_ms": _spread_ms("latency_mean", 0.01),
    "pause_ms": _between(8, 240),
    "pages": _between(20, 900),
    "pid": _between(200, 32_000),
    "port": lambda lines: [str(8_000 + entity) for entity in lines.entity.tolist()],
    "attempt": _between(2, 4),
    "waiters": _between(2, 12),
    "peer": _peer,
    "timeout_ms": _timeout_ms,
    "instance": _instance,
    "version": _version,
    "waiting": _scaled("queue_depth"),
    "in_flight": _scaled("in_flight"),
    "in_use": _scaled("pool_in_use"),
    "size": _scaled("pool_size"),
    "lag": _scaled("consumer_lag"),
    "memory_percent": _scaled("memory_ratio", 100.0),
    "cpu_percent": _scaled("cpu_utilization", 100.0),
    "hit_percent": _scaled("cache_hit_ratio", 100.0),
}
"""How each variable part of a template is filled in."""
