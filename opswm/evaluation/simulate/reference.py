"""What to hold the simulator's speed against: ciw on the same queues, and what the machine's memory can move."""

import importlib
import os
import time
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from opswm.evaluation.simulate.workloads import (
    TANDEM_RATE_RPS,
    TANDEM_SERVERS,
    TANDEM_SERVICE_S,
    TANDEM_STATIONS,
    Workload,
)

CIW_RUN_S: Final = 60.0
STREAM_BYTES: Final = 128 * 2**20
STREAM_RUNS: Final = 5


def ciw_entity_seconds_per_s(seconds: float, seed: int) -> tuple[float, int]:
    """Return station-seconds per second of ciw on the tandem in one process, and its runs; NaN where ciw is missing.

    Args:
        seconds: How long to measure, at least.
        seed: Of its first run.
    """
    try:
        ciw = importlib.import_module("ciw")
    except ModuleNotFoundError:
        return float("nan"), 0
    following = [[float(to == at + 1) for to in range(TANDEM_STATIONS)] for at in range(TANDEM_STATIONS)]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=TANDEM_RATE_RPS), *[None] * (TANDEM_STATIONS - 1)],
        service_distributions=[ciw.dists.Exponential(rate=1.0 / TANDEM_SERVICE_S) for _ in range(TANDEM_STATIONS)],
        number_of_servers=[TANDEM_SERVERS] * TANDEM_STATIONS,
        routing=following,
    )
    runs, began = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - began < seconds:
        ciw.seed(seed + runs)
        ciw.Simulation(network).simulate_until_max_time(CIW_RUN_S)
        runs += 1
    return runs * CIW_RUN_S * TANDEM_STATIONS / (time.perf_counter() - began), runs


def memory_bytes_per_s() -> float:
    """Return how much the machine's memory moves when two long vectors are added on all cores, best of some runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    try:
        one, other, total = (torch.ones(STREAM_BYTES // 4) for _ in range(3))
        took_s = []
        for _ in range(STREAM_RUNS):
            began = time.perf_counter()
            torch.add(one, other, out=total)
            took_s.append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return 3.0 * STREAM_BYTES / min(took_s)


@dataclass(frozen=True)
class Traffic:
    """What a simulated second asks of the machine.

    Attributes:
        bytes_per_entity_second: Operands read and results written by tensor operations.
        operations_per_second: Tensor operations in a second of a batch, whatever its size.
    """

    bytes_per_entity_second: float
    operations_per_second: float


def traffic(load: Workload) -> Traffic:
    """Return what a tick of a batch reads, writes and calls, views not counted.

    Args:
        load: The batch.
    """
    state = load.advance(load.start(), 1)
    seconds = load.parameters.step_s
    with torch.no_grad(), _Counting() as counting:
        load.advance(state, 1)
    moved, called = sum(counting.sizes), len(counting.sizes)
    return Traffic(moved / (load.entities * seconds), called / seconds)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not annotate it
    """Notes how many bytes each operation reads and writes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out one operation."""
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, Tensor)]
            self.sizes.append(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
        return found
