"""More faults that random systems meet: zones, disks, queues, the calls between two entities, certificates, herds.

As in ``kernel.fault_draws``, sizes go from a nuisance to an outage, and what helps depends on the system.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part
from opswm.simulation.kernel.fault_draws import Draw, lasting, one_of, onset, parts_of, slack
from opswm.simulation.kernel.sizing import Usual


def _zone_down(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    busy = [
        part
        for part in parts_of(blueprint, "zone")
        if sum(known.rate_rps[name] for name in blueprint.members(part.name)) > 1.0
    ]
    if not busy:
        return None
    zone = busy[int(rng.integers(len(busy)))]
    shape = str(rng.choice(["STEP", "INTERMITTENT"], p=[0.85, 0.15]))
    ramp_s = float(rng.uniform(20.0, 60.0))
    return Breakage("zone_down", zone.name, shape=shape, ramp_s=ramp_s, duration_s=lasting(rng), magnitude=1.0)


def _slow_disk(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of([part for part in parts_of(blueprint, "database", "cache") if part.io_s > 0], known, rng)
    if part is None:
        return None
    room = (part.pool_size or part.slots) / max(known.rate_rps[part.name] * part.io_s, 1e-3)
    size = float(np.clip(math.log(room) + rng.normal(0.1, 0.5), 0.7, 5.0))
    return Breakage("slow_disk", part.name, duration_s=lasting(rng), magnitude=size, **onset(rng))


def _queue_backlog(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part = one_of([part for part in parts_of(blueprint, "queue") if part.consumer], known, rng)
    if part is None:
        return None
    deadlines = [goal.threshold_s for goal in blueprint.goals if goal.entity == part.name]
    seconds = max(deadlines, default=30.0) * float(rng.uniform(1.0, 6.0))
    return Breakage("queue_backlog", part.name, magnitude=float(math.ceil(known.rate_rps[part.name] * seconds)))


def _poison_message(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    consumers = {part.consumer for part in parts_of(blueprint, "queue")}
    part = one_of([part for part in blueprint.parts if part.name in consumers], known, rng)
    if part is None:
        return None
    size = float(np.clip(slack(part, known) + rng.normal(0.3, 0.5), 0.2, 3.5))
    return Breakage("poison_message", part.name, duration_s=lasting(rng), magnitude=size, **onset(rng))


def _edge_delay(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    link = _busy_link(blueprint, known, rng)
    if link is None:
        return None
    size = float(link.timeout_s * rng.uniform(0.05, 0.95))
    return Breakage("edge_delay", link.target, link.source, duration_s=lasting(rng), magnitude=size, **onset(rng))


def _edge_loss(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    link = _busy_link(blueprint, known, rng)
    if link is None:
        return None
    share = float(np.clip(math.exp(rng.normal(-1.4, 0.8)), 0.03, 0.95))
    return Breakage("edge_loss", link.target, link.source, duration_s=lasting(rng), magnitude=share, **onset(rng))


def _certificate(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    called = {link.target for link in blueprint.links if link.synchronous > 0}
    part = one_of([part for part in parts_of(blueprint, "service", "external") if part.name in called], known, rng)
    if part is None:
        return None
    share = float(rng.choice([0.3, 0.7, 1.0]))
    return Breakage(
        "certificate_expired", part.name, shape="RAMP", ramp_s=float(rng.uniform(5.0, 90.0)), magnitude=share
    )


def _bad_config(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    part: Part | None = one_of(parts_of(blueprint, "service", "worker", "load_balancer"), known, rng)
    if part is None:
        return None
    share = float(np.clip(math.exp(rng.normal(-1.2, 0.7)), 0.03, 0.9))
    return Breakage("bad_config", part.name, via_version=float(part.kind == "service"), magnitude=share)


def _thundering_herd(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Breakage | None:
    """Everybody is cut off for a while, and comes back at once."""
    del known
    inlet = blueprint.inlets[int(rng.integers(len(blueprint.inlets)))]
    away_s, size = float(rng.uniform(20.0, 60.0)), float(np.clip(rng.normal(1.1, 0.3), 0.5, 1.8))
    return Breakage("thundering_herd", inlet.entity, shape="REBOUND", ramp_s=away_s, magnitude=size)


def _busy_link(blueprint: Blueprint, known: Usual, rng: np.random.Generator) -> Link | None:
    links = [link for link in blueprint.links if link.synchronous > 0]
    if not links:
        return None
    busy = np.sqrt([known.rate_rps[link.source] * link.calls * link.weight + 0.1 for link in links])
    return links[int(rng.choice(len(links), p=busy / busy.sum()))]


DRAWS: Final[Mapping[str, tuple[Draw, float]]] = {
    "zone_down": (_zone_down, 0.8),
    "slow_disk": (_slow_disk, 0.8),
    "queue_backlog": (_queue_backlog, 0.7),
    "poison_message": (_poison_message, 0.7),
    "edge_delay": (_edge_delay, 0.8),
    "edge_loss": (_edge_loss, 0.7),
    "certificate_expired": (_certificate, 0.6),
    "bad_config": (_bad_config, 0.7),
    "thundering_herd": (_thundering_herd, 0.6),
}
"""How each kind is drawn, and how often in proportion to the others and to those of ``kernel.fault_draws``."""
