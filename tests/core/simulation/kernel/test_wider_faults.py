"""Zones, disks, queues, calls, certificates, herds: each fault harms users and shows where an engineer would look."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from opswm.simulation.kernel import hazards
from opswm.simulation.kernel.assemble import assemble, room_for_faults, struck_by
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Goal, Link, Part
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.faults import FAULT_KINDS, Passage, passages, strength
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import Observables, simulate
from opswm.simulation.kernel.state import initial_state

TICKS = 16
WORLDS = 3


def town(plans: Any, breakages: list[Breakage]) -> Blueprint:
    """Return a service in front of an API in two zones, a store, and a queue with a worker."""
    parts = [
        Part("web", "service", cpu_s=0.004, cores=1.0, replicas=2.0, slots=200.0, queue_limit=200.0),
        Part("api-a", "service", zone="east", cpu_s=0.01, cores=1.0, replicas=2.0, slots=40.0, peer="api-b"),
        Part("api-b", "service", zone="west", cpu_s=0.01, cores=1.0, replicas=2.0, slots=40.0, peer="api-a"),
        Part("db", "database", zone="west", cpu_s=0.004, io_s=0.01, cores=4.0, replicas=1.0, pool_size=20.0),
        Part("jobs", "queue", cpu_s=0.0001, slots=500.0, cores=500.0, replicas=1.0, queue_limit=1e6, consumer="mill"),
        Part("mill", "worker", cpu_s=0.02, cores=1.0, replicas=2.0, slots=20.0, queue_limit=50.0),
        Part("east", "zone", replicas=1.0),
        Part("west", "zone", replicas=1.0),
    ]
    links = [
        Link("web", "api-a", weight=0.5, retries=0.0, timeout_s=0.8),
        Link("web", "api-b", weight=0.5, retries=0.0, timeout_s=0.8),
        Link("api-a", "db", retries=0.0, timeout_s=0.6),
        Link("api-b", "db", retries=0.0, timeout_s=0.6),
        Link("web", "jobs", "publishes", synchronous=0.0, calls=0.5),
        Link("jobs", "mill", "consumes", synchronous=0.0),
    ]
    system: Blueprint = plans.system(parts, links, 100.0, 0.25, breakages, client_timeout_s=2.0)
    goals = (
        Goal("pages", "web", "web", 0.25, weight=0.6),
        Goal("jobs-on-time", "jobs", "web", 10.0, weight=0.4, items=0.5, deadline=1.0),
    )
    return replace(system, goals=goals)


SYMPTOMS = {
    "zone_down": ("api-a", "replicas_ready", 0.2, Breakage("zone_down", "east", onset_s=5.0)),
    "slow_disk": ("db", "latency_p95", 3.0, Breakage("slow_disk", "db", magnitude=3.3)),
    "queue_backlog": ("jobs", "consumer_lag", 20.0, Breakage("queue_backlog", "jobs", onset_s=5.0, magnitude=2000.0)),
    "poison_message": ("jobs", "consumer_lag", 20.0, Breakage("poison_message", "mill", magnitude=1.5)),
    "edge_delay": ("web", "latency_p95", 3.0, Breakage("edge_delay", "api-a", "web", magnitude=0.5)),
    "edge_loss": ("api-b", "request_rate", 0.8, Breakage("edge_loss", "api-b", "web", magnitude=0.4)),
    "certificate_expired": ("db", "request_rate", 0.5, Breakage("certificate_expired", "db", magnitude=0.7)),
    "bad_config": ("web", "error_ratio", 20.0, Breakage("bad_config", "web", via_version=1.0, magnitude=0.3)),
    "thundering_herd": (
        "web", "queue_depth", 5.0, Breakage("thundering_herd", "web", shape="REBOUND", ramp_s=30.0, magnitude=1.5),
    ),
}  # fmt: skip


FOR_A_WHILE = Breakage("zone_down", "east", onset_s=5.0, duration_s=35.0)


@pytest.fixture(scope="module")
def observed(laboratory: Any, plans: Any) -> dict[str, Observables]:
    """What each kind of fault looks like over 80 s, what good health does, and a zone that comes back."""
    faults = {"none": [], **{name: [SYMPTOMS[name][3]] for name in SYMPTOMS}}
    faults |= {"back": [FOR_A_WHILE], "killed": [FOR_A_WHILE]}
    systems = [town(plans, breakages) for breakages in faults.values()]
    kill = plans.act("kill_instance", "api-a", amount=2.0, at_s=12.0)
    courses = [[kill] if name == "killed" else [] for name in faults]
    rows = torch.arange(len(systems)).repeat_interleave(WORLDS)
    parameters = take_rows(assemble(systems, room_for_faults(systems, 1)), rows)
    seeds = laboratory.seeds()[:WORLDS].repeat(len(systems))
    _, seen = simulate(parameters, initial_state(parameters), take_rows(tape_of(systems, courses), rows), TICKS, seeds)
    return {name: take_rows(seen, torch.arange(WORLDS * at, WORLDS * (at + 1))) for at, name in enumerate(faults)}


@pytest.fixture(scope="module")
def effects(laboratory: Any, plans: Any) -> dict[str, float]:
    """What some actions change in the mean bad share over 150 s of a fault that they should (or should not) cure."""
    lossy = town(plans, [Breakage("edge_loss", "api-b", "web", magnitude=0.3)])
    expired = town(plans, [Breakage("certificate_expired", "api-a", magnitude=0.9)])
    misset = town(plans, [Breakage("bad_config", "web", via_version=1.0, magnitude=0.3)])
    swamped = town(plans, [Breakage("queue_backlog", "jobs", onset_s=58.0, magnitude=8000.0)])
    scenarios = {
        "try again": (lossy, [plans.act("timeout_retry", "api-b", amount=0.05, second=3.0)]),
        "restart at home": (expired, [plans.act("restart", "api-a", option=1)]),
        "restart elsewhere": (expired, [plans.act("restart", "mill")]),
        "roll back": (misset, [plans.act("rollback", "web")]),
        "more workers": (swamped, [plans.act("scale_horizontal", "mill", amount=8.0)]),
    }
    fewer = replace(laboratory, worlds=4)
    return dict(zip(scenarios, fewer.effects(list(scenarios.values())), strict=True))


def share(seen: Observables) -> float:
    """Return the bad share over all objectives, each alike."""
    return float((seen.bad.sum((0, 1)) / seen.offered.sum((0, 1))).mean())


def reading(seen: Observables, plans: Any, part: str, signal: str) -> torch.Tensor:
    """Return a signal of one part, worlds by ticks, without the first two ticks."""
    return seen.signals[:, 2:, town(plans, []).index(part), SIGNALS.index(signal)]


@pytest.mark.parametrize("name", sorted(SYMPTOMS))
def test_it_shows_where_an_engineer_would_look(observed: dict[str, Observables], plans: Any, name: str) -> None:
    """A fault changes what is read where it bites by more than its factor, compared with good health."""
    part, signal, factor, _ = SYMPTOMS[name]
    healthy, sick = (float(reading(observed[case], plans, part, signal).mean()) for case in ("none", name))
    assert sick > factor * healthy if factor > 1.0 else sick < factor * healthy


@pytest.mark.parametrize("name", sorted(SYMPTOMS))
def test_it_harms_users(observed: dict[str, Observables], name: str) -> None:
    """More attempts (or items past their deadline) are bad than in good health, where next to none are."""
    assert share(observed["none"]) < 0.01
    assert share(observed[name]) > share(observed["none"]) + 0.05


def test_every_kind_that_is_drawn_beside_the_classic_ones_is_tried_here() -> None:
    """No drawn kind of fault is without a test of its symptom."""
    assert set(hazards.EVERY) - set(hazards.CLASSIC) == set(SYMPTOMS)
    assert set(hazards.EVERY) == {kind.name for kind in FAULT_KINDS} - {"none", "harmless_deploy"}


def test_a_zone_takes_every_member_and_no_other(observed: dict[str, Observables], plans: Any) -> None:
    """What runs in the zone is away while it lasts, what runs in another is not."""
    down = observed["zone_down"]
    assert float(reading(down, plans, "api-a", "replicas_ready").max()) == 0.0
    assert float(reading(down, plans, "api-b", "replicas_ready").min()) == 2.0
    assert [fault.target for fault in struck_by(town(plans, [Breakage("zone_down", "west")]))] == ["api-b", "db"]


@pytest.mark.parametrize("case", ["back", "killed"])
def test_a_zone_comes_back_whole(observed: dict[str, Observables], plans: Any, case: str) -> None:
    """When the zone is back its replicas are; killing them meanwhile brings none back earlier."""
    ready = observed[case].signals[:, :, 1, SIGNALS.index("replicas_ready")]
    assert float(ready[:, 1:8].max()) == 0.0
    assert float(ready[:, -1].min()) == 2.0


def test_a_disk_is_slow_without_any_cpu(observed: dict[str, Observables], plans: Any) -> None:
    """Time goes up while the database's CPU does not, and waits show where it went."""
    cpu, wait = ("cpu_utilization", "lock_wait")
    healthy, sick = observed["none"], observed["slow_disk"]
    assert reading(sick, plans, "db", cpu).mean() < 1.1 * reading(healthy, plans, "db", cpu).mean()
    assert reading(sick, plans, "db", wait).mean() > 0.1


