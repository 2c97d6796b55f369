"""Give a sketched system sizes that make it run well at its usual demand: cores, replicas, slots, pools, timeouts.

Rates follow from demand along the call graph, latencies back along it; each part then gets the capacity that puts it at
its own utilisation, so that some systems are generous and others have little to spare.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from opswm.simulation.kernel.blueprint import UNLIMITED_ITEMS, Inlet, Link, Part
from opswm.simulation.kernel.picking import altered, pick

LONGEST_WORK_S = 0.05
"""CPU time of a request beyond which a service would rather be idle than be given more to do."""
PATIENT_REQUESTS = 2.0
LEAST_HOSTED_RPS = 15.0
SMALL_SYSTEM = 40
TIMEOUTS_S = (0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0)


@dataclass(frozen=True)
class Usual:
    """What is usual at each part: requests per second, mean response time, mean downstream time, all by name."""

    rate_rps: Mapping[str, float]
    latency_s: Mapping[str, float]
    downstream_s: Mapping[str, float]


def usual(parts: Sequence[Part], links: Sequence[Link], inlets: Sequence[Inlet]) -> Usual:
    """Return usual rates and latencies of an acyclic system at mean demand, without waiting.

    Raises:
        ValueError: When calls run in a circle.
    """
    order = call_order(parts, links)
    outgoing: dict[str, list[Link]] = {name: [] for name in order}
    for link in links:
        outgoing[link.source].append(link)
    hit = {part.name: part.hit_max for part in parts}
    own_s = {part.name: part.cpu_s + part.io_s for part in parts}
    rate = {part.name: 0.0 for part in parts}
    for inlet in inlets:
        rate[inlet.entity] += inlet.rate_rps
    for name in order:
        for link in outgoing[name]:
            rate[link.target] += rate[name] * link.calls * link.weight * (1.0 - link.on_miss * hit[name])
    downstream, latency = {name: 0.0 for name in order}, dict(own_s)
    for name in reversed(order):
        for link in outgoing[name]:
            if link.synchronous > 0:
                calls = link.calls * link.weight * (1.0 - link.on_miss * hit[name])
                downstream[name] += calls * link.on_path * latency[link.target]
        latency[name] = own_s[name] + downstream[name]
    return Usual(rate, latency, downstream)


def call_order(parts: Sequence[Part], links: Sequence[Link]) -> list[str]:
    """Return part names so that every caller comes before what it calls.

    Raises:
        ValueError: When calls run in a circle.
    """
    callers: dict[str, set[str]] = {part.name: set() for part in parts}
    called: dict[str, list[str]] = {part.name: [] for part in parts}
    for link in links:
        if link.target in callers and link.source not in callers[link.target]:
            callers[link.target].add(link.source)
            called.setdefault(link.source, []).append(link.target)
    position = {part.name: at for at, part in enumerate(parts)}
    missing = {name: len(sources) for name, sources in callers.items()}
    free = [name for name, count in missing.items() if count == 0]
    order: list[str] = []
    while free:
        order += free
        following: list[str] = []
        for name in free:
            for target in called[name]:
                missing[target] -= 1
                if missing[target] == 0:
                    following.append(target)
        free = sorted(following, key=position.__getitem__)
    if len(order) < len(missing):
        left = sorted(set(missing) - set(order))
        circle = " -> ".join(circle_in([part for part in parts if part.name in set(left)], links))
        raise ValueError(f"calls run in a circle among {', '.join(left)} ({circle}): take one of these calls out")
    return order


def circle_in(parts: Sequence[Part], links: Sequence[Link]) -> list[str]:
    """Return the names along one circle of calls, the first one again at the end; empty where there is none."""
    onward: dict[str, list[str]] = {part.name: [] for part in parts}
    for link in links:
        if link.source in onward and link.target in onward:
            onward[link.source].append(link.target)
    done: set[str] = set()
    for start in onward:
        path, todo = [start], [iter(onward[start])]
        while todo:
            following = next(todo[-1], None)
            if following is None:
                done.add(path.pop())
                todo.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            elif following not in done:
                path.append(following)
                todo.append(iter(onward[following]))
    return []


def size_work(parts: Sequence[Part], rate_rps: Mapping[str, float], rng: np.random.Generator) -> list[Part]:
    """Return the parts with cores, replicas and CPU time per request that put each at its own usual utilisation."""
    return [_WORKERS.get(part.kind, _as_it_is)(part, max(rate_rps[part.name], 0.5), rng) for part in parts]


def size_room(parts: Sequence[Part], known: Usual, rng: np.random.Generator) -> list[Part]:
    """Return the parts with slots, pools and queues for the work that is usually held at once."""
    sized: list[Part] = []
    for part in parts:
        rate = max(known.rate_rps[part.name], 0.5)
        held_s = part.cpu_s + part.io_s + known.downstream_s[part.name]
        sized.append(_ROOMS.get(part.kind, _as_it_is)(part, rate, rng, held_s))
    return sized


def size_links(links: Sequence[Link], known: Usual, rng: np.random.Generator) -> list[Link]:
    """Return the links with timeouts of ten to forty times the usual latency of what they call."""
    sized: list[Link] = []
    for link in links:
        wanted = known.latency_s[link.target] * math.exp(rng.uniform(math.log(10.0), math.log(40.0)))
        timeout = next((limit for limit in TIMEOUTS_S if limit >= wanted), TIMEOUTS_S[-1])
        sized.append(altered(link, timeout_s=timeout))
    return sized


def set_patience(
    parts: Sequence[Part], links: Sequence[Link], inlets: Sequence[Inlet], known: Usual, rng: np.random.Generator
) -> list[Part]:
    """Return the parts, most of which drop requests that have waited for much of their callers' timeout.

    Where callers retry a lot it is rarer, as whoever thought of the one would have thought of the other. Nobody drops
    what has waited for less than the usual time between a few requests.
    """
    patient: list[Part] = []
    into: dict[str, list[Link]] = {part.name: [] for part in parts}
    for link in links:
        into[link.target].append(link)
    for part in parts:
        waits = [link.timeout_s for link in into[part.name] if link.synchronous > 0]
        waits += [inlet.client_timeout_s for inlet in inlets if inlet.entity == part.name]
        tries = max([link.retries for link in into[part.name]], default=0.0)
        cancels = rng.random() < (0.3 if tries >= 2.0 else 0.75)
        share = float(rng.uniform(0.15, 0.7))
        if waits and cancels:
            least_s = PATIENT_REQUESTS / max(known.rate_rps[part.name], 0.5)
            part = altered(part, patience_s=round(max(max(waits) * share, least_s), 3))
        patient.append(part)
    return patient


def _as_it_is(part: Part, rate: float, rng: np.random.Generator, held_s: float = 0.0) -> Part:
    del rate, rng, held_s
    return part


def _service_work(part: Part, rate: float, rng: np.random.Generator) -> Part:
    utilization, cores = rng.uniform(0.25, 0.6), pick(rng, (1.0, 2.0))
    replicas = int(rng.integers(2, 7))
    cpu_s = min(max(utilization * replicas * cores / rate, part.cpu_s * 0.3), part.cpu_s * 3.0)
    replicas = max(2, math.ceil(rate * cpu_s / (cores * utilization)))
    if rate * cpu_s / (replicas * cores) < 0.2:
        cores = 0.5
        cpu_s = min(0.8 * utilization * replicas * cores / rate, LONGEST_WORK_S)
    return altered(
        part,
        cpu_s=round(cpu_s, 5),
        cores=cores,
        replicas=float(replicas),
        replicas_max=float(math.ceil(replicas * rng.uniform(1.5, 3.0))),
        scaler_min=float(replicas),
        scaler_max=float(math.ceil(replicas * rng.uniform(1.3, 2.5))),
        scaler_target=round(float(rng.uniform(0.6, 0.8)), 2),
    )


def _database_work(part: Part, rate: float, rng: np.random.Generator) -> Part:
    cores = pick(rng, (4.0, 8.0, 16.0))
    cpu_s = min(max(rng.uniform(0.2, 0.5) * cores / rate, part.cpu_s * 0.2), part.cpu_s * 4.0)
    cores = max(2.0, float(math.ceil(rate * cpu_s / rng.uniform(0.2, 0.5))))
    return altered(part, cpu_s=round(cpu_s, 5), cores=cores, replicas=1.0, replicas_max=1.0)


def _cache_work(part: Part, rate: float, rng: np.random.Generator) -> Part:
    cores = max(1.0, float(math.ceil(rate * part.cpu_s / rng.uniform(0.1, 0.3))))
    return altered(part, cores=cores, replicas=1.0, replicas_max=1.0)


def _boundless_work(part: Part, rate: float, rng: np.random.Generator) -> Part:
    del rng
    many = max(256.0, float(math.ceil(rate * 4.0)))
    return altered(part, replicas=1.0, replicas_max=1.0, cores=many, slots=many, queue_limit=UNLIMITED_ITEMS)


def _host_work(part: Part, rate: float, rng: np.random.Generator) -> Part:
    del rate, rng
    return altered(part, replicas=1.0, replicas_max=1.0)


def _service_room(part: Part, rate: float, rng: np.random.Generator, held_s: float) -> Part:
    room = 30.0 if part.kind == "load_balancer" else math.exp(rng.uniform(math.log(4.0), math.log(30.0)))
    slots = max(16.0, float(math.ceil(rate * held_s / part.replicas * room)))
    return altered(part, slots=slots, queue_limit=float(math.ceil(rate * rng.uniform(0.4, 4.0)) + 20))


def _database_room(part: Part, rate: float, rng: np.random.Generator, held_s: float) -> Part:
    needed = math.ceil(rate * held_s / rng.uniform(0.12, 0.4))
    pool = max(8.0, float(needed), float(math.ceil(part.cores * rng.uniform(1.0, 4.0))))
    knee = part.cores * rng.uniform(1.2, 2.5)
    limit = float(math.ceil(rate * rng.uniform(1.0, 8.0)) + 50)
    return altered(part, slots=pool, pool_size=pool, contention_knee=round(knee, 1), queue_limit=limit)


def _cache_room(part: Part, rate: float, rng: np.random.Generator, held_s: float) -> Part:
    del rng
    return altered(part, slots=max(64.0, float(math.ceil(rate * held_s / 0.1))), queue_limit=rate * 4.0 + 50)


_WORKERS = {
    "load_balancer": _service_work,
    "service": _service_work,
    "worker": _service_work,
    "database": _database_work,
    "cache": _cache_work,
    "external": _boundless_work,
    "queue": _boundless_work,
    "host": _host_work,
}
_ROOMS = {
    "load_balancer": _service_room,
    "service": _service_room,
    "worker": _service_room,
    "database": _database_room,
    "cache": _cache_room,
}


def place_on_hosts(parts: Sequence[Part], known: Usual, rng: np.random.Generator) -> list[Part]:
    """Return the parts with residents spread over the hosts there are, each with room for what they usually need.

    What has a zone goes to a host in that zone where there is one, what has little to do to one that nobody knows (a
    host hands out its cores in proportion to what was lately used). Large systems have roomier hosts, as among many
    residents some are always busier than usual.
    """
    hosts = [part.name for part in parts if part.kind == "host"]
    if not hosts:
        return list(parts)
    placed: list[Part] = []
    load = {name: 0.0 for name in hosts}
    zone = {part.name: part.zone for part in parts}
    for part in parts:
        busy = known.rate_rps[part.name] >= LEAST_HOSTED_RPS
        if busy and part.kind in ("load_balancer", "service", "worker", "cache"):
            near = [name for name in hosts if part.zone and zone[name] == part.zone] or hosts
            host = near[int(rng.integers(len(near)))]
            load[host] += known.rate_rps[part.name] * part.cpu_s
            part = altered(part, host=host)
        placed.append(part)
    full = (0.25, 0.5) if len(parts) <= SMALL_SYSTEM else (0.1, 0.25)
    return [
        altered(part, host_cores=float(max(2, math.ceil(load[part.name] / rng.uniform(*full)))))
        if part.kind == "host"
        else part
        for part in placed
    ]
