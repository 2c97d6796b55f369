"""Laws that hold in every queueing system, on random ones: nothing is lost, more room helps, and Little's law."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state
from opswm.simulation.kernel.topologies import random_blueprint
from tests.core.simulation.validation.kernel_runs import COLUMN, server, system

_RATES = ("request_rate", "throughput", "shed_rate")


def seeds_of(worlds: int) -> torch.Tensor:
    """Return the same seeds for as many worlds, whatever runs in them."""
    return noise.world_seeds(3, torch.arange(worlds), torch.zeros(worlds, dtype=torch.int64))


def random_systems(seed: int, count: int) -> list[Blueprint]:
    """Return some random systems."""
    rng = np.random.default_rng(seed)
    return [random_blueprint(rng, size=int(rng.integers(4, 16))) for _ in range(count)]


def steady(blueprint: Blueprint) -> Blueprint:
    """Return the same system under a demand that does not drift: a flash crowd is still there when the time is over."""
    calm = [
        replace(inlet, profile=(), burst_amplitude=0.0, jitter=0.0, diurnal_amplitude=0.0) for inlet in blueprint.inlets
    ]
    return replace(blueprint, inlets=tuple(calm))


@settings(max_examples=2, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_what_comes_in_is_accounted_for(seed: int) -> None:
    """At every entity of random systems, arrivals are served, refused, dropped or still there, to the last request."""
    parameters = assemble(random_systems(seed, 4))
    start, _ = simulate(parameters, initial_state(parameters), empty_tape(4), 6, seeds_of(4))
    end, seen = simulate(parameters, start, empty_tape(4), 12, seeds_of(4))
    came, served, lost = (seen.signals[..., COLUMN[name]].sum(1) * parameters.step_s for name in _RATES)
    left = (end.flow.backlog + end.flow.owed) - (start.flow.backlog + start.flow.owed)
    assert torch.allclose(came, served + lost + left, rtol=1e-3, atol=1.0)
    assert bool((served >= 0.0).all())
    assert bool((lost >= 0.0).all())


@settings(max_examples=2, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_failures_are_a_share_of_what_came_in(seed: int) -> None:
    """At every entity of random systems, failed requests are no fewer than those refused and no more than came."""
    parameters = assemble(random_systems(seed, 4))
    _, seen = simulate(parameters, initial_state(parameters), empty_tape(4), 18, seeds_of(4))
    came, lost = (seen.signals[:, 6:, :, COLUMN[name]].sum(1) for name in ("request_rate", "shed_rate"))
    ratio, rate = (seen.signals[:, 6:, :, COLUMN[name]] for name in ("error_ratio", "request_rate"))
    failed = (ratio * rate).sum(1)
    assert bool((ratio <= 1.0 + 1e-5).all())
    assert bool((failed >= lost * 0.99 - 0.5).all())
    assert bool((failed <= came + 1e-3).all())


@settings(max_examples=2, derandomize=True)
@given(
    servers=st.integers(1, 12),
    utilization=st.floats(0.3, 1.3),
    service_s=st.floats(0.005, 0.1),
    more=st.floats(1.05, 2.0),
)
def test_more_room_or_less_load_never_waits_longer(
    servers: int, utilization: float, service_s: float, more: float
) -> None:
    """With the same noise, faster servers, more servers and fewer arrivals each mean no more requests waiting."""
    rate_rps = utilization * servers / service_s
    plans = [
        system([server("queue", servers, service_s)], rate_rps),
        system([server("queue", servers, service_s / more)], rate_rps),
        system([server("queue", servers * more, service_s)], rate_rps),
        system([server("queue", servers, service_s)], rate_rps / more),
    ]
    worlds = 40
    parameters = take_rows(assemble(plans), torch.arange(4).repeat_interleave(worlds))
    seeds = seeds_of(worlds).repeat(4)
    _, seen = simulate(parameters, initial_state(parameters), empty_tape(4 * worlds), 15, seeds)
    waiting = seen.signals[:, 5:, 0, COLUMN["queue_depth"]].reshape(4, worlds, -1).mean((1, 2))
    assert bool((waiting[1:] <= waiting[0] * 1.01 + 0.01).all())


@settings(max_examples=2, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_littles_law_holds_at_every_entity(seed: int) -> None:
    """At every busy entity of random systems under steady load, requests present are admitted rate times time spent."""
    systems = [steady(blueprint) for blueprint in random_systems(seed, 5)]
    worlds = 6
    parameters = take_rows(assemble(systems), torch.arange(5).repeat_interleave(worlds))
    seeds = seeds_of(5 * worlds)
    state, _ = simulate(parameters, initial_state(parameters), empty_tape(5 * worlds), 10, seeds)
    _, seen = simulate(parameters, state, empty_tape(5 * worlds), 12, seeds)

    present, came, lost, spent_s = (
        seen.signals[..., COLUMN[name]] for name in ("in_flight", "request_rate", "shed_rate", "latency_mean")
    )
    admitted = (came - lost).clamp(min=0.0)
    expected = (admitted * spent_s).mean(1).view(5, worlds, -1)
    apart = present.mean(1).view(5, worlds, -1) - expected
    busy = admitted.mean(1).view(5, worlds, -1).mean(1) > 5.0
    error = apart.std(1) / worlds**0.5  # in-flight requests are read at the end of a tick, which is a sample
    assert float((apart.mean(1).abs() / (0.1 * expected.mean(1) + 0.1 + 4.0 * error) * busy).max()) < 1.0
