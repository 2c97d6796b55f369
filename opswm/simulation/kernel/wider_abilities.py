"""Abilities that systems have where all types of action are asked for, and the hidden qualities that they meet."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Ability, Execution, Level, Part, Touch

MEDIANS: Final = {
    "deploy": 25.0, "rollout_control": 5.0, "autoscaler_policy": 6.0, "cordon": 4.0, "quarantine": 4.0,
    "config_change": 12.0, "queue_op": 5.0,
}  # fmt: skip
_RUNS: Final = ("load_balancer", "service", "worker")


def with_qualities(parts: Sequence[Part], rng: np.random.Generator) -> list[Part]:
    """Return parts whose next versions are better or worse, databases that want a vacuum or have a weak standby."""
    found: list[Part] = []
    for part in parts:
        if part.kind in ("service", "worker"):
            part = replace(
                part,
                next_factor=round(math.exp(rng.normal(0.05, 0.25)), 3),
                next_errors=round(float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.02, 0.3)])), 3),
                next_fixes=float(rng.choice([0.0, 0.5, 1.0])),
            )
        if part.kind == "database":
            bloat = float(rng.choice([0.0, rng.uniform(0.02, 0.15)]))
            part = replace(part, bloat=round(bloat, 3), standby_factor=round(float(rng.uniform(1.0, 1.6)), 3))
        found.append(part)
    return found


def more_abilities(parts: Sequence[Part], rng: np.random.Generator) -> tuple[Ability, ...]:
    """Return the abilities beside those of ``kernel.abilities``."""
    found: list[Ability] = []
    residents = {part.host for part in parts if part.host}
    for part in parts:
        if part.kind in ("service", "worker"):
            found.append(_act("deploy", part, _options(4, amount=0.5), "latency", 0, rng, 0.03, "partly_reversible"))
            found.append(_act("rollout_control", part, _options(3), "errors", 0, rng, 0.01))
            found.append(_act("restart", part, (Level(option=2),), "capacity", -1, rng, 0.01, "irreversible", "one"))
            slots = sorted({float(max(1, round(part.slots * factor))) for factor in (0.5, 2.0, 4.0)})
            levels = tuple(Level(size) for size in slots)
            found.append(replace(_act("config_change", part, levels, "capacity", 1, rng, 0.02), feature="threads"))
        if part.scaler_on:
            most = float(part.scaler_max)
            levels = (
                Level(-1.0, float(math.ceil(most * 1.5))),
                Level(float(math.ceil(part.replicas * 1.5)), -1.0),
                Level(-1.0, float(part.replicas)),
                Level(-1.0, -1.0, 0, round(float(part.scaler_target) * 0.7, 2)),
            )
            found.append(_act("autoscaler_policy", part, levels, "capacity", 1, rng, 0.01))
        if part.kind in (*_RUNS[1:], "cache", "database"):
            found.append(_act("quarantine", part, _options(3), "demand", -1, rng, 0.03))
        if part.kind == "host" and part.name in residents:
            found.append(_act("cordon", part, (Level(),), "capacity", -1, rng, 0.01))
        if part.kind == "queue" and part.consumer:
            found.append(_act("queue_op", part, _options(3), "demand", 0, rng, 0.02, "irreversible"))
        if part.kind == "database":
            levels = tuple(Level(option=option) for option in (1, 2, 3))
            found.append(_act("db_op", part, levels, "latency", -1, rng, 0.02, feature="maintenance"))
        if part.kind == "cache":
            found.append(_act("cache_op", part, (Level(option=2),), "cache", -1, rng, 0.02, feature="invalidate"))
    return tuple(found)


def more_executions(rng: np.random.Generator) -> dict[str, Execution]:
    """Return how these types are carried out in one organisation."""
    return {
        name: Execution(median * math.exp(rng.normal(0.0, 0.45)), 0.2, float(rng.choice([0.0, 0.02, 0.06])))
        for name, median in MEDIANS.items()
    }


def _options(count: int, amount: float = 0.0) -> tuple[Level, ...]:
    return tuple(Level(amount, option=option) for option in range(count))


def _act(
    action_type: str,
    part: Part,
    levels: tuple[Level, ...],
    resource: str,
    sign: int,
    rng: np.random.Generator,
    cost: float,
    reversibility: str = "reversible",
    feature: str = "",
) -> Ability:
    cost = round(cost * math.exp(rng.normal(0.0, 0.3)), 3)
    touches = (Touch(resource, sign),)  # type: ignore[arg-type]
    return Ability(action_type, part.name, levels, touches, cost, feature, reversibility=reversibility)  # type: ignore[arg-type]
