"""Exogenous demand: a mean with a slow sine, recurring bursts, a profile, persistent noise and what surges add."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.parameters import Entries


def next_log_demand(
    entries: Entries, log_demand: Float[Tensor, "W G"], keys: Int[Tensor, "W G"], second: int
) -> Float[Tensor, "W G"]:
    """Return the Ornstein-Uhlenbeck noise of the log demand one second later, exactly discretised."""
    keep = torch.exp(-1.0 / entries.jitter_s)
    shock = noise.normal(noise.uniform(noise.draw(keys, second)))
    return keep * log_demand + entries.jitter * torch.sqrt(1.0 - keep * keep) * shock


def rate(
    entries: Entries, log_demand: Float[Tensor, "W G"], surge: Float[Tensor, "W G"], second: int
) -> Float[Tensor, "W G"]:
    """Return the first attempts per second expected at each entry.

    Args:
        entries: Mean demand and its shape.
        log_demand: Persistent noise, see :func:`next_log_demand`.
        surge: Log factor that faults add.
        second: Seconds since the start.
    """
    phase = second / entries.diurnal_period_s * (2.0 * math.pi) + entries.diurnal_phase
    slow = 1.0 + entries.diurnal_amplitude * torch.sin(phase)
    within = torch.remainder(second / entries.burst_period_s + entries.diurnal_phase, 1.0)
    bursts = 1.0 + entries.burst_amplitude * (within < entries.burst_share).float()
    return (
        entries.there * entries.rate_rps * slow * bursts * torch.exp(log_demand + surge) * profile_at(entries, second)
    )


def profile_at(entries: Entries, second: int) -> Float[Tensor, "W G"]:
    """Return each entry's multiplier at one second, on the line between the two points of its profile beside it."""
    if entries.profile.shape[-1] == 1:
        return entries.profile[..., 0]
    position = torch.remainder(second / entries.profile_step_s, entries.profile_points)
    before = torch.floor(position)
    after = torch.remainder(before + 1.0, entries.profile_points)
    value, then = (entries.profile.gather(2, at[..., None].long())[..., 0] for at in (before, after))
    return torch.lerp(value, then, position - before)


def arrivals(
    expected: Float[Tensor, "W G"], keys: Int[Tensor, "W G"], second: int, substeps: int
) -> Float[Tensor, "Z W G"]:
    """Return Poisson counts of first attempts in each of the ``Z`` substeps of one second."""
    counters = torch.arange(second * substeps, (second + 1) * substeps, dtype=torch.int32, device=keys.device)
    uniforms = noise.uniform(noise.draw(keys[None], counters[:, None, None]))
    return noise.poisson(uniforms, (expected / substeps)[None].expand_as(uniforms).contiguous())
