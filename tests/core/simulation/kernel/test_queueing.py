"""The many-server queue against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opswm.simulation.kernel import noise, queueing


def erlang_c(servers: int, utilization: float) -> float:
    """Return the exact chance to wait in M/M/c, by the recursion for Erlang's B."""
    load, blocked = servers * utilization, 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1.0 - utilization * (1.0 - blocked))


@pytest.mark.parametrize("servers", [1, 2, 4, 16, 64, 256])
@pytest.mark.parametrize("utilization", [0.5, 0.7, 0.9, 0.98])
def test_chance_to_wait_is_erlangs(servers: int, utilization: float) -> None:
    """The fitted exponent gives Erlang's C within three percent wherever waiting matters."""
    exact = erlang_c(servers, utilization)
    if exact < 0.01:
        pytest.skip("hardly anybody waits")
    exponent = queueing.erlang_exponent(torch.tensor([[float(servers)]]), torch.tensor([[1.0 - utilization]]))
    assert utilization ** float(exponent) == pytest.approx(exact, rel=0.035)


def mean_wait(servers: int, utilization: float, service_s: float, step_s: float, worlds: int, steps: int) -> float:
    """Return the simulated mean wait of M/M/c, in service times, over the second half of the steps."""
    capacity, arrivals = servers / service_s, utilization * servers / service_s
    seeds = noise.world_seeds(11, torch.arange(worlds), torch.zeros(worlds, dtype=torch.int64))
    keys = [noise.stream(seeds, 1, p) for p in (noise.Purpose.ARRIVAL, noise.Purpose.FLOW, noise.Purpose.BRIDGE)]
    one, backlog = torch.ones(worlds, 1), torch.zeros(worlds, 1)
    base = queueing.reference(one * utilization, one * servers, one)
    total, looked = 0.0, 0
    for tick in range(steps):
        came = noise.poisson(noise.uniform(noise.draw(keys[0], tick)), one * arrivals * step_s)
        z = noise.normal(noise.uniform(noise.draw(keys[1], tick)))
        could = one * capacity * step_s + math.sqrt(arrivals * step_s) * z
        exponential = -torch.log(noise.uniform(noise.draw(keys[2], tick)))
        backlog, _ = queueing.reflect(backlog, came, could, one * 2.0 * arrivals * step_s, exponential)
        if tick >= steps // 2:
            waits, _ = queueing.wait_s((backlog - base).clamp(min=0.0), one * capacity, one)
            total, looked = total + float(waits.mean()), looked + 1
    return total / looked / service_s


@pytest.mark.parametrize(("servers", "utilization"), [(1, 0.5), (1, 0.8), (4, 0.5), (4, 0.8), (16, 0.8)])
@pytest.mark.parametrize("service_s", [0.02, 0.2])
def test_mean_wait_is_that_of_mmc(servers: int, utilization: float, service_s: float) -> None:
    """Services far shorter than a step and as long as one wait as long as M/M/c says, within 5 % or 0.01 services."""
    exact = erlang_c(servers, utilization) / (servers * (1.0 - utilization))
    found = mean_wait(servers, utilization, service_s, step_s=0.25, worlds=3000, steps=400)
    assert found == pytest.approx(exact, rel=0.05, abs=0.01)


def test_more_variable_service_waits_longer() -> None:
    """The occupancy above which requests wait grows in proportion to the variability (Allen and Cunneen)."""
    one = torch.ones(3, 2)
    usual = queueing.reference(one * 0.7, one * 3.0, one)
    assert torch.allclose(queueing.reference(one * 0.7, one * 3.0, one * 2.5), 2.5 * usual)


@given(
    backlog=st.floats(0.0, 500.0),
    admitted=st.floats(0.0, 80.0),
    capacity=st.floats(-5.0, 80.0),
    exponential=st.floats(0.0, 15.0),
)
def test_nothing_is_lost_or_made(backlog: float, admitted: float, capacity: float, exponential: float) -> None:
    """What was there and came in is either still there or was served, and the occupancy never falls below zero."""
    as_field = [torch.tensor([[value]]) for value in (backlog, admitted, capacity, 2.0 * admitted + 0.1, exponential)]
    ahead, served = queueing.reflect(*as_field)
    assert float(ahead) >= 0.0
    assert float(ahead + served) == pytest.approx(backlog + admitted, abs=1e-3)


@given(backlog=st.floats(0.0, 300.0), more=st.floats(0.0, 50.0), capacity=st.floats(0.0, 60.0))
def test_a_longer_line_stays_at_least_as_long(backlog: float, more: float, capacity: float) -> None:
    """With the same noise, more work at the start never means less work at the end."""
    start = torch.tensor([[backlog, backlog + more]])
    other = [torch.tensor([[value, value]]) for value in (30.0, capacity, 60.0, 0.7)]
    ahead, _ = queueing.reflect(start, *other)
    assert ahead[0, 0] <= ahead[0, 1] + 1e-3
