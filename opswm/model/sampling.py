"""Joint futures of all courses from shared noise, so that an effect is a difference between paired futures."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class SharedNoise:
    """Noise that every course of every decision point shares.

    Attributes:
        along: Noise of the bad share over ticks, autocorrelated, ``[K, H]``.
        between: Noise in which courses err, ``[K, J]``; similar courses load on it alike.
    """

    along: Float[Tensor, "K H"]
    between: Float[Tensor, "K J"]


def draw_noise(
    samples: int, members: int, horizon_ticks: int, noise: int, autocorrelation: float, generator: torch.Generator
) -> SharedNoise:
    """Draw standard normal noise in antithetic pairs, each pair within one member.

    Sample ``k`` belongs to member ``k % members``; samples ``k`` and ``k + samples / 2`` are opposite.

    Args:
        samples: Futures, a multiple of ``2 * members``.
        members: Heads.
        horizon_ticks: Ticks.
        noise: Dimensions of ``between``.
        autocorrelation: From one tick to the next.
        generator: Source of randomness, on the CPU so that a seed means the same on any device.
    """
    half = samples // 2
    shocks = torch.randn(half, horizon_ticks, generator=generator)
    between = torch.randn(half, noise, generator=generator)
    innovation = (1.0 - autocorrelation**2) ** 0.5
    ticks = [shocks[:, 0]]
    for tick in range(1, horizon_ticks):
        ticks.append(autocorrelation * ticks[-1] + innovation * shocks[:, tick])
    along = torch.stack(ticks, dim=1)
    return SharedNoise(along=torch.cat([along, -along]), between=torch.cat([between, -between]))


def sample_bad(
    log_odds: Float[Tensor, "B S M H O"],
    base: Float[Tensor, "B H O"],
    loadings: Float[Tensor, "B S H O J"],
    noise: SharedNoise,
) -> Float[Tensor, "B S K H O"]:
    """Return sampled bad shares in [0, 1].

    Args:
        log_odds: Of each member.
        base: Spread of the no-op course, common to all courses and thus out of their differences' first order.
        loadings: Of each course on the noise between courses; 0 for no_op.
        noise: Shared noise.
    """
    samples, members = noise.between.shape[0], log_odds.shape[2]
    centre = log_odds.repeat(1, 1, samples // members, 1, 1)
    common = base[:, None, None] * noise.along[None, None, :, :, None]
    own = torch.einsum("bshoj,kj->bskho", loadings, noise.between)
    return torch.sigmoid(centre + common + own)


def paired_effect(bad: Float[Tensor, "B S K H O"], weight: Float[Tensor, "B O"]) -> Float[Tensor, "B S K"]:
    """Return each future's SLO cost minus that of its twin under no_op, as mean bad share over the horizon.

    Args:
        bad: Sampled bad shares, scenario 0 being no_op.
        weight: Objective weights, 0 for empty slots.
    """
    cost = torch.einsum("bskho,bo->bsk", bad, weight) / bad.shape[3]
    return cost - cost[:, :1]
