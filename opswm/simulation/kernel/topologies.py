"""Random systems of 3 to about 32 entities: chains, layers, fan-outs and services around one shared database."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.finish import finish
from opswm.simulation.kernel.sketch import Sketch

FAMILIES: Final = ("chain", "layered", "fan_out", "shared_database")


def random_blueprint(rng: np.random.Generator, size: int | None = None, family: str = "", step_s: int = 5) -> Blueprint:
    """Return a random system in good health.

    Args:
        rng: For everything that is left to chance.
        size: Rough number of entities, 3 to 32; about ten where left out.
        family: One of ``FAMILIES``; random where left out.
        step_s: Telemetry step.

    Raises:
        ValueError: When the family is not known.
    """
    chosen = family or str(rng.choice(FAMILIES))
    if chosen not in _DRAWERS:
        raise ValueError(f"topology family {chosen!r} is not known; use one of {', '.join(FAMILIES)}")
    wanted = int(np.clip(rng.normal(12.0, 5.0), 3, 28)) if size is None else size
    sketch = Sketch(rng)
    balancer = sketch.add(Part("front-lb", "load_balancer", cpu_s=0.0006, start_s=float(rng.uniform(10.0, 40.0))))
    services = _DRAWERS[chosen](sketch, balancer, max(1, wanted - 2))
    goals = _extras(sketch, services, wanted)
    inlets = _inlets(sketch, balancer, services, wanted)
    shares = rng.dirichlet(np.full(len(inlets), 6.0)) * (1.0 - sum(goal.weight for goal in goals))
    goals = [
        *(
            Goal(f"{inlet.entity}-requests", inlet.entity, inlet.entity, 1.0, weight=float(share))
            for inlet, share in zip(inlets, shares, strict=True)
        ),
        *goals,
    ]
    name = f"{chosen.replace('_', '-')}-{len(sketch.parts)}"
    return finish(name, sketch.parts, sketch.links, inlets, goals, rng, step_s)


def _chain(sketch: Sketch, balancer: str, count: int) -> list[str]:
    services = [sketch.service() for _ in range(max(1, min(count - 1, 7)))]
    before = balancer
    for name in services:
        sketch.call(before, name)
        before = name
    sketch.call(before, sketch.database())
    return services


def _layered(sketch: Sketch, balancer: str, count: int) -> list[str]:
    rng = sketch.rng
    depth = int(rng.integers(2, 4))
    per_layer = max(1, round((count - 2) / depth))
    layers = [[sketch.service() for _ in range(per_layer)] for _ in range(depth)]
    stores = [sketch.database() for _ in range(1 + (count > 10))]
    for name in layers[0]:
        sketch.call(balancer, name, calls=float(rng.uniform(0.3, 1.0)))
    for above, below in pairwise(layers):
        for name in below:
            callers = rng.choice(above, size=min(len(above), int(rng.integers(1, 3))), replace=False)
            for caller in callers:
                sketch.call(str(caller), name, float(rng.uniform(0.3, 1.2)), optional=bool(rng.random() < 0.25))
    for name in layers[-1]:
        sketch.call(name, str(rng.choice(stores)), calls=float(rng.uniform(0.5, 1.5)))
    return [name for layer in layers for name in layer]


def _fan_out(sketch: Sketch, balancer: str, count: int) -> list[str]:
    rng = sketch.rng
    hub = sketch.service()
    sketch.call(balancer, hub)
    leaves = [sketch.service() for _ in range(max(1, count - 2))]
    store = sketch.database()
    for name in leaves:
        sketch.call(hub, name, on_path=float(rng.uniform(0.2, 0.7)), optional=bool(rng.random() < 0.35))
        if rng.random() < 0.6:
            sketch.call(name, store, calls=float(rng.uniform(0.3, 1.0)))
    return [hub, *leaves]


def _shared_database(sketch: Sketch, balancer: str, count: int) -> list[str]:
    rng = sketch.rng
    services = [sketch.service() for _ in range(max(1, count - 1))]
    store = sketch.database()
    for name in services:
        sketch.call(balancer, name, calls=float(rng.uniform(0.2, 1.0)))
        sketch.call(name, store, calls=float(rng.uniform(0.5, 2.0)))
    for _ in range(len(services) // 2):
        one, other = sorted(rng.choice(len(services), size=2, replace=False))
        sketch.call(services[one], services[other], float(rng.uniform(0.2, 0.8)), optional=bool(rng.random() < 0.4))
    return services


_DRAWERS: Final[dict[str, Callable[[Sketch, str, int], list[str]]]] = {
    "chain": _chain,
    "layered": _layered,
    "fan_out": _fan_out,
    "shared_database": _shared_database,
}


def _extras(sketch: Sketch, services: Sequence[str], wanted: int) -> list[Goal]:
    """Add what larger systems tend to have; return the objectives that come with it."""
    rng = sketch.rng
    if wanted < 5:
        return []
    if rng.random() < 0.6:
        _put_cache(sketch)
    if rng.random() < 0.5:
        external = sketch.add(
            Part(f"{sketch.word()}-provider", "external", cpu_s=0.0001, io_s=float(rng.uniform(0.02, 0.2)), scv=0.7)
        )
        sketch.call(
            str(rng.choice(services)), external, float(rng.uniform(0.2, 1.0)), optional=bool(rng.random() < 0.4)
        )
    if rng.random() < 0.45:
        _split_in_zones(sketch, str(rng.choice(services)))
    if wanted >= 7:
        for _ in range(int(rng.integers(0, 4))):
            sketch.add(Part(f"host-{sum(part.kind == 'host' for part in sketch.parts) + 1}", "host"))
    if wanted >= 7 and rng.random() < 0.4:
        return [_put_queue(sketch, str(rng.choice(services)))]
    return []


def _put_cache(sketch: Sketch) -> None:
    databases = [part.name for part in sketch.parts if part.kind == "database"]
    chosen = str(sketch.rng.choice(databases))
    readers = [link for link in sketch.links if link.target == chosen and sketch.rng.random() < 0.7]
    if readers:
        cache = sketch.cache_before(chosen)
        sketch.links = [replace(link, target=cache, retries=0.0) if link in readers else link for link in sketch.links]


def _split_in_zones(sketch: Sketch, name: str) -> None:
    """Make two equivalent entities of one, each with half of the traffic."""
    part = next(part for part in sketch.parts if part.name == name)
    one, other = f"{name}-a", f"{name}-b"
    sketch.parts = [p for p in sketch.parts if p.name != name]
    sketch.parts += [
        replace(part, name=one, zone="zone-a", peer=other, scaler_on=0.0),
        replace(part, name=other, zone="zone-b", peer=one, scaler_on=0.0),
    ]
    links: list[Link] = []
    for link in sketch.links:
        if link.source == name:
            links += [replace(link, source=one), replace(link, source=other)]
        elif link.target == name:
            links += [
                replace(link, target=one, weight=0.5, feature=""),
                replace(link, target=other, weight=0.5, feature=""),
            ]
        else:
            links.append(link)
    sketch.links = links


def _put_queue(sketch: Sketch, near: str) -> Goal:
    rng = sketch.rng
    names = [part.name for part in sketch.parts]
    source = near if near in names else f"{near}-a"
    worker = sketch.add(
        Part(
            f"{sketch.word()}-worker",
            "worker",
            cpu_s=float(rng.uniform(0.008, 0.04)),
            start_s=float(rng.uniform(20.0, 60.0)),
        )
    )
    queue = sketch.add(Part(f"{worker}-queue", "queue", cpu_s=0.0001, consumer=worker))
    sketch.links.append(Link(source, queue, "publishes", synchronous=0.0, calls=float(rng.uniform(0.2, 1.0))))
    sketch.links.append(Link(queue, worker, "consumes", synchronous=0.0))
    databases = [part.name for part in sketch.parts if part.kind == "database"]
    sketch.call(worker, str(rng.choice(databases)))
    weight, deadline_s = float(rng.uniform(0.05, 0.25)), float(rng.choice([15.0, 30.0, 60.0]))
    return Goal(f"{queue}-on-time", queue, "front-lb", threshold_s=deadline_s, weight=weight, items=0.5, deadline=1.0)


def _inlets(sketch: Sketch, balancer: str, services: Sequence[str], wanted: int) -> list[Inlet]:
    rng = sketch.rng

    def inlet(entity: str) -> Inlet:
        return Inlet(
            entity,
            rate_rps=float(math.exp(rng.uniform(math.log(40.0), math.log(350.0)))),
            diurnal_amplitude=float(rng.uniform(0.0, 0.25)),
            diurnal_period_s=float(rng.uniform(2_400.0, 14_400.0)),
            diurnal_phase=float(rng.uniform(0.0, 2.0 * math.pi)),
            jitter=float(rng.uniform(0.02, 0.1)),
            jitter_s=float(rng.uniform(20.0, 180.0)),
            burst_amplitude=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.25 else 0.0,
            burst_period_s=float(rng.uniform(120.0, 900.0)),
            burst_share=float(rng.uniform(0.05, 0.25)),
            client_timeout_s=float(rng.uniform(2.0, 10.0)),
            client_retries=float(rng.choice([0.0, 1.0, 2.0], p=[0.75, 0.2, 0.05])),
        )

    inlets = [inlet(balancer)]
    if wanted >= 8 and rng.random() < 0.4:
        gateway = sketch.add(Part("app-gateway", "load_balancer", cpu_s=0.0007, start_s=float(rng.uniform(10.0, 40.0))))
        names = {part.name for part in sketch.parts}
        open_to = [name for name in services if name in names]
        for name in rng.choice(open_to, size=min(len(open_to), 2), replace=False):
            sketch.call(gateway, str(name), calls=float(rng.uniform(0.3, 1.0)))
        inlets.append(inlet(gateway))
    return inlets
