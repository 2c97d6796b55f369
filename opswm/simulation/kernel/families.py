"""Families of call graphs: chains, layers, fan-outs, services around one database, and meshes.

Each drawer hangs a number of parts under a balancer and returns the services among them. A request touches a bounded
number of parts, so that health does not depend on size.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from opswm.simulation.kernel.picking import pick
from opswm.simulation.kernel.sketch import Sketch

LONGEST_CHAIN: Final = 7
MOST_LEAVES: Final = 12
MOST_HOPS: Final = 6

Drawer = Callable[[Sketch, str, int], list[str]]
"""Adds at most ``count`` (two or more) parts below a balancer; returns the services."""


def _chain(sketch: Sketch, balancer: str, count: int) -> list[str]:
    """Services one behind the other with a database at the end; several chains side by side where there are many."""
    store = sketch.database()
    num_chains = -(-(count - 1) // LONGEST_CHAIN)
    services: list[str] = []
    for chain in range(num_chains):
        before, length = balancer, len(range(chain, count - 1, num_chains))
        for _ in range(length):
            name = sketch.service()
            sketch.call(before, name, calls=1.0 / num_chains if before == balancer else 1.0)
            services.append(name)
            before = name
        sketch.call(before, store)
    return services


def _layered(sketch: Sketch, balancer: str, count: int) -> list[str]:
    """Two or three layers, each service called by one or two of the layer above, and databases below."""
    rng = sketch.rng
    num_stores = 1 + (count > 10)
    depth = min(int(rng.integers(2, 4)), max(1, count - num_stores))
    per_layer = max(1, (count - num_stores) // depth)
    layers = [[sketch.service() for _ in range(per_layer)] for _ in range(depth)]
    stores = [sketch.database() for _ in range(num_stores)]
    for name in layers[0]:
        sketch.call(balancer, name, calls=float(rng.uniform(0.3, 1.0)))
    for above, below in pairwise(layers):
        for name in below:
            callers = rng.choice(above, size=min(len(above), int(rng.integers(1, 3))), replace=False)
            for caller in callers:
                sketch.call(str(caller), name, float(rng.uniform(0.3, 1.2)), optional=bool(rng.random() < 0.25))
    for at, name in enumerate(layers[-1]):
        sketch.call(name, stores[at % num_stores], calls=float(rng.uniform(0.5, 1.5)))
    for store in stores[len(layers[-1]) :]:
        sketch.call(layers[-1][0], store)
    return [name for layer in layers for name in layer]


def _fan_out(sketch: Sketch, balancer: str, count: int) -> list[str]:
    """A service that calls many at once; several of them where they are very many."""
    rng = sketch.rng
    num_hubs = max(1, -(-(count - 1) // (MOST_LEAVES + 1)))
    hubs = [sketch.service() for _ in range(num_hubs)]
    store = sketch.database()
    for hub in hubs:
        sketch.call(balancer, hub, calls=1.0 / num_hubs)
    leaves = [sketch.service() for _ in range(max(0, count - 1 - num_hubs))]
    for at, name in enumerate(leaves):
        hub = hubs[at % num_hubs]
        sketch.call(hub, name, on_path=float(rng.uniform(0.2, 0.7)), optional=bool(rng.random() < 0.35))
        if at == 0 or rng.random() < 0.6:
            sketch.call(name, store, calls=float(rng.uniform(0.3, 1.0)))
    if not leaves:
        sketch.call(hubs[0], store)
    return [*hubs, *leaves]


def _shared_database(sketch: Sketch, balancer: str, count: int) -> list[str]:
    """Services that all use one database, some of which call each other."""
    rng = sketch.rng
    services = [sketch.service() for _ in range(max(1, count - 1))]
    store = sketch.database()
    busy = min(1.0, MOST_LEAVES / len(services))
    for name in services:
        sketch.call(balancer, name, calls=float(rng.uniform(0.2, 1.0)) * busy)
        sketch.call(name, store, calls=float(rng.uniform(0.5, 2.0)))
    for _ in range(len(services) // 2):
        one, other = sorted(rng.choice(len(services), size=2, replace=False))
        calls, optional = float(rng.uniform(0.2, 0.8)), bool(rng.random() < 0.4)
        sketch.call(services[one], services[other], calls, optional=optional)
    return services


def _mesh(sketch: Sketch, balancer: str, count: int) -> list[str]:
    """Services that are called by up to four earlier ones, in no order but that of a few hops, and a few databases."""
    rng = sketch.rng
    num_stores = 1 + (count > 8) + (count > 20)
    services = [sketch.service() for _ in range(max(1, count - num_stores))]
    stores = [sketch.database() for _ in range(num_stores)]
    rate, hops = {balancer: 1.0}, {balancer: 0}
    busy = min(1.0, MOST_LEAVES / len(services))
    for name in services:
        near = [caller for caller, far in hops.items() if far < MOST_HOPS]
        wanted = float(rng.uniform(0.2, 1.0)) * busy
        callers = [str(c) for c in rng.choice(near, size=min(len(near), int(rng.integers(1, 5))), replace=False)]
        for caller in callers:
            calls, on_path = wanted / len(callers) / rate[caller], float(rng.uniform(0.3, 1.0))
            sketch.call(caller, name, min(calls, 2.0), on_path, optional=bool(rng.random() < 0.25))
        rate[name], hops[name] = wanted, 1 + max(hops[caller] for caller in callers)
        if rng.random() < 0.4:
            sketch.call(name, pick(rng, stores), calls=float(rng.uniform(0.4, 1.5)))
    for at, store in enumerate(stores):
        sketch.call(services[-1 - at], store)
    return services


FAMILIES: Final[Mapping[str, Drawer]] = {
    "chain": _chain,
    "layered": _layered,
    "fan_out": _fan_out,
    "shared_database": _shared_database,
    "mesh": _mesh,
}
"""Drawers by the name of their family."""
