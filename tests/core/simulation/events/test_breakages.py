"""Every kind of fault shows where it strikes, with the shape and from the moment it says."""

from typing import Any

import pytest

from opswm.simulation.events.breakages import Fault
from opswm.simulation.events.fault_kinds import KINDS
from opswm.simulation.events.scenarios import system
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part

SYMPTOMS: dict[str, tuple[str, str, float, Breakage]] = {
    "slow_version": ("web", "cpu_utilization", 1.4, Breakage("slow_version", "web", magnitude=0.6)),
    "erroring_version": ("web", "error_ratio", 20.0, Breakage("erroring_version", "web", magnitude=0.2)),
    "memory_leak": ("web", "memory_ratio", 1.1, Breakage("memory_leak", "web", magnitude=0.004)),
    "replica_down": ("web", "replicas_ready", 0.6, Breakage("replica_down", "web", onset_s=1.0, magnitude=1.0)),
    "gray_replica": ("web", "error_ratio", 20.0, Breakage("gray_replica", "web", onset_s=1.0, magnitude=1.0)),
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
    "zone_down": ("db", "replicas_ready", 0.5, Breakage("zone_down", "east", onset_s=5.0, magnitude=1.0)),
    "slow_disk": ("db", "latency_p50", 1.5, Breakage("slow_disk", "db", magnitude=1.5)),
    "queue_backlog": ("inbox", "consumer_lag", 20.0, Breakage("queue_backlog", "inbox", onset_s=1.0, magnitude=4000.0)),
    "poison_message": ("worker", "cpu_utilization", 1.5, Breakage("poison_message", "worker", magnitude=0.8)),
    "edge_delay": ("web", "latency_p50", 1.5, Breakage("edge_delay", "cache", "web", magnitude=0.2)),
    "edge_loss": ("web", "error_ratio", 20.0, Breakage("edge_loss", "cache", magnitude=0.3)),
    "certificate_expired": ("web", "error_ratio", 20.0, Breakage("certificate_expired", "cache", magnitude=1.0)),
    "bad_config": ("web", "error_ratio", 20.0, Breakage("bad_config", "web", magnitude=0.3)),
    "thundering_herd": (
        "web", "request_rate", 1.3,
        Breakage("thundering_herd", "web", shape="REBOUND", onset_s=0.0, ramp_s=5.0, magnitude=1.0),
    ),
}  # fmt: skip


def everything(breakages: tuple[Breakage, ...] = ()) -> Blueprint:
    """Return a small system with a part of every kind that a fault can strike."""
    parts = [
        Part("web", "service", cpu_s=0.01, cores=1.0, replicas=2.0, slots=60.0, host="host"),
        Part("cache", "cache", cpu_s=0.0005, cores=2.0, replicas=1.0, slots=200.0, hit_max=0.8),
        Part("db", "database", cpu_s=0.01, io_s=0.02, cores=4.0, replicas=1.0, pool_size=30.0, zone="east"),
        Part("mail", "external", cpu_s=0.0001, io_s=0.05, cores=99.0, replicas=1.0, slots=99.0),
        Part("inbox", "queue", consumer="worker"),
        Part("worker", "worker", cpu_s=0.02, cores=1.0, replicas=1.0, slots=4.0),
        Part("host", "host", host_cores=4.0, replicas=1.0),
        Part("east", "zone"),
    ]
    links = [
        Link("web", "cache", retries=0.0),
        Link("cache", "db", on_miss=1.0, retries=0.0),
        Link("web", "mail", calls=0.3, required=0.1, retries=0.0),
        Link("web", "inbox", "publishes", synchronous=0.0, calls=0.2),
    ]
    return system(parts, links, 40.0, 0.4, breakages)


@pytest.fixture(scope="module")
def healthy(lab: Any) -> Any:
    """Twenty seconds of good health."""
    return lab.started(everything()).run(4)


@pytest.mark.parametrize("name", sorted(SYMPTOMS))
def test_each_kind_of_fault_shows_its_symptom(lab: Any, healthy: Any, name: str) -> None:
    """A fault changes what is read where it bites by more than its factor, compared with good health."""
    where, signal, factor, breakage = SYMPTOMS[name]
    blueprint = everything((breakage,))
    sick = lab.started(blueprint).run(4)
    before, after = (float(lab.reading(seen, blueprint, where, signal)[1:].mean()) for seen in (healthy, sick))
    assert after > factor * before if factor > 1.0 else after < factor * before
    if signal != "version_age":
        assert after != before


def test_every_kind_of_fault_is_tried_here() -> None:
    """No kind of fault is without a symptom."""
    assert {"none", *SYMPTOMS} == set(KINDS)


def test_a_harmless_deployment_harms_nobody(lab: Any, healthy: Any) -> None:
    """A red herring changes no attempt."""
    seen = lab.started(everything((SYMPTOMS["harmless_deploy"][3],))).run(4)
    assert (seen.bad == healthy.bad).all()


def test_memory_that_runs_out_takes_replicas_down_one_by_one(lab: Any) -> None:
    """A leak ends in crashes, not all in one second: restarts are counted, and replicas are missing for a while."""
    blueprint = everything((Breakage("memory_leak", "web", magnitude=0.05),))
    seen = lab.started(blueprint).run(5)
    restarts = lab.reading(seen, blueprint, "web", "restart_rate") * 5.0
    assert restarts.sum() == pytest.approx(2.0)
    assert lab.reading(seen, blueprint, "web", "replicas_ready").min() < 2


def test_a_zone_comes_back_when_the_fault_is_over(lab: Any) -> None:
    """What a fault holds down is back, cold, when the fault ends."""
    blueprint = everything((Breakage("zone_down", "east", onset_s=5.0, duration_s=5.0, magnitude=1.0),))
    ready = lab.reading(lab.started(blueprint).run(4), blueprint, "db", "replicas_ready")
    assert ready.tolist() == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("shape", "seconds", "sizes"),
    [
        ("STEP", (9, 10, 109, 110), (0.0, 2.0, 2.0, 0.0)),
        ("RAMP", (10, 20, 30, 100), (0.0, 1.0, 2.0, 1.0)),
        ("INTERMITTENT", (10, 29, 30, 49, 50), (2.0, 2.0, 0.0, 0.0, 2.0)),
        ("DECAY", (10, 30), (2.0, 2.0 / 2.718282)),
        ("REBOUND", (10, 30, 50), (-4.0, 2.0, 2.0 / 2.718282)),
    ],
)
def test_onset_shapes(shape: str, seconds: tuple[int, ...], sizes: tuple[float, ...]) -> None:
    """Steps are full at once, ramps rise and fall, intermittent faults blink, decaying ones fade, crowds come back."""
    breakage = Breakage("demand_surge", "web", shape=shape, onset_s=10.0, ramp_s=20.0, duration_s=100.0, magnitude=2.0)
    fault = Fault(breakage, "web")
    assert [fault.strength(second) for second in seconds] == pytest.approx(sizes)