def test_faults_have_the_cures_that_they_should(effects: dict[str, float]) -> None:
    """Retries make up for lost connections, restarts load certificates, rollbacks take a wrong setting back."""
    assert effects["try again"] < -0.03
    assert effects["restart at home"] < -0.05
    assert effects["roll back"] < -0.05
    assert effects["more workers"] < -0.03


def test_a_restart_elsewhere_renews_nothing(effects: dict[str, float]) -> None:
    """A certificate is renewed by a restart of the entity that shows it alone."""
    assert abs(effects["restart elsewhere"]) < 0.02


def test_a_herd_is_away_before_it_comes(observed: dict[str, Observables], plans: Any) -> None:
    """Next to nobody arrives for half a minute, then far more than usual, then the usual again."""
    rate = observed["thundering_herd"].signals[:, :, 0, SIGNALS.index("request_rate")].mean(0)
    assert float(rate[:6].max()) < 10.0
    assert float(rate[6]) > 250.0
    assert float(rate[6]) > float(rate[9]) > float(rate[13])


def test_faults_of_calls_disturb_the_calls_they_mean(plans: Any) -> None:
    """An origin narrows a fault to its own calls; without one all callers of the target are meant."""
    some = Breakage("edge_delay", "db", "api-a", magnitude=0.2)
    every = Breakage("certificate_expired", "db", magnitude=0.5)
    worlds = assemble([town(plans, [some, every])])
    pushed = passages(worlds.faults, strength(worlds.faults, torch.ones(1, 2), 3), worlds.edges)
    assert pushed is not None
    assert pushed[Passage.DELAY, 0].tolist() == pytest.approx([0.0, 0.0, 0.2, 0.0, 0.0, 0.0])
    assert pushed[Passage.LOSS, 0].tolist() == pytest.approx([0.0, 0.0, 0.5, 0.5, 0.0, 0.0])
    healthy = assemble([town(plans, [])])
    assert passages(healthy.faults, strength(healthy.faults, torch.ones(1, 1), 3), healthy.edges) is None
