"""What operators can do to a system: each part's abilities with candidate parameters, what they touch and cost."""

import math
from collections.abc import Sequence

import numpy as np

from opswm.simulation.kernel.blueprint import Ability, Execution, Inlet, Level, Link, Part, Touch
from opswm.simulation.kernel.mechanics import capacity, data
from opswm.simulation.kernel.picking import pick

_SCALABLE = ("load_balancer", "service", "worker")
_CALLED = ("service", "cache", "database", "external")


def abilities_of(
    parts: Sequence[Part], links: Sequence[Link], inlets: Sequence[Inlet], rng: np.random.Generator
) -> tuple[Ability, ...]:
    """Return every ability of a sized system."""
    found: list[Ability] = []
    demand = {inlet.entity: inlet.rate_rps for inlet in inlets}
    callers: dict[str, list[Link]] = {part.name: [] for part in parts}
    for link in links:
        if link.synchronous > 0:
            callers[link.target].append(link)
    for part in parts:
        if part.kind in _SCALABLE:
            found += _fleet(part, rng)
        if part.kind == "service":
            found.append(_act("rollback", part, (Level(),), "latency", -1, rng, 0.03, extra=(Touch("errors", -1),)))
        if part.kind == "database":
            found += _database(part, rng)
        if part.kind == "cache":
            found += _cache(part, rng)
        if part.name in demand:
            found += _admission(part, demand[part.name], rng)
        if part.peer:
            found += _shift(part, rng)
        if part.kind == "host":
            residents = [other.name for other in parts if other.host == part.name]
            touches = tuple(Touch("capacity", 1, entity=name) for name in residents)
            if residents:
                found.append(_act("drain", part, (Level(),), "demand", -1, rng, 0.03, touches))
        if callers[part.name] and part.kind in _CALLED:
            found += _protection(part, callers[part.name], rng)
    for link in links:
        if link.feature:
            found.append(_flag(link, rng))
    return tuple(found)


def executions(rng: np.random.Generator) -> dict[str, Execution]:
    """Return how each type is carried out in one organisation: quick switches, slow rollouts, a few failures."""
    medians = {
        "no_op": 1.0, "rollback": 30.0, "restart": 8.0, "kill_instance": 5.0, "scale_horizontal": 8.0,
        "scale_vertical": 12.0, "traffic_shift": 8.0, "drain": 20.0, "failover": 12.0, "feature_flag": 4.0,
        "rate_limit": 5.0, "load_shed": 4.0, "circuit_break": 6.0, "timeout_retry": 10.0, "pool_resize": 10.0,
        "cache_op": 5.0, "db_op": 6.0,
    }  # fmt: skip
    return {
        name: Execution(
            delay_s=median * math.exp(rng.normal(0.0, 0.45)),
            spread=0.2,
            failure_ratio=0.0 if name == "no_op" else pick(rng, (0.0, 0.02, 0.06)),
        )
        for name, median in medians.items()
    }


def _act(
    action_type: str,
    part: Part,
    levels: tuple[Level, ...],
    resource: str,
    sign: int,
    rng: np.random.Generator,
    cost: float,
    extra: tuple[Touch, ...] = (),
    reconciled_by: tuple[str, ...] = (),
    reversibility: str = "reversible",
) -> Ability:
    touches = (Touch(resource, sign), *extra)  # type: ignore[arg-type]
    cost = round(cost * math.exp(rng.normal(0.0, 0.3)), 3)
    return Ability(
        action_type,
        part.name,
        levels,
        touches,
        cost,
        reconciled_by=reconciled_by,
        reversibility=reversibility,  # type: ignore[arg-type]
    )


