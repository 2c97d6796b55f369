"""Response times as lognormals: the share beyond a limit, the mean up to a limit, and quantiles.

Sums of waits and service times along a call tree are close to lognormal in their body and tail; two moments carry over
from entity to entity, and everything that users or timeouts see follows from them.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.scalars import scalar

_SMALLEST_S: Final = 1e-5
_SMALLEST_VARIATION: Final = 1e-3
_ROOT_HALF: Final = 0.5**0.5


def log_moments(
    mean_s: Float[Tensor, "..."], variance: Float[Tensor, "..."]
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return location and scale of the lognormal with this mean and variance."""
    mean = mean_s.clamp(min=_SMALLEST_S)
    square = (variance / (mean * mean)).add_(scalar(_SMALLEST_VARIATION)).log1p_()
    return mean.log_().sub_(square * scalar(0.5)), square.sqrt_()


def share_beyond(
    mean_s: Float[Tensor, "..."], variance: Float[Tensor, "..."], limit_s: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the share of requests that take longer than ``limit_s``."""
    location, scale = log_moments(mean_s, variance)
    return torch.erfc((torch.log(limit_s) - location) / scale * _ROOT_HALF) * 0.5


def until_timeout(
    mean_s: Float[Tensor, "..."],
    variance: Float[Tensor, "..."],
    log_timeout: Float[Tensor, "..."],
    timeout_s: Float[Tensor, "..."],
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return the mean time a caller spends, giving up at its timeout, and the share of calls that time out."""
    location, scale = log_moments(mean_s, variance)
    z = torch.sub(log_timeout, location, out=location).div_(scale)
    root, half = scalar(_ROOT_HALF), scalar(0.5)
    in_time = scale.sub_(z).mul_(root).erfc_().mul_(half)
    late = z.mul_(root).erfc_().mul_(half)
    return torch.addcmul(timeout_s * late, mean_s, in_time), late


def quantile(mean_s: Float[Tensor, "..."], variance: Float[Tensor, "..."], z: float) -> Float[Tensor, "..."]:
    """Return the response time at the standard normal quantile ``z`` (1.645 for p95, 2.326 for p99)."""
    location, scale = log_moments(mean_s, variance)
    return torch.exp(location + z * scale)
