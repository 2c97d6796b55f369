"""A mechanistic ranker: capacity from cores, CPU contention and memory, learned through censored throughput.

A job whose latency left the flat part is saturated, so its throughput *is* its capacity; any other job shows
only that its capacity is at least its throughput. That makes a censored (Tobit) regression of

    log capacity = c_workload + b_cores log(cores) + b_contention log(cores per slot) + b_memory (1 - 1 GiB / memory)

with coefficients that a workload shares with all others up to a deviation of its own; a workload never seen
gets the shared part. Demand is the same for concurrent twins, so both outcomes fall as capacity grows and the
order of capacities is the predicted order of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from opswm.errors import BadInputError
from opswm.evaluation.demeter.pairs import OutcomeName
from opswm.evaluation.demeter.twins import FlinkConfiguration, Twin, TwinQuestion

SATURATED_ABOVE_S: Final = 1.5
"""Unsaturated jobs of both workloads answer within 1.0 to 1.3 s (their windows); beyond this a queue has formed."""
_LEVEL: Final = 8.8
"""Centre of the prior of the intercept: log of some 6,600 records per second and core."""


def features(configuration: FlinkConfiguration) -> NDArray[np.float64]:
    """Return what capacity depends on: log cores, log cores per slot, and a share of memory that overheads leave.

    The memory term is concave because a TaskManager spends a fixed amount, near half a GiB, before any
    task (metaspace, JVM overhead, framework and network memory; Flink 1.17 memory model).
    """
    share = 1.0 - 1024.0 / configuration.memory_mib
    return np.array([np.log(configuration.cores), np.log(configuration.cores_per_slot), share])


@dataclass(frozen=True)
class _Rows:
    features: Float[Tensor, "row feature"]
    workload: Int[Tensor, "row"]
    log_throughput: Float[Tensor, "row"]
    saturated: Bool[Tensor, "row"]


@dataclass(frozen=True)
class CensoredCapacity:
    """Hierarchical censored regression of log capacity, fitted by penalised maximum likelihood.

    Attributes:
        cores_sd: Prior spread of the exponent of cores around 1 (twice the cores, twice the work).
        other_sd: Prior spread around 0 of the other shared coefficients, and of each workload's deviations.
    """

    name: str = "capacity_regression"
    cores_sd: float = 0.15
    other_sd: float = 0.3

    def fit(self, twins: Sequence[Twin], seed: int) -> "FittedCapacity":
        """Learn from twins of other runs; the optimum does not depend on ``seed``.

        Raises:
            BadInputError: When none of the twins is saturated, which leaves capacity without an upper limit.
        """
        workloads = sorted({twin.question.workload for twin in twins})
        rows = _rows(twins, workloads)
        if not bool(rows.saturated.any()):
            raise BadInputError(
                f"none of {len(twins)} twins is slower than {SATURATED_ABOVE_S} s, so nothing shows where capacity "
                "ends: train on runs with overloaded twins too"
            )
        shared, deviation = self._maximise(rows, len(workloads))
        by_workload = {name: (shared + deviation[index]).numpy() for index, name in enumerate(workloads)}
        return FittedCapacity(shared.numpy(), by_workload)

    def _maximise(self, rows: _Rows, num_workloads: int) -> tuple[Tensor, Tensor]:
        num_features = rows.features.shape[1]
        spread = torch.full((num_features,), self.other_sd, dtype=torch.float64)
        spread[0] = self.cores_sd
        centre = torch.zeros(num_features, dtype=torch.float64)
        centre[0] = 1.0
        shared = centre.clone().requires_grad_()
        deviation = torch.zeros(num_workloads, num_features, dtype=torch.float64, requires_grad=True)
        level = torch.full((num_workloads,), _LEVEL, dtype=torch.float64, requires_grad=True)
        log_noise = torch.tensor(np.log(0.3), dtype=torch.float64, requires_grad=True)
        unknowns = [shared, deviation, level, log_noise]
        solver = torch.optim.LBFGS(unknowns, max_iter=500, tolerance_change=1e-12, line_search_fn="strong_wolfe")

        def penalised_loss() -> Tensor:
            solver.zero_grad()
            coefficients = shared + deviation[rows.workload]
            capacity = (coefficients * rows.features).sum(1) + level[rows.workload]
            score = (rows.log_throughput - capacity) / log_noise.exp()
            seen = -0.5 * score.square() - log_noise
            at_least = torch.special.log_ndtr(-score)
            penalty = (
                ((shared - centre) / spread).square().sum()
                + (deviation / spread).square().sum()
                + (level - _LEVEL).square().sum()
            )
            loss = -torch.where(rows.saturated, seen, at_least).sum() + 0.5 * penalty
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(penalised_loss)  # type: ignore[no-untyped-call]
        return shared.detach(), deviation.detach()


@dataclass(frozen=True)
class FittedCapacity:
    """Coefficients of log capacity, in the order of :func:`features`.

    Attributes:
        shared: For a workload never seen.
        by_workload: For each workload that was.
    """

    shared: NDArray[np.float64]
    by_workload: dict[str, NDArray[np.float64]]

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        """Return minus the log capacity, up to a constant of the workload; the same for both outcomes."""
        return np.array(
            [
                -float(np.dot(self.by_workload.get(question.workload, self.shared), features(question.configuration)))
                for question in questions
            ],
            dtype=np.float64,
        )


def _rows(twins: Sequence[Twin], workloads: Sequence[str]) -> _Rows:
    """Stack the twins that ran through; one without a recovery measurement has probably crashed."""
    kept = [twin for twin in twins if twin.outcome.recovery_s is not None]
    return _Rows(
        torch.from_numpy(np.array([features(twin.question.configuration) for twin in kept]).reshape(len(kept), -1)),
        torch.tensor([workloads.index(twin.question.workload) for twin in kept], dtype=torch.int64),
        torch.tensor([np.log(twin.outcome.throughput_records_per_s) for twin in kept], dtype=torch.float64),
        torch.tensor([twin.outcome.latency_s > SATURATED_ABOVE_S for twin in kept], dtype=torch.bool),
    )