def _fleet(part: Part, rng: np.random.Generator) -> list[Ability]:
    more = {math.ceil(part.replicas * factor) for factor in (1.34, 2.0)} | {int(part.replicas) + 1}
    sizes = sorted(size for size in more if size <= part.replicas_max)
    fewer = int(part.replicas) - 1
    levels = tuple(Level(float(size)) for size in [*sizes, *([fewer] if fewer >= 1 else [])])
    by = ("hpa",) if part.scaler_on else ()
    return [
        _act("scale_horizontal", part, levels, "capacity", 1, rng, 0.03, reconciled_by=by),
        _act("scale_vertical", part, (Level(round(part.cores * 2.0, 2)),), "capacity", 1, rng, 0.03),
        _act(
            "restart",
            part,
            (Level(option=capacity.ROLLING), Level(option=capacity.ALL)),
            "capacity",
            -1,
            rng,
            0.02,
            extra=(Touch("errors", -1), Touch("connections", -1)),
            reversibility="irreversible",
        ),
        _act("kill_instance", part, (Level(1.0),), "capacity", -1, rng, 0.01, extra=(Touch("errors", -1),)),
    ]


def _database(part: Part, rng: np.random.Generator) -> list[Ability]:
    sizes = sorted({max(2.0, float(round(part.pool_size * factor))) for factor in (0.5, 1.5, 2.5)})
    found = [
        _act("pool_resize", part, tuple(Level(size) for size in sizes), "connections", 1, rng, 0.01),
        _act("db_op", part, (Level(),), "latency", -1, rng, 0.02, extra=(Touch("errors", 1),)),
        _act("scale_vertical", part, (Level(part.cores * 2.0),), "capacity", 1, rng, 0.03),
        _act(
            "restart",
            part,
            (Level(option=capacity.ALL),),
            "capacity",
            -1,
            rng,
            0.04,
            extra=(Touch("connections", -1),),
            reversibility="irreversible",
        ),
    ]
    if rng.random() < 0.6:
        found.append(
            _act(
                "failover",
                part,
                (Level(),),
                "capacity",
                -1,
                rng,
                0.05,
                (Touch("latency", -1),),
                (),
                "partly_reversible",
            )
        )
    return found


def _cache(part: Part, rng: np.random.Generator) -> list[Ability]:
    operations = (Level(option=data.FLUSH), Level(option=data.WARM))
    return [
        _act("cache_op", part, operations, "cache", 0, rng, 0.02, (Touch("errors", -1),), (), "partly_reversible"),
        _act(
            "restart",
            part,
            (Level(option=capacity.ALL),),
            "cache",
            -1,
            rng,
            0.03,
            extra=(Touch("capacity", -1),),
            reversibility="irreversible",
        ),
    ]


def _admission(part: Part, rate_rps: float, rng: np.random.Generator) -> list[Ability]:
    fractions = tuple(Level(fraction) for fraction in (0.1, 0.25, 0.5))
    limits = tuple(Level(round(rate_rps * factor, 1)) for factor in (0.7, 0.95, 1.2))
    refused = (Touch("errors", 1),)
    return [
        _act("load_shed", part, fractions, "demand", -1, rng, 0.01, refused),
        _act("rate_limit", part, limits, "demand", -1, rng, 0.01, refused),
    ]


def _shift(part: Part, rng: np.random.Generator) -> list[Ability]:
    there = (Touch("demand", 1, entity=part.peer),)
    return [
        _act("traffic_shift", part, (Level(0.25), Level(0.0)), "demand", -1, rng, 0.02, there),
        _act("failover", part, (Level(),), "demand", -1, rng, 0.04, there),
    ]


def _protection(part: Part, into: Sequence[Link], rng: np.random.Generator) -> list[Ability]:
    timeout = min(link.timeout_s for link in into)
    tries = (Level(-1.0, 0.0), Level(round(timeout * 0.4, 3), 0.0), Level(round(timeout * 2.5, 3), -1.0))
    return [
        _act("timeout_retry", part, tries, "demand", -1, rng, 0.01, (Touch("errors", 1),)),
        _act("circuit_break", part, (Level(30.0),), "demand", -1, rng, 0.01, (Touch("errors", 1),)),
    ]


def _flag(link: Link, rng: np.random.Generator) -> Ability:
    relation = Touch("demand", -1, relation=(link.source, link.target))
    cost = round(float(rng.uniform(0.01, 0.06)), 3)
    return Ability("feature_flag", link.source, (Level(option=0),), (relation,), cost, link.feature)
