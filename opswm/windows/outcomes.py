"""Bad share per tick from telemetry that was really seen, for systems whose truth nobody simulates.

A request objective counts errors, and attempts slower than its threshold by interpolating the latency quantiles
that are measured; a gauge objective is bad while its channel is beyond its threshold. Telemetry counts attempts,
not first attempts, so this is an estimate of the SLO cost that the benchmark defines.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.windows.layout import Layout
from opswm_schemas.descriptor import Objective, SystemDescriptor
from opswm_schemas.vocabulary import MEANING_INDEX

_QUANTILES: Final = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
_TAIL_INDEX: Final = 2.0
"""Pareto index of the latency tail where one quantile alone is measured (a finite mean, an infinite variance)."""


def observed_bad_share(
    descriptor: SystemDescriptor,
    layout: Layout,
    objectives: Sequence[Objective],
    value: NDArray[np.float64],
    seen: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the bad share per tick and objective, and where it could be told.

    Args:
        descriptor: The system.
        layout: Its layout.
        objectives: Those to judge by; ``deadline`` ones cannot be told from channels.
        value: Canonical values ``[T, num_channels]``.
        seen: Which readings are there.

    Returns:
        ``[T, O]`` in [0, 1], and ``[T, O]`` true where known.
    """
    bad = np.zeros((value.shape[0], len(objectives)))
    known = np.zeros(bad.shape, dtype=np.bool_)
    for index, objective in enumerate(objectives):
        if objective.kind == "gauge":
            column = [channel.channel_id for channel in descriptor.channels].index(str(objective.channel_id))
            beyond = np.sign(value[:, column] - float(objective.threshold or 0.0))
            bad[:, index] = beyond == (1.0 if objective.bad_when == "above" else -1.0)
            known[:, index] = seen[:, column]
        elif objective.kind == "request":
            columns = layout.channels_at(layout.entity[objective.entity_id])
            meaning = layout.channel_meaning[columns]
            bad[:, index], known[:, index] = _bad_requests(objective, value[:, columns], seen[:, columns], meaning)
    return np.where(known, bad, 0.0), known


def share_slower(levels: NDArray[np.float64], latencies_s: NDArray[np.float64], threshold_s: float) -> float:
    """Return the share of attempts slower than a threshold, given some quantiles of their latency.

    Between two quantiles the share is interpolated over log latency; below the lowest it is linear from the
    origin; above the highest the tail goes on as a power law (through the last two quantiles where there are two).

    Args:
        levels: Increasing, each in (0, 1); at least one.
        latencies_s: Latency at each level, seconds; put in order if noise broke it.
        threshold_s: More than 0.
    """
    latency = np.maximum.accumulate(np.maximum(latencies_s, 1e-9))
    slower = 1.0 - levels
    if threshold_s <= latency[0]:
        return float(1.0 - levels[0] * threshold_s / latency[0])
    if threshold_s <= latency[-1]:
        return float(np.interp(np.log(threshold_s), np.log(latency), slower))
    index = _TAIL_INDEX
    if latency.size > 1 and latency[-1] > latency[-2]:
        index = float(np.log(slower[-2] / slower[-1]) / np.log(latency[-1] / latency[-2]))
    return float(slower[-1] * (latency[-1] / threshold_s) ** index)


def _bad_requests(
    objective: Objective, value: NDArray[np.float64], seen: NDArray[np.bool_], meaning: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    failed, failed_known = _column(value, seen, meaning, "error_ratio")
    if objective.latency_threshold_s is None:
        return np.clip(failed, 0.0, 1.0), failed_known
    quantiles = {name: _column(value, seen, meaning, name) for name in _QUANTILES}
    bad, known = np.zeros(value.shape[0]), np.zeros(value.shape[0], dtype=np.bool_)
    for tick in range(value.shape[0]):
        there = [name for name, (_, ok) in quantiles.items() if ok[tick]]
        if not there:
            bad[tick], known[tick] = failed[tick], failed_known[tick]
            continue
        levels = np.array([_QUANTILES[name] for name in there])
        latencies = np.array([quantiles[name][0][tick] for name in there])
        slow = share_slower(levels, latencies, objective.latency_threshold_s)
        bad[tick], known[tick] = failed[tick] + (1.0 - failed[tick]) * slow, True
    return np.clip(bad, 0.0, 1.0), known


def _column(
    value: NDArray[np.float64], seen: NDArray[np.bool_], meaning: NDArray[np.int64], name: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean over the seen channels of one meaning, and where there is any."""
    columns = np.flatnonzero(meaning == MEANING_INDEX[name])
    count = seen[:, columns].sum(axis=1)
    total = np.where(seen[:, columns], value[:, columns], 0.0).sum(axis=1)
    return total / np.maximum(count, 1), count > 0
