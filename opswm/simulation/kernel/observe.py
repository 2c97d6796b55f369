"""From exact signals to what a monitoring system would have stored: noise, failed scrapes, nothing to read."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.signals import SIGNALS

RELATIVE: Final[dict[str, float]] = {
    "request_rate": 0.01, "latency_mean": 0.03, "latency_p50": 0.03, "latency_p95": 0.06, "latency_p99": 0.1,
    "queue_depth": 0.05, "in_flight": 0.1, "pool_in_use": 0.08, "consumer_lag": 0.02, "lock_wait": 0.1,
    "throughput": 0.01, "retry_rate": 0.03, "shed_rate": 0.02, "timeout_rate": 0.03,
}  # fmt: skip
"""Standard deviation of the log of a reading."""

ABSOLUTE: Final[dict[str, float]] = {"cpu_utilization": 0.012, "memory_ratio": 0.006, "cache_hit_ratio": 0.008}
"""Standard deviation of a reading."""

SAMPLED: Final[dict[str, float]] = {"latency_mean": 1.0, "latency_p50": 1.2, "latency_p95": 2.5, "latency_p99": 5.0}
"""Further relative variance of a quantile, over the number of requests it is taken from."""

OUTSIDE: Final = frozenset({"replicas_ready", "replicas_desired", "restart_rate", "consumer_lag", "version_age"})
"""Signals that the platform reports, which an entity without a replica still has."""

GAP_TICKS: Final = 6
WORLDS_AT_ONCE: Final = 32
"""What a reading goes through on its way takes several times the memory of the readings."""

_GAPS: Final = 1 << 24  # far from any tick, so that gaps and single failures do not share draws
_UNIT_INTERVAL: Final = frozenset(
    {"cpu_utilization", "memory_ratio", "cache_hit_ratio", "error_ratio", "breaker_open_ratio"}
)


def measured(blueprints: Sequence[Blueprint], num_entities: int) -> Bool[Tensor, "W N C"]:
    """Return which signals each system has a channel for."""
    column = {name: index for index, name in enumerate(SIGNALS)}
    there = np.zeros((len(blueprints), num_entities, len(SIGNALS)), dtype=np.bool_)
    for row, blueprint in enumerate(blueprints):
        parts = [blueprint.index(sensor.part) for sensor in blueprint.sensors]
        there[row, parts, [column[sensor.signal] for sensor in blueprint.sensors]] = True
    return torch.from_numpy(there)


def observe(
    signals: Float[Tensor, "W T N C"],
    there: Bool[Tensor, "W N C"],
    missing_ratio: Float[Tensor, " W"],
    seeds: Int[Tensor, " W"],
    first_tick: int,
    step_s: int,
    noise_scale: Float[Tensor, " W"] | None = None,
    gap_ratio: Float[Tensor, " W"] | None = None,
) -> tuple[Float[Tensor, "W T N C"], Bool[Tensor, "W T N C"]]:
    """Return readings in canonical units and which of them were stored; what was not is 0.

    Args:
        signals: Exact signals.
        there: Channels that exist.
        missing_ratio: Chance that a scrape fails.
        seeds: One per world and exogenous future.
        first_tick: Number of the first tick, which keys the noise.
        step_s: Length of a tick.
        noise_scale: How noisy monitoring is, as a multiple of what is usual.
        gap_ratio: Chance that all scrapes of a part fail for ``GAP_TICKS`` on end.
    """
    value, seen = torch.empty_like(signals), torch.empty_like(signals, dtype=torch.bool)
    for first in range(0, len(signals), WORLDS_AT_ONCE):
        some = slice(first, first + WORLDS_AT_ONCE)
        value[some], seen[some] = _observe(
            signals[some],
            there[some],
            missing_ratio[some],
            seeds[some],
            first_tick,
            step_s,
            None if noise_scale is None else noise_scale[some],
            None if gap_ratio is None else gap_ratio[some],
        )
    return value, seen


def _observe(
    signals: Float[Tensor, "W T N C"],
    there: Bool[Tensor, "W N C"],
    missing_ratio: Float[Tensor, " W"],
    seeds: Int[Tensor, " W"],
    first_tick: int,
    step_s: int,
    noise_scale: Float[Tensor, " W"] | None,
    gap_ratio: Float[Tensor, " W"] | None,
) -> tuple[Float[Tensor, "W T N C"], Bool[Tensor, "W T N C"]]:
    """Return what :func:`observe` returns, of few worlds."""
    _, ticks, entities, count = signals.shape
    column = {name: index for index, name in enumerate(SIGNALS)}
    measurement = noise.stream(seeds, entities * count, noise.Purpose.MEASUREMENT)
    missing = noise.stream(seeds, entities, noise.Purpose.MISSING)
    counters = torch.arange(first_tick, first_tick + ticks, dtype=torch.int32, device=signals.device)[None, :, None]
    z = noise.normal(noise.uniform(noise.draw(measurement[:, None], counters))).view(signals.shape)
    scraped = noise.uniform(noise.draw(missing[:, None], counters)) >= missing_ratio[:, None, None]
    if noise_scale is not None:
        z = z * noise_scale[:, None, None, None]
    if gap_ratio is not None:
        stretches = torch.div(counters, GAP_TICKS, rounding_mode="floor") + _GAPS
        scraped &= noise.uniform(noise.draw(missing[:, None], stretches)) >= gap_ratio[:, None, None]

    requests = (signals[..., column["request_rate"]] * step_s).clamp(min=0.0)
    relative = torch.tensor([RELATIVE.get(name, 0.0) for name in SIGNALS], device=signals.device)
    absolute = torch.tensor([ABSOLUTE.get(name, 0.0) for name in SIGNALS], device=signals.device)
    sampled = torch.tensor([SAMPLED.get(name, 0.0) for name in SIGNALS], device=signals.device)
    spread = torch.sqrt(relative**2 + sampled / requests.clamp(min=1.0)[..., None]).clamp(max=0.5)
    value = signals * torch.exp(spread * z) + absolute * z
    errors = signals[..., column["error_ratio"]]
    counting = torch.sqrt(errors * (1.0 - errors) / requests.clamp(min=1.0)) * z[..., column["error_ratio"]]
    value[..., column["error_ratio"]] = errors + counting
    highest = torch.tensor([1.0 if name in _UNIT_INTERVAL else float("inf") for name in SIGNALS], device=signals.device)
    value = torch.minimum(value.clamp(min=0.0), highest)

    inside = torch.tensor([name not in OUTSIDE for name in SIGNALS], device=signals.device)
    needs_traffic = torch.tensor([name.startswith("latency") for name in SIGNALS], device=signals.device)
    shows_replicas = there[..., column["replicas_ready"]][:, None]
    down = (signals[..., column["replicas_ready"]] < 0.5) & shows_replicas
    seen = there[:, None] & scraped[..., None]
    seen = seen & ~(down[..., None] & inside) & ~((requests < 1.0)[..., None] & needs_traffic)
    return torch.where(seen, value, torch.zeros_like(value)), seen
