"""Faults drive mechanisms, with the shape and from the moment they say."""

from typing import Any

import pytest
import torch

from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.faults import Drive, drives, strength
from opswm.simulation.kernel.hazards import CLASSIC
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import Observables, simulate
from opswm.simulation.kernel.state import initial_state


def level(plans: Any, second: int, **fault: Any) -> float:
    """Return the strength of one fault of magnitude 2 at one second."""
    blueprint = plans.one(breakages=[Breakage("dependency_slow", "web", magnitude=2.0, **fault)])
    faults = assemble([blueprint]).faults
    return float(strength(faults, torch.ones(1, 1), second))


def test_onset_shapes(plans: Any) -> None:
    """Steps are full at once, ramps rise and fall, intermittent faults blink, decaying ones fade."""
    timing = {"onset_s": 10.0, "ramp_s": 20.0, "duration_s": 100.0}
    assert [level(plans, s, shape="STEP", **timing) for s in (9, 10, 109, 110)] == [0.0, 2.0, 2.0, 0.0]
    assert [level(plans, s, shape="RAMP", **timing) for s in (10, 20, 30, 100)] == pytest.approx([0.0, 1.0, 2.0, 1.0])
    assert [level(plans, s, shape="INTERMITTENT", **timing) for s in (10, 29, 30, 49, 50)] == [2.0, 2.0, 0.0, 0.0, 2.0]
    fading = [level(plans, s, shape="DECAY", **timing) for s in (10, 30)]
    assert fading == pytest.approx([2.0, 2.0 / 2.71828], rel=1e-4)


def test_what_was_done_away_with_drives_nothing(plans: Any) -> None:
    """A fault acts in proportion to what is left of it, at its target and nowhere else."""
    blueprint = plans.store(breakages=[Breakage("lock_contention", "db", magnitude=3.0)])
    faults = assemble([blueprint]).faults
    whole, half = (drives(faults, strength(faults, torch.full((1, 1), left), 5), 2) for left in (1.0, 0.5))
    assert whole[Drive.LOCK].tolist() == [[0.0, 3.0]]
    assert half[Drive.LOCK].tolist() == [[0.0, 1.5]]
    assert float(whole.abs().sum()) == 3.0


SYMPTOMS = {
    "slow_version": ("web", "cpu_utilization", 1.4, Breakage("slow_version", "web", magnitude=0.6)),
    "erroring_version": ("web", "error_ratio", 20.0, Breakage("erroring_version", "web", magnitude=0.2)),
    "memory_leak": ("web", "memory_ratio", 1.2, Breakage("memory_leak", "web", magnitude=0.004)),
    "replica_down": ("web", "replicas_ready", 0.6, Breakage("replica_down", "web", magnitude=1.0)),
    "gray_replica": ("web", "error_ratio", 20.0, Breakage("gray_replica", "web", magnitude=1.0)),
    "lock_contention": ("db", "lock_wait", 20.0, Breakage("lock_contention", "db", magnitude=3.0)),
    "slow_queries": ("db", "cpu_utilization", 1.3, Breakage("slow_queries", "db", magnitude=0.5)),
    "pool_leak": ("db", "pool_in_use", 2.0, Breakage("pool_leak", "db", magnitude=0.2)),
    "pool_shrunk": ("db", "pool_size", 0.6, Breakage("pool_shrunk", "db", onset_s=1.0, magnitude=0.5)),
    "cold_cache": ("cache", "cache_hit_ratio", 0.6, Breakage("cold_cache", "cache", onset_s=1.0, magnitude=0.9)),
    "poisoned_cache": ("cache", "error_ratio", 20.0, Breakage("poisoned_cache", "cache", magnitude=0.2)),
    "retry_storm": ("db", "error_ratio", 20.0, Breakage("retry_storm", "db", magnitude=0.5)),
    "demand_surge": ("web", "request_rate", 1.4, Breakage("demand_surge", "web", magnitude=0.5)),
    "dependency_outage": ("mail", "error_ratio", 20.0, Breakage("dependency_outage", "mail", magnitude=0.6)),
    "dependency_slow": ("mail", "latency_p50", 2.0, Breakage("dependency_slow", "mail", magnitude=0.2)),
    "noisy_neighbour": ("host", "cpu_utilization", 1.5, Breakage("noisy_neighbour", "host", magnitude=0.5)),
    "harmless_deploy": ("web", "version_age", 0.1, Breakage("harmless_deploy", "web", via_version=1.0, onset_s=1.0)),
}


