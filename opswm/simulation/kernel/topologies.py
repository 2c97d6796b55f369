"""Random systems of 3 to 1,000 entities: one call graph of a family, or many of them behind shared entries.

Large systems are made of domains of twenty or so entities, each with services, data stores and a balancer of its own;
some domains serve the others. So a request touches as many parts in a large system as in a small one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from opswm.simulation.kernel import extras
from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Part
from opswm.simulation.kernel.checks import check_stable
from opswm.simulation.kernel.families import FAMILIES
from opswm.simulation.kernel.finish import finish
from opswm.simulation.kernel.picking import pick
from opswm.simulation.kernel.profiles import draw_profile
from opswm.simulation.kernel.sketch import Sketch

SMALLEST: Final = 3
LARGEST: Final = 1_000
LARGEST_DOMAIN: Final = 32
USUAL_DOMAIN: Final = 24
MOST_ENTRIES: Final = 6
ZONES: Final = ("zone-a", "zone-b", "zone-c")


@dataclass
class _Drawn:
    """What is known of a system while it grows: where demand arrives and how much, services, promises."""

    rates: dict[str, float] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def random_blueprint(
    rng: np.random.Generator,
    size: int | None = None,
    family: str = "",
    step_s: int = 5,
    hazards: Sequence[str] = (),
    actions: Literal["usual", "all"] = "usual",
) -> Blueprint:
    """Return a random system in good health.

    Args:
        rng: For everything that is left to chance.
        size: Number of entities, 3 to 1,000; about a dozen where left out.
        family: One of ``families.FAMILIES``; random where left out.
        step_s: Telemetry step.
        hazards: Kinds of faults that may befall it; every kind where left out.
        actions: Whether every type of action can be taken.

    Raises:
        ValueError: When the family is not known, or the size is out of range.
    """
    chosen = family or pick(rng, tuple(FAMILIES))
    if chosen not in FAMILIES:
        raise ValueError(f"topology family {chosen!r} is not known; use one of {', '.join(FAMILIES)}")
    wanted = int(np.clip(rng.normal(12.0, 5.0), SMALLEST, 28)) if size is None else size
    if not SMALLEST <= wanted <= LARGEST:
        raise ValueError(f"a system of {wanted} entities was asked for; random systems have {SMALLEST} to {LARGEST}")
    sketch, drawn = Sketch(rng), _Drawn()
    num_hosts = _num_hosts(rng, wanted)
    zones = ZONES[: 2 + int(wanted > 100)] if wanted >= 10 and rng.random() < 0.6 else ()
    room = wanted - num_hosts - len(zones)
    if room <= LARGEST_DOMAIN:
        _one_domain(sketch, drawn, chosen, room, zones)
    else:
        _many_domains(sketch, drawn, chosen, room, zones)
    for number in range(num_hosts):
        sketch.add(Part(f"host-{number + 1}", "host"))
    if zones:
        extras.settle_in_zones(sketch, zones)
    inlets = [_inlet(rng, name, rate) for name, rate in drawn.rates.items()]
    name = f"{chosen.replace('_', '-')}-{len(sketch.parts)}"
    goals = _promises(rng, inlets, drawn.goals)
    blueprint = finish(name, sketch.parts, sketch.links, inlets, goals, rng, step_s, actions=actions)
    check_stable(blueprint)
    return replace(blueprint, hazards=tuple(hazards))


def _one_domain(sketch: Sketch, drawn: _Drawn, family: str, room: int, zones: Sequence[str]) -> None:
    balancer = _balancer(sketch, "front-lb")
    services = _domain(sketch, drawn, family, balancer, balancer, room - 1, zones)
    drawn.rates = {balancer: _rate(sketch.rng), **{name: _rate(sketch.rng) for name in drawn.rates}}
    drawn.services += services


def _many_domains(sketch: Sketch, drawn: _Drawn, family: str, room: int, zones: Sequence[str]) -> None:
    """Draw domains behind a few entries; every third one serves the others rather than clients."""
    rng = sketch.rng
    num_domains = max(2, round(room / USUAL_DOMAIN))
    num_entries = min(MOST_ENTRIES, max(1, num_domains // 4))
    entries = [_balancer(sketch, "front-lb" if at == 0 else f"front-lb-{at + 1}") for at in range(num_entries)]
    sizes = np.full(num_domains, (room - num_entries) // num_domains)
    sizes[: room - num_entries - int(sizes.sum())] += 1
    shares: dict[str, dict[str, float]] = {entry: {} for entry in entries}
    platform: list[str] = []
    product: list[str] = []
    for at, size in enumerate(sizes):
        if at % 3 == 2:
            platform.append(_balancer(sketch, f"{sketch.word()}-platform"))
            _domain(sketch, drawn, family, platform[-1], entries[at % num_entries], int(size) - 1, zones)
            continue
        entry = entries[len(product) % num_entries]
        balancer = _balancer(sketch, f"{sketch.word()}-lb")
        shares[entry][balancer] = _rate(rng)
        product.append(balancer)
        drawn.services += _domain(sketch, drawn, family, balancer, entry, int(size) - 1, zones)
    for entry, domains in shares.items():
        drawn.rates[entry] = sum(domains.values())
        for balancer, rate in domains.items():
            sketch.call(entry, balancer, calls=rate / sum(domains.values()))
    for at, balancer in enumerate(platform):
        callers = rng.choice(product[at::2] or product, size=min(2, len(product[at::2] or product)), replace=False)
        for caller in callers:
            sketch.call(str(caller), balancer, calls=float(rng.uniform(0.2, 0.7)))


def _domain(
    sketch: Sketch, drawn: _Drawn, family: str, balancer: str, entry: str, room: int, zones: Sequence[str]
) -> list[str]:
    """Draw exactly ``room`` parts behind a balancer and return the services among them."""
    rng = sketch.rng
    own = Sketch(rng, words=sketch.words)
    own.add(next(part for part in sketch.parts if part.name == balancer))
    extra = extras.draw_extras(rng, room + 1)
    services = FAMILIES[family](own, balancer, room - extra.num_parts)
    while len(own.parts) - 1 + extra.num_parts < room:
        caller, name = pick(rng, services), own.service()
        own.call(caller, name, calls=float(rng.uniform(0.2, 0.8)), optional=bool(rng.random() < 0.5))
        services.append(name)
    for _ in range(extra.caches):
        extras.put_cache(own)
    for _ in range(extra.providers):
        extras.put_provider(own, services)
    for _ in range(extra.queues):
        drawn.goals.append(extras.put_queue(own, services, entry))
    for _ in range(extra.gateways):
        drawn.rates[extras.put_gateway(own, services)] = _rate(rng)
    whole = [name for name in services if name != services[0]]
    for name in rng.choice(whole, size=min(extra.pairs, len(whole)), replace=False):
        places = list(rng.permutation(list(zones or ZONES[:2])))[:2]
        services.remove(str(name))
        services += extras.split_in_zones(own, str(name), sorted(str(place) for place in places))
    while len(own.parts) - 1 < room:
        caller, name = pick(rng, services), own.service()
        own.call(caller, name, calls=float(rng.uniform(0.2, 0.8)), optional=True)
        services.append(name)
    sketch.parts += own.parts[1:]
    sketch.links += own.links
    return services


def _balancer(sketch: Sketch, name: str) -> str:
    return sketch.add(Part(name, "load_balancer", cpu_s=0.0006, start_s=float(sketch.rng.uniform(10.0, 40.0))))


def _num_hosts(rng: np.random.Generator, wanted: int) -> int:
    if wanted < 9:
        return 0
    if wanted <= LARGEST_DOMAIN:
        return int(rng.integers(0, 4))
    return round(wanted * float(rng.uniform(0.05, 0.12)))


def _rate(rng: np.random.Generator) -> float:
    return float(math.exp(rng.uniform(math.log(40.0), math.log(350.0))))


def _inlet(rng: np.random.Generator, entity: str, rate_rps: float) -> Inlet:
    inlet = Inlet(
        entity,
        rate_rps=rate_rps,
        diurnal_amplitude=float(rng.uniform(0.0, 0.25)),
        diurnal_period_s=float(rng.uniform(2_400.0, 14_400.0)),
        diurnal_phase=float(rng.uniform(0.0, 2.0 * math.pi)),
        jitter=float(rng.uniform(0.02, 0.1)),
        jitter_s=float(rng.uniform(20.0, 180.0)),
        burst_amplitude=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.25 else 0.0,
        burst_period_s=float(rng.uniform(120.0, 900.0)),
        burst_share=float(rng.uniform(0.05, 0.25)),
        client_timeout_s=float(rng.uniform(2.0, 10.0)),
        client_retries=pick(rng, (0.0, 1.0, 2.0), (0.75, 0.2, 0.05)),
    )
    if rng.random() < 0.5:
        return inlet
    profile = draw_profile(rng)
    return replace(
        inlet, profile=profile.values, profile_step_s=profile.step_s, burst_amplitude=0.0, diurnal_amplitude=0.0
    )


def _promises(rng: np.random.Generator, inlets: Sequence[Inlet], of_queues: Sequence[Goal]) -> list[Goal]:
    """Return a latency promise for each entry beside those of queues, which share a quarter of the weight at most."""
    total = sum(goal.weight for goal in of_queues)
    scale = min(1.0, 0.25 / total) if total else 1.0
    queues = [replace(goal, weight=goal.weight * scale) for goal in of_queues]
    shares = rng.dirichlet(np.full(len(inlets), 6.0)) * (1.0 - sum(goal.weight for goal in queues))
    requests = [
        Goal(f"{inlet.entity}-requests", inlet.entity, inlet.entity, 1.0, weight=float(share))
        for inlet, share in zip(inlets, shares, strict=True)
    ]
    return [*requests, *queues]
