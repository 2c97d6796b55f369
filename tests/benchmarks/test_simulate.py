"""Timing of the simulator for pytest-benchmark; ``opswm bench simulate`` measures what is published."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from opswm.evaluation.simulate.workloads import Name, workload

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "worlds"), [("random", 64), ("random", 1024), ("web_shop", 1024)])
def test_a_tick(benchmark: Callable[..., Any], name: Name, worlds: int) -> None:
    """One telemetry tick of a batch with all mechanics on moves it on by one tick."""
    load = workload(name, worlds, 50, 0)
    with torch.inference_mode():
        state = load.advance(load.start(), 1)
        after = benchmark(load.advance, state, 1)
    assert after.second == state.second + load.parameters.step_s
