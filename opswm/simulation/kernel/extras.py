"""What larger systems tend to have beside services and databases: caches, providers, zones, hosts, queues, gateways."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from opswm.simulation.kernel.blueprint import Goal, Link, Part
from opswm.simulation.kernel.picking import altered, pick
from opswm.simulation.kernel.sketch import Sketch


@dataclass(frozen=True)
class Extras:
    """What one system (or one domain of a large one) has beside services and databases.

    Attributes:
        caches, providers, pairs, queues, gateways: How many databases have a cache, external dependencies there are,
            services run in two zones, queues (with a worker each) and further entries.
    """

    caches: int = 0
    providers: int = 0
    pairs: int = 0
    queues: int = 0
    gateways: int = 0

    @property
    def num_parts(self) -> int:
        """Parts that they add."""
        return self.caches + self.providers + self.pairs + 2 * self.queues + self.gateways


def draw_extras(rng: np.random.Generator, size: int) -> Extras:
    """Return what a system of ``size`` parts has, within what fits."""
    if size < 6:
        return Extras()
    found = Extras(
        caches=int(rng.random() < 0.6),
        providers=int(rng.random() < 0.5),
        pairs=int(size >= 8 and rng.random() < 0.45) * (1 + int(size >= 16 and rng.random() < 0.5)),
        queues=int(size >= 8 and rng.random() < 0.45),
        gateways=int(size >= 9 and rng.random() < 0.4),
    )
    return found if found.num_parts <= size // 2 else replace(found, gateways=0, pairs=min(found.pairs, 1))


def put_cache(sketch: Sketch) -> None:
    """Put a cache before a database, for most of its readers."""
    rng = sketch.rng
    databases = [part.name for part in sketch.parts if part.kind == "database"]
    chosen = pick(rng, databases)
    every = [link for link in sketch.links if link.target == chosen and link.kind != "reads_through"]
    readers = [link for link in every if rng.random() < 0.7] or every
    cache = sketch.cache_before(chosen)
    sketch.links = [altered(link, target=cache, retries=0.0) if link in readers else link for link in sketch.links]


def put_provider(sketch: Sketch, services: Sequence[str]) -> None:
    """Let one service depend on somebody else's."""
    rng = sketch.rng
    part = Part(f"{sketch.word()}-provider", "external", cpu_s=0.0001, io_s=float(rng.uniform(0.02, 0.2)), scv=0.7)
    calls, optional = float(rng.uniform(0.2, 1.0)), bool(rng.random() < 0.4)
    sketch.call(pick(rng, services), sketch.add(part), calls, optional=optional)


def split_in_zones(sketch: Sketch, name: str, zones: Sequence[str]) -> list[str]:
    """Make two equivalent entities of one, each in its zone with half of the traffic; return their names."""
    part = next(part for part in sketch.parts if part.name == name)
    one, other = (f"{name}-{zone.removeprefix('zone-')}" for zone in zones)
    sketch.parts = [p for p in sketch.parts if p.name != name]
    sketch.add(altered(part, name=one, zone=zones[0], peer=other, scaler_on=0.0))
    sketch.add(altered(part, name=other, zone=zones[1], peer=one, scaler_on=0.0))
    links: list[Link] = []
    for link in sketch.links:
        if link.source == name:
            links += [altered(link, source=one), altered(link, source=other)]
        elif link.target == name:
            links += [
                altered(link, target=one, weight=0.5, feature=""),
                altered(link, target=other, weight=0.5, feature=""),
            ]
        else:
            links.append(link)
    sketch.links = links
    return [one, other]


def put_queue(sketch: Sketch, services: Sequence[str], inlet: str) -> Goal:
    """Add a queue with the worker that drains it; return the promise that its items are done in time."""
    rng = sketch.rng
    cpu_s, start_s = float(rng.uniform(0.008, 0.04)), float(rng.uniform(20.0, 60.0))
    worker = sketch.add(Part(f"{sketch.word()}-worker", "worker", cpu_s=cpu_s, start_s=start_s))
    queue = sketch.add(Part(f"{worker}-queue", "queue", cpu_s=0.0001, consumer=worker))
    source, calls = pick(rng, services), float(rng.uniform(0.2, 1.0))
    sketch.links.append(Link(source, queue, "publishes", synchronous=0.0, calls=calls))
    sketch.links.append(Link(queue, worker, "consumes", synchronous=0.0))
    databases = [part.name for part in sketch.parts if part.kind == "database"]
    sketch.call(worker, pick(rng, databases))
    weight, deadline_s = float(rng.uniform(0.05, 0.25)), pick(rng, (15.0, 30.0, 60.0))
    return Goal(f"{queue}-on-time", queue, inlet, threshold_s=deadline_s, weight=weight, items=0.5, deadline=1.0)


def put_gateway(sketch: Sketch, services: Sequence[str]) -> str:
    """Add a further entry with clients of its own; return its name."""
    rng = sketch.rng
    name = f"{sketch.word()}-gateway"
    sketch.add(Part(name, "load_balancer", cpu_s=0.0007, start_s=float(rng.uniform(10.0, 40.0))))
    for service in rng.choice(services, size=min(len(services), 2), replace=False):
        sketch.call(name, str(service), calls=float(rng.uniform(0.3, 1.0)))
    return name


def settle_in_zones(sketch: Sketch, zones: Sequence[str]) -> None:
    """Add the zones as entities, and say of hosts and of every other data store in which of them it is."""
    rng = sketch.rng
    hosts = 0
    for at, part in enumerate(sketch.parts):
        if part.kind == "host":
            sketch.parts[at] = altered(part, zone=zones[hosts % len(zones)])
            hosts += 1
        elif part.kind in ("database", "cache") and rng.random() < 0.5:
            sketch.parts[at] = altered(part, zone=pick(rng, zones))
    for zone in zones:
        sketch.add(Part(zone, "zone", replicas=1.0, replicas_max=1.0))
