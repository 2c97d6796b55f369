"""A many-server queue with random arrivals and service, advanced by a step of any length.

The occupancy beyond a reference level is a reflected Brownian motion, and it is sampled exactly over a step: the end
point is the realised net input, and the lowest point on the way follows the law of a Brownian bridge's minimum
(Asmussen, Glynn, Pitman 1995). So the step may be far longer than a service, and transients and overload come out
alike.

What an arrival waits follows from the memoryless tail of M/M/c: waiting requests are the part of the motion above
``reference``, chosen so that the stationary chance to wait is Erlang's C, and an arrival that waits does so for one
completion more. Mean wait, chance to wait and the tail are then those of M/M/c; other variabilities enter as in Allen
and Cunneen's G/G/c.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel.scalars import scalar

_HIGHEST = 0.999
_NEAR_ONE = 1e-3
_BETWEEN_LOOKS = 0.5826
"""Standard deviations of a step by which a border that is looked at between steps only seems further away: minus
zeta(1/2) over the root of 2 pi (Chernoff 1965; Broadie, Glasserman, Kou 1997)."""
_LEANEST = 4.0  # beyond, the chance to wait is below one in a million and the fit need not be trusted


def erlang_exponent(servers: Float[Tensor, "W N"], spare: Float[Tensor, "W N"]) -> Float[Tensor, "W N"]:
    """Return ``e`` such that Erlang's C is about ``utilisation ** e``.

    A fit to exact values for 1 to 512 servers at utilisations from 0.2 to 0.99 (worst relative error 3 % where
    C exceeds 0.01); exact for one server.

    Args:
        servers: Number of servers, at least 1, not necessarily whole.
        spare: One minus the utilisation, in [0, 1].
    """
    root = torch.sqrt(servers) - scalar(1.0)
    lean = (root * spare).clamp(max=_LEANEST)
    return (
        scalar(1.0)
        + root * (scalar(1.21028) + scalar(0.29002) * spare)
        + lean * (scalar(0.20463) * root + lean * (scalar(0.33774) + scalar(0.04274) * root - scalar(0.07453) * lean))
    )


def reference(
    utilisation: Float[Tensor, "W N"], servers: Float[Tensor, "W N"], variability: Float[Tensor, "W N"]
) -> Float[Tensor, "W N"]:
    """Return the occupancy of the reflected motion above which requests wait.

    Args:
        utilisation: Arrival rate over capacity; anything above 0.999 counts as that.
        servers: Servers working in parallel.
        variability: ``(ca2 + cs2) / 2``, 1 for Poisson arrivals and exponential service.
    """
    load = utilisation.clamp(1e-4, _HIGHEST)
    spare = scalar(1.0) - load
    return -torch.log(load) / spare * load * variability * erlang_exponent(servers, spare)


def reflect(
    backlog: Float[Tensor, "W N"],
    admitted: Float[Tensor, "W N"],
    capacity: Float[Tensor, "W N"],
    variance: Float[Tensor, "W N"],
    exponential: Float[Tensor, "W N"],
) -> tuple[Float[Tensor, "W N"], Float[Tensor, "W N"]]:
    """Advance the reflected motion by one step.

    Args:
        backlog: Occupancy at the start, not negative.
        admitted: Requests that came in during the step.
        capacity: Requests that could have been completed if there had always been work, with its noise; not clipped
            at 0, which would add capacity.
        variance: Variance of the net input over the step.
        exponential: Standard exponential draws, which decide how low the motion dipped.

    Returns:
        The occupancy at the end, and the requests served, so that ``backlog + admitted - served`` is the new
        occupancy. Where a step holds less than a few services, the Gaussian capacity can make ``served`` slightly
        negative: a caller carries that over to later steps.
    """
    net = admitted - capacity
    root = (net * net).add_((variance * scalar(2.0)).mul_(exponential)).sqrt_()
    lowest = torch.sub(net, root, out=root).mul_(scalar(0.5))
    highest = torch.sub(net, lowest, out=lowest)
    ahead = torch.maximum(net.add_(backlog), highest, out=highest)
    return ahead, (backlog + admitted).sub_(ahead)


def is_tight(reach: Float[Tensor, "W N"], variance: Float[Tensor, "W N"]) -> Bool[Tensor, "W N"]:
    """Return which lines may fill up and empty again within a step, so that looking between steps misses some of it.

    Args:
        reach: Occupancy at which arrivals are refused, see :func:`missed_loss`.
        variance: Variance of the net input over a step.
    """
    return reach < variance.sqrt().mul_(scalar(4.0)).add_(scalar(4.0))


def missed_loss(
    utilisation: Float[Tensor, "..."],
    reference: Float[Tensor, "..."],
    places: Float[Tensor, "..."],
    reach: Float[Tensor, "..."],
    variance: Float[Tensor, "..."],
    variability: Float[Tensor, "..."],
) -> Float[Tensor, "..."]:
    """Return the share of arrivals lost at a tight border that cutting the line off between steps does not see.

    It is what M/M/c/K loses in the long run, less what a motion that is cut off between steps loses. A patience of
    ``d`` seconds counts as ``patient_places(d)``, which makes the loss exactly that of M/M/c+D.

    Args:
        utilisation: Arrival rate over capacity.
        reference: As :func:`reference` returns it for that utilisation.
        places: Requests that may wait.
        reach: Occupancy beyond which the line is cut off between steps.
        variance: Variance of the net input over a step.
        variability: As in :func:`reference`.
    """
    load = _off_one(utilisation)
    one, log_load = scalar(1.0), torch.log(load)
    spare = one / load - one
    bend = torch.where(load < one, spare, -log_load)
    true = (bend * reference - log_load * (places + variability)) / variability
    seen = spare * load.clamp(min=1.0) / variability * (reach + scalar(_BETWEEN_LOOKS) * torch.sqrt(variance))
    return (spare / torch.expm1(true) - spare / torch.expm1(seen)).clamp(0.0, 1.0)


def patient_places(
    patience_s: Float[Tensor, "..."], capacity_rps: Float[Tensor, "..."], utilisation: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the places to wait in that lose as many requests as patience does (M/M/c+D against M/M/c/K)."""
    load = _off_one(utilisation)
    return patience_s * capacity_rps * (load - scalar(1.0)) / torch.log(load)


def _off_one(utilisation: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the utilisation, moved a little where it is so near 1 that differences from 1 would drown in rounding."""
    load = utilisation.clamp(1e-4, 1e4)
    return torch.where((load - scalar(1.0)).abs() < scalar(_NEAR_ONE), scalar(1.0 - _NEAR_ONE), load)


def wait_s(
    waiting: Float[Tensor, "W N"], capacity_rps: Float[Tensor, "W N"], variability: Float[Tensor, "W N"]
) -> tuple[Float[Tensor, "W N"], Float[Tensor, "W N"]]:
    """Return mean and variance of the wait of a request that arrives now.

    Args:
        waiting: Requests that wait already, not negative.
        capacity_rps: Completions per second.
        variability: As in :func:`reference`.
    """
    mean = (variability * waiting.sign()).add_(waiting).div_(capacity_rps)
    return mean, (mean * variability).div_(capacity_rps)