def everything(plans: Any, breakages: list[Breakage]) -> Blueprint:
    """Return a small system with a part of every kind that a fault can strike."""
    parts = [
        Part("web", "service", cpu_s=0.005, cores=1.0, replicas=2.0, slots=60.0, host="host"),
        Part("cache", "cache", cpu_s=0.0005, cores=2.0, replicas=1.0, slots=200.0, hit_max=0.8),
        Part("db", "database", cpu_s=0.01, cores=4.0, replicas=1.0, pool_size=30.0),
        Part("mail", "external", cpu_s=0.0001, io_s=0.05, cores=99.0, replicas=1.0, slots=99.0),
        Part("host", "host", host_cores=4.0, replicas=1.0),
    ]
    links = [
        Link("web", "cache", retries=0.0),
        Link("cache", "db", on_miss=1.0, retries=0.0),
        Link("web", "mail", calls=0.3, required=0.1, retries=0.0),
    ]
    system: Blueprint = plans.system(parts, links, 100.0, 0.4, breakages)
    return system


@pytest.fixture(scope="module")
def observed(laboratory: Any, plans: Any) -> dict[str, Observables]:
    """What each kind of fault looks like over 40 s, and what good health does."""
    names = ["none", *SYMPTOMS]
    systems = [everything(plans, []), *(everything(plans, [SYMPTOMS[name][3]]) for name in SYMPTOMS)]
    rows = torch.arange(len(systems)).repeat_interleave(3)
    parameters = take_rows(assemble(systems), rows)
    seeds = laboratory.seeds()[:3].repeat(len(systems))
    tape = take_rows(tape_of(systems, [[] for _ in systems]), rows)
    _, seen = simulate(parameters, initial_state(parameters), tape, 12, seeds)
    return {name: take_rows(seen, torch.arange(3 * at, 3 * at + 3)) for at, name in enumerate(names)}


@pytest.mark.parametrize("name", sorted(SYMPTOMS))
def test_each_kind_of_fault_shows_its_symptom(observed: dict[str, Observables], plans: Any, name: str) -> None:
    """A fault changes what is read where it bites by more than its factor, compared with good health."""
    where, signal, factor, _ = SYMPTOMS[name]
    at, column = everything(plans, []).index(where), SIGNALS.index(signal)
    healthy, sick = (float(observed[case].signals[:, 2:, at, column].mean()) for case in ("none", name))
    assert sick > factor * healthy if factor > 1.0 else sick < factor * healthy


def test_every_classic_kind_of_fault_is_tried_here() -> None:
    """No kind of fault that the demo system knows is without a symptom; the others have a module of their own."""
    assert {*CLASSIC, "harmless_deploy"} == set(SYMPTOMS)


def test_a_harmless_deployment_harms_nobody(observed: dict[str, Observables]) -> None:
    """A red herring changes no attempt."""
    assert torch.equal(observed["none"].bad, observed["harmless_deploy"].bad)


def test_memory_that_runs_out_takes_replicas_down(laboratory: Any, plans: Any) -> None:
    """A leak ends in crashes: restarts are counted, replicas are missing for a while, memory falls again."""
    seen = laboratory.run(
        plans.one(replicas=4.0, breakages=[Breakage("memory_leak", "web", magnitude=0.02)]), seconds=60
    )
    signal = {
        name: seen.signals[:, :, 0, SIGNALS.index(name)] for name in ("restart_rate", "replicas_ready", "memory_ratio")
    }
    assert signal["restart_rate"].max() > 0
    assert signal["replicas_ready"].min() < 4
    assert (signal["memory_ratio"].diff(dim=1) < -0.05).any()


def test_a_retry_storm_outlives_its_trigger(laboratory: Any, plans: Any) -> None:
    """With eager retries and no cancellation the overload goes on after its cause has gone; without retries it ends."""
    storm = [Breakage("retry_storm", "db", onset_s=60.0, duration_s=25.0, magnitude=1.2)]
    shares = []
    for retries in (3.0, 0.0):
        blueprint = plans.store(
            rate_rps=180.0, threshold_s=0.4, cores=5.0, queue_limit=400.0, breakages=storm,
            link={"retries": retries, "timeout_s": 0.4},
        )  # fmt: skip
        seen = laboratory.run(blueprint, seconds=120)
        shares.append(float(seen.bad[:, -8:].sum() / seen.offered[:, -8:].sum()))
    assert shares[0] > 0.5
    assert shares[1] < 0.1
