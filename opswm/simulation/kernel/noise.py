"""Counter-based noise: a draw is a function of (seed, entity, tick, purpose) and of nothing that happened before.

Two courses that start from the same state therefore meet the same randomness whatever an action changes,
which is what makes their difference an effect rather than luck (common random numbers; Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"). Every draw is a monotone transform of a keyed uniform.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import scalars
from opswm.simulation.kernel.scalars import scalar

_GOLDEN: Final = -1640531527  # 2**32 divided by the golden ratio, as a signed 32-bit number
_FIRST: Final = 0x7FEB352D
_SECOND: Final = -2073254261  # 0x846ca68b, signed
_ROOT_TWO: Final = 2.0**0.5
_EXACT_BELOW: Final = 12.0
_LOOKS_EVERY: Final = 8


class Purpose(IntEnum):
    """What a draw is for; each purpose is a stream of its own."""

    ARRIVAL = 1
    FLOW = 2
    BRIDGE = 3
    DEMAND = 4
    ACTION_DELAY = 5
    ACTION_FAILURE = 6
    MEASUREMENT = 7
    MISSING = 8


def mix(value: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Return a well-mixed bijection of 32-bit integers (the ``lowbias32`` constants of C. Wellons, 2018)."""
    half = scalars.bits(16)
    if value.dtype != torch.int32:
        raise TypeError(f"random bits are kept in 32-bit integers, not in {value.dtype}")
    low = scalars.bits(0xFFFF)
    value = (value >> half).bitwise_and_(low).bitwise_xor_(value).mul_(scalars.bits(_FIRST))
    value = (value >> scalars.bits(15)).bitwise_and_(scalars.bits(0x1FFFF)).bitwise_xor_(value)
    value = value.mul_(scalars.bits(_SECOND))
    return (value >> half).bitwise_and_(low).bitwise_xor_(value)


def world_seeds(seed: int, worlds: Int[Tensor, " W"], replicates: Int[Tensor, " W"]) -> Int[Tensor, " W"]:
    """Return one 32-bit seed per row, keyed by the run's seed, the world and the exogenous future.

    Args:
        seed: Seed of the run; any integer.
        worlds: Number of the world in each row.
        replicates: Number of the exogenous future in each row; 0 is the one that was lived through.
    """
    low = torch.tensor(_signed(seed), dtype=torch.int32, device=worlds.device)
    high = torch.tensor(_signed(seed >> 32), dtype=torch.int32, device=worlds.device)
    key = mix(mix(low) ^ (high * _GOLDEN))
    return mix(mix(key + worlds.to(torch.int32) * _GOLDEN) + replicates.to(torch.int32) * _SECOND)


def stream(seeds: Int[Tensor, " W"], count: int, purpose: Purpose) -> Int[Tensor, "W M"]:
    """Return the key of each of ``count`` entities (or edges, or slots) for one purpose."""
    entities = torch.arange(count, dtype=torch.int32, device=seeds.device)
    return mix(seeds[:, None] ^ mix(entities * _GOLDEN + _signed(int(purpose) * _FIRST))[None, :])


def draw(keys: Int[Tensor, "..."], tick: int | Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Return 32 random bits for each key at one tick (any counter)."""
    offset = tick * _GOLDEN if isinstance(tick, Tensor) else _signed(tick * _GOLDEN)
    return mix(keys + offset)


def uniform(bits: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return a uniform in (0, 1), never either end, from the upper 23 bits (24 and a half do not fit a float32)."""
    upper = (bits >> scalars.bits(9)).bitwise_and_(scalars.bits(0x7FFFFF))
    return upper.float().add_(scalar(0.5)).mul_(scalar(2.0**-23))


def uniform_pair(bits: Int[Tensor, "..."]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return two independent uniforms in (0, 1) of 16 bits each."""
    return ((bits & 0xFFFF).float() + 0.5) * 2.0**-16, (((bits >> 16) & 0xFFFF).float() + 0.5) * 2.0**-16


def normal_pair(bits: Int[Tensor, "..."]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return the standard normal quantiles of :func:`uniform_pair`, looked up: there are only so many."""
    low, table = scalars.bits(0xFFFF), _quantiles(bits.device)
    first, other = bits.bitwise_and(low), (bits >> scalars.bits(16)).bitwise_and_(low)
    one, two = (table.index_select(0, which.reshape(-1)).view(bits.shape) for which in (first, other))
    return one, two


@lru_cache
def _quantiles(device: torch.device) -> Float[Tensor, " Q"]:
    """Return the standard normal quantiles of the uniforms that 16 bits make."""
    return normal(uniform_pair(torch.arange(1 << 16, dtype=torch.int32, device=device))[0])


def normal(uniforms: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the standard normal quantile of each uniform."""
    return torch.erfinv((uniforms * scalar(2.0)).sub_(scalar(1.0))).mul_(scalar(_ROOT_TWO))


def poisson(uniforms: Float[Tensor, "..."], mean: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the Poisson quantile of each uniform: exact for small means, Cornish-Fisher above.

    Args:
        uniforms: Keyed uniforms.
        mean: Expected counts, not negative.
    """
    z, root = normal(uniforms), torch.sqrt(mean)
    approximate = mean + root * z + (z * z - 1.0) / 6.0 + (z - z * z * z) / (72.0 * root.clamp(min=1.0))
    counts = torch.floor(approximate + 0.5).clamp(min=0.0)
    where = (mean < _EXACT_BELOW).view(-1).nonzero()[:, 0]
    if where.numel():
        few = _few(uniforms.reshape(-1).index_select(0, where), mean.reshape(-1).index_select(0, where))
        counts.view(-1).index_copy_(0, where, few)
    return counts


def _few(uniforms: Float[Tensor, " small"], mean: Float[Tensor, " small"]) -> Float[Tensor, " small"]:
    """Return exact Poisson quantiles where means are small."""
    exact, most = torch.zeros_like(mean), float(mean.max())
    if most <= 0.0:
        return exact
    mass = torch.exp(-mean)
    cumulative = mass.clone()
    for k in range(1, int(most + 7.0 * most**0.5) + 7):
        above = uniforms > cumulative
        if k % _LOOKS_EVERY == 0 and not bool(above.any()):
            break
        exact.add_(above)
        cumulative.add_(mass.mul_(mean).div_(scalar(float(k))))
    # Rounding can keep the sum below the highest uniforms for good: the limit is each draw's own, not the batch's.
    return torch.minimum(exact, torch.floor(mean + 7.0 * torch.sqrt(mean)) + 5.0)


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >= 0x80000000 else value
