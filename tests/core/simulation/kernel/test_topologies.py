"""Random systems have the size and family asked for, can do their usual work, and stay what their seed says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opswm.simulation.kernel.assemble import assemble, struck_by
from opswm.simulation.kernel.blueprint import Blueprint, Breakage
from opswm.simulation.kernel.checks import check_stable
from opswm.simulation.kernel.episodes import EpisodePlan, live
from opswm.simulation.kernel.families import FAMILIES
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.hazards import draw_fault
from opswm.simulation.kernel.healthy import seeds_of, warm_systems
from opswm.simulation.kernel.relations import relations_of
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.sizing import call_order, usual
from opswm.simulation.kernel.topologies import random_blueprint

SIZES = (3, 4, 7, 13, 30, 33, 90)
WORKING = ("load_balancer", "service", "worker", "database", "cache")


def drawn(seed: int, size: int | None = None, family: str = "") -> Blueprint:
    """Return the random system of a seed."""
    return random_blueprint(np.random.default_rng(seed), size, family)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_systems_have_the_size_that_was_asked_for(family: str) -> None:
    """Every family has systems of any size, each part of which is reached by demand."""
    for size in SIZES:
        blueprint = drawn(size, size, family)
        assert len(blueprint.parts) == size
        assert len({part.name for part in blueprint.parts}) == size
        rates = usual(blueprint.parts, blueprint.links, blueprint.inlets).rate_rps
        assert all(rates[part.name] > 0.0 for part in blueprint.parts if part.kind in (*WORKING, "queue", "external"))
        check_stable(blueprint)


def test_a_thousand_entities_fit_in_one_system() -> None:
    """The largest systems have a thousand entities of all kinds and several entries, and calls stay shallow."""
    blueprint = drawn(2, 1_000, "mesh")
    assert len(blueprint.parts) == 1_000
    kinds = {"load_balancer", "service", "database", "cache", "queue", "worker", "external", "host", "zone"}
    assert {part.kind for part in blueprint.parts} >= kinds - {"zone"}
    assert len(blueprint.inlets) >= 2
    assert assemble([blueprint]).entities.there.sum() == 1_000
    depth = {name: 0 for name in call_order(blueprint.parts, blueprint.links)}
    for name in depth:
        for link in (link for link in blueprint.links if link.source == name):
            depth[link.target] = max(depth[link.target], depth[name] + 1)
    assert max(depth.values()) < 30


def test_families_and_sizes_that_there_are_not_are_refused() -> None:
    """The message says what was asked for and what there is."""
    with pytest.raises(ValueError, match="'ring' is not known; use one of chain"):
        drawn(1, 10, "ring")
    for size in (2, 1_001):
        with pytest.raises(ValueError, match=f"{size} entities.*3 to 1000"):
            drawn(1, size)


def test_a_seed_says_all_about_a_system() -> None:
    """The same seed gives the same system, another seed another one."""
    assert drawn(4, 40) == drawn(4, 40)
    assert drawn(4, 40) != drawn(5, 40)


def test_zones_hold_what_runs_in_them() -> None:
    """Zones are entities; pairs of equivalents are in different ones, residents in the zone of their host."""
    several = [drawn(seed, 60) for seed in range(6)]
    zoned = [blueprint for blueprint in several if any(part.name == "zone-a" for part in blueprint.parts)]
    assert zoned
    for blueprint in zoned:
        zone = {part.name: part.zone for part in blueprint.parts}
        hosts = {part.name for part in blueprint.parts if part.kind == "host"}
        peers = [part for part in blueprint.parts if part.peer]
        assert all(zone[part.peer] != part.zone for part in peers)
        near = {zone[host] for host in hosts}
        for part in blueprint.parts:
            if part.host and part.zone in near:
                assert zone[part.host] == part.zone
        told = {(edge.source, edge.target) for edge in relations_of(blueprint) if edge.kind == "located_in"}
        assert told == {(name, place) for name, place in zone.items() if place}
        down = replace(blueprint, breakages=(Breakage("zone_down", "zone-a"),))
        assert {fault.target for fault in struck_by(down)} == set(blueprint.members("zone-a"))


def test_only_the_hazards_of_a_system_befall_it() -> None:
    """Faults are of the kinds that a system names, and impossible or unknown kinds are refused."""
    blueprint = drawn(3, 20)
    known = usual(blueprint.parts, blueprint.links, blueprint.inlets)
    rng = np.random.default_rng(1)
    two = replace(blueprint, hazards=("edge_delay", "slow_disk"))
    assert {draw_fault(two, known, 5.0, rng).kind for _ in range(30)} == {"edge_delay", "slow_disk"}
    every = {draw_fault(blueprint, known, 5.0, rng).kind for _ in range(200)}
    assert len(every) >= 15
    with pytest.raises(ValueError, match="flood are not drawn; use slow_version"):
        draw_fault(replace(blueprint, hazards=("flood",)), known, 5.0, rng)
    small = replace(drawn(3, 3, "chain"), hazards=("noisy_neighbour",))
    known = usual(small.parts, small.links, small.inlets)
    with pytest.raises(ValueError, match="none of its hazards"):
        draw_fault(small, known, 5.0, rng)


def healthy(size: int, worlds: int, ticks: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the SLO-weighted bad share of each world, and the CPU utilisation of all that works."""
    seeds = list(range(worlds))
    warm = warm_systems("random", seeds, 5, size)
    parameters = assemble(warm.blueprints)
    _, seen = simulate(parameters, warm.state, empty_tape(worlds), ticks, seeds_of(seeds, 0))
    share = (seen.bad.sum(1) / seen.offered.sum(1).clamp(min=1.0) * parameters.objectives.weight).sum(-1)
    cpu = seen.signals[..., SIGNALS.index("cpu_utilization")].mean(1)
    works = torch.zeros_like(cpu, dtype=torch.bool)
    for row, blueprint in enumerate(warm.blueprints):
        works[row, : len(blueprint.parts)] = torch.tensor([part.kind in WORKING for part in blueprint.parts])
    return share, cpu[works]


@pytest.mark.parametrize(
    ("size", "worlds"),
    [
        (3, 4),
        (30, 3),
        pytest.param(300, 2, marks=pytest.mark.slow),
        pytest.param(1_000, 1, marks=pytest.mark.slow),
    ],
)
def test_nobody_suffers_in_good_health(size: int, worlds: int) -> None:
    """At every size hardly an attempt is bad, and parts are neither idle nor full."""
    share, cpu = healthy(size, worlds, 8)
    assert float(share.max()) < 0.02
    assert 0.1 < float(cpu.mean()) < 0.6
    assert float(cpu.quantile(0.95)) < 0.85


@pytest.mark.slow
def test_decision_points_of_zoned_systems_can_be_drawn() -> None:
    """Systems with zones, whose faults strike many parts, live in one batch with others."""
    lived = live(EpisodePlan(system="random", context_ticks=12, entities=45), tuple(range(6)))
    assert torch.isfinite(lived.bad_share).all()
    assert lived.value.shape[2] == 45
