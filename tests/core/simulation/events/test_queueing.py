"""One service alone is the queue of the textbooks."""

import math
from typing import Any

import numpy as np
import pytest

from opswm.simulation.events.scenarios import system
from opswm.simulation.events.world import World
from opswm.simulation.kernel.blueprint import Blueprint, Part


def many_servers(servers: int, load: float, service_s: float = 0.1, **part: float) -> Blueprint:
    """Return an M/M/c queue with as many slots as cores."""
    sizes = {"slots": servers, "cores": servers, "replicas": 1, "queue_limit": 1e6, "error_ratio": 0.0} | part
    return system([Part("web", "service", cpu_s=service_s, **sizes)], (), load * servers / service_s, 1e3)  # type: ignore[arg-type]


def erlang_wait_s(servers: int, load: float, service_s: float = 0.1) -> float:
    """Return the mean wait in M/M/c (Erlang's C formula over the spare capacity)."""
    offered, blocked = load * servers, 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    waits = blocked / (1.0 - load * (1.0 - blocked))
    return waits * service_s / (servers * (1.0 - load))


@pytest.mark.parametrize(("servers", "load", "runs", "seconds"), [(1, 0.5, 6, 600), (4, 0.8, 6, 250)])
def test_waits_are_those_of_erlang(lab: Any, servers: int, load: float, runs: int, seconds: int) -> None:
    """Mean waits of independent runs enclose the closed form within four of their standard errors, which are small."""
    blueprint, waits = many_servers(servers, load), []
    for seed in range(runs):
        world = World(blueprint, seed)
        world.run(8, record=False)
        seen = world.run(seconds // 5)
        rate, mean = (lab.reading(seen, blueprint, "web", name) for name in ("throughput", "latency_mean"))
        waits.append(float((rate * mean).sum() / rate.sum()) - 0.1)
    exact, error = erlang_wait_s(servers, load), float(np.std(waits, ddof=1)) / math.sqrt(runs)
    assert error < 0.12 * exact
    assert abs(float(np.mean(waits)) - exact) < 4.0 * error


def test_a_full_queue_loses_what_the_closed_form_says(lab: Any) -> None:
    """One server and one place to wait at full load lose a third of what comes (M/M/1/2)."""
    blueprint = many_servers(1, 1.0, service_s=0.02, queue_limit=1.0)
    seen = World(blueprint, 3).run(80)
    lost = (
        lab.reading(seen, blueprint, "web", "shed_rate").sum()
        / lab.reading(seen, blueprint, "web", "request_rate").sum()
    )
    assert lost == pytest.approx(1.0 / 3.0, abs=0.015)


def test_waiting_for_a_core_is_waiting_all_the_same(lab: Any) -> None:
    """A service with more slots than cores makes requests wait inside, for as long as they would outside."""
    blueprint = many_servers(2, 0.8, slots=500.0)
    means = []
    for seed in range(4):
        seen = World(blueprint, seed).run(100)
        rate, mean = (lab.reading(seen, blueprint, "web", name) for name in ("throughput", "latency_mean"))
        means.append(float((rate * mean).sum() / rate.sum()) - 0.1)
    assert np.mean(means) == pytest.approx(erlang_wait_s(2, 0.8), rel=0.2)


def test_the_patience_of_those_who_wait_bounds_the_wait(lab: Any) -> None:
    """In an overload with patience nobody is served who waited longer, and as many are refused as do not fit."""
    blueprint = many_servers(2, 1.5, service_s=0.02, patience_s=0.5, scv=0.0)
    seen = World(blueprint, 1).run(20)
    assert lab.reading(seen, blueprint, "web", "latency_p99").max() <= 0.5 + 0.02 + 1e-6
    refused = lab.reading(seen, blueprint, "web", "shed_rate")[2:].mean()
    assert refused == pytest.approx(50.0, rel=0.2)
