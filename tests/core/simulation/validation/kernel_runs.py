"""The same queues through the whole kernel, and what its telemetry says about them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state

COLUMN = {name: index for index, name in enumerate(SIGNALS)}
ENDLESS = 1e6
_Z95 = 1.6449
_GROUPS = 10


@dataclass(frozen=True)
class Reading:
    """What a run's telemetry says about one entity, each with the standard error over worlds.

    Attributes:
        mean_s: Mean response time of the requests that were admitted.
        p95_s: Response time that 95 % of them stay below.
        lost_ratio: Share of arrivals that were refused.
        present: Mean number of requests in the entity.
        rate_rps: Arrivals per second.
    """

    mean_s: float
    mean_error_s: float
    p95_s: float
    p95_error_s: float
    lost_ratio: float
    lost_error: float
    present: float
    rate_rps: float


def server(name: str, servers: float, service_s: float, scv: float = 1.0, **fields: float) -> Part:
    """Return an entity that is nothing but parallel servers: no errors, no limits, no warm-up."""
    plain = Part(
        name, "service", cpu_s=service_s, slots=ENDLESS, cores=float(servers), replicas=1.0, scv=scv,
        queue_limit=ENDLESS, patience_s=ENDLESS, error_ratio=0.0,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def system(
    parts: Sequence[Part],
    rate_rps: float,
    links: Sequence[Link] = (),
    profile: tuple[float, ...] = (),
    profile_step_s: float = 10.0,
) -> Blueprint:
    """Return a blueprint with Poisson demand at its first part, read once a second."""
    first = parts[0].name
    inlet = Inlet(first, rate_rps, client_timeout_s=ENDLESS, profile=profile, profile_step_s=profile_step_s)
    return Blueprint("queue", tuple(parts), tuple(links), (inlet,), (Goal("goal", first, first, ENDLESS),), step_s=1)


def call(source: str, target: str, calls: float = 1.0) -> Link:
    """Return a synchronous call that is neither cut short nor repeated."""
    return Link(source, target, calls=calls, timeout_s=1e4, retries=0.0)


def telemetry(blueprints: Sequence[Blueprint], worlds: int, settle_s: int, seconds: int, seed: int) -> Tensor:
    """Return exact signals ``[system, world, tick, entity, signal]``, all systems in one batch of worlds."""
    rows = torch.arange(len(blueprints)).repeat_interleave(worlds)
    parameters = take_rows(assemble(blueprints), rows)
    count = len(rows)
    seeds = noise.world_seeds(seed, torch.arange(count), torch.zeros(count, dtype=torch.int64))
    state, tape = initial_state(parameters), empty_tape(count)
    if settle_s:
        state, _ = simulate(parameters, state, tape, settle_s, seeds, "objectives")
    _, seen = simulate(parameters, state, tape, seconds, seeds)
    return seen.signals.view(len(blueprints), worlds, *seen.signals.shape[1:])


def read(signals: Tensor) -> Reading:
    """Return what the telemetry ``[world, tick, signal]`` of one entity says.

    The 95th percentile is that of the mixture of all ticks, each with as many requests as it admitted; a mean of
    percentiles would be another thing.
    """
    lost = signals[..., COLUMN["shed_rate"]].sum(1).double()
    offered = signals[..., COLUMN["request_rate"]].sum(1).double()
    weight = (signals[..., COLUMN["request_rate"]] - signals[..., COLUMN["shed_rate"]]).clamp(min=0.0).double()
    spent = (signals[..., COLUMN["latency_mean"]] * weight).sum(1)
    middle = signals[..., COLUMN["latency_p50"]].double().clamp(min=1e-9).log()
    scale = (signals[..., COLUMN["latency_p95"]].double().clamp(min=1e-9).log() - middle) / _Z95
    groups = [slice(group, None, _GROUPS) for group in range(_GROUPS)]
    quantiles = torch.tensor([_quantile(middle[at], scale[at], weight[at]) for at in groups])
    mean_s, mean_error_s = _ratio(spent, weight.sum(1))
    lost_ratio, lost_error = _ratio(lost, offered)
    return Reading(
        mean_s=mean_s,
        mean_error_s=mean_error_s,
        p95_s=_quantile(middle, scale, weight),
        p95_error_s=float(quantiles.std()) / math.sqrt(_GROUPS),
        lost_ratio=lost_ratio,
        lost_error=lost_error,
        present=float(signals[..., COLUMN["in_flight"]].mean()),
        rate_rps=float(signals[..., COLUMN["request_rate"]].mean()),
    )


def _ratio(above: Tensor, below: Tensor) -> tuple[float, float]:
    """Return a ratio of sums over worlds and its standard error (delta method)."""
    ratio = above.sum() / below.sum()
    residual = (above - ratio * below) / below.mean()
    return float(ratio), float(residual.std()) / math.sqrt(len(above))


def _quantile(middle: Tensor, scale: Tensor, weight: Tensor, share: float = 0.95) -> float:
    """Return the quantile of a mixture of lognormals."""
    total, low, high = weight.sum(), middle.min() - 1.0, middle.max() + 6.0
    for _ in range(50):
        at = 0.5 * (low + high)
        below = (weight * torch.special.ndtr((at - middle) / scale.clamp(min=1e-6))).sum() / total
        low, high = (at, high) if below < share else (low, at)
    return float(low.exp())
