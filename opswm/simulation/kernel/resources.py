"""Slow resources and protections: memory, cache contents, connection leaks, circuit breakers."""

from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.faults import Drive
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.scalars import scalar
from opswm.simulation.kernel.state import Flow, Resources, Settings

WARMING_S: Final = 40.0
MEMORY_LIMIT: Final = 1.05
BUSY_CALLS_RPS: Final = 0.5


def advance_resources(
    parameters: WorldParameters, resources: Resources, flow: Flow, settings: Settings, drives: Float[Tensor, "D W N"]
) -> Resources:
    """Return the resources one second later.

    A cache fills in proportion to what it still lacks, faster while it is being warmed on purpose; memory grows by
    what leaks; a leaking pool loses connections until two are left.

    Args:
        parameters: The worlds.
        resources: Before.
        flow: Load, which fills caches.
        settings: Pool sizes.
        drives: How hard faults push each mechanism.
    """
    entities = parameters.entities
    one = scalar(1.0)
    used = flow.served_rate / (flow.served_rate + one)
    pace = used / entities.refill_s + (resources.warming_left_s > 0) / scalar(WARMING_S)
    warmth = resources.warmth + (one - resources.warmth) * (one - torch.exp(-pace))
    memory = (resources.memory + drives[Drive.LEAK]).clamp(max=MEMORY_LIMIT)
    leaked = torch.minimum(
        resources.leaked + drives[Drive.POOL_LEAK], (settings.pool_size - scalar(2.0)).clamp(min=0.0)
    )
    return replace(
        resources,
        warmth=warmth,
        warming_left_s=(resources.warming_left_s - one).clamp(min=0.0),
        memory=memory,
        leaked=torch.maximum(leaked, torch.zeros_like(leaked)),
    )


def advance_breakers(settings: Settings, flow: Flow) -> Settings:
    """Return the settings one second later: breakers open on failing calls and try again when their time is up."""
    left = (settings.breaker_left_s - scalar(1.0)).clamp(min=0.0)
    trips = (flow.call_failure > settings.breaker_ratio) & (left <= 0) & (flow.call_rate > BUSY_CALLS_RPS)
    if bool(trips.any()):
        left = torch.where(trips, settings.breaker_open_s, left)
    return replace(settings, breaker_left_s=left)
