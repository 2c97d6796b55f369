"""One substep of the queues: arrivals are admitted, served and answered, and the calls they make set out.

Calls that leave in one substep arrive in the next, so load, waiting and failures travel one hop per substep in either
direction.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import calls, queueing
from opswm.simulation.kernel.conditions import Conditions
from opswm.simulation.kernel.rows import positions
from opswm.simulation.kernel.scalars import scalar
from opswm.simulation.kernel.state import Flow
from opswm.simulation.kernel.wiring import Wiring

LONGEST_WAIT_S: Final = 120.0
RATE_COUNT: Final = 50.0
"""Arrivals over which the rate that sets the utilisation is averaged, at least two seconds' worth."""
SEEN_WEIGHT: Final = 0.5


@dataclass(frozen=True)
class Instant:
    """What happened in one substep, for counters and objectives.

    Attributes:
        offered: Arrivals, retries included.
        served: Completions.
        refused: Arrivals shed, limited, refused by a full queue or finding no replica.
        dropped: Requests in the line lost to a restart or crash; those in service count as failed, and as served.
        failed: Share of arrivals that are refused, dropped or answered with an error.
        latency_s, latency_var: Response time of a request that arrives in it. It meets the line as it was before:
            a line that counts the arrivals of the substep itself is longest where most arrive, and the mean over
            requests would exceed the mean over time, which it must equal for Poisson arrivals (Wolff 1982).
        calls: What the calls did.
    """

    offered: Float[Tensor, "W N"]
    served: Float[Tensor, "W N"]
    refused: Float[Tensor, "W N"]
    dropped: Float[Tensor, "W N"]
    failed: Float[Tensor, "W N"]
    latency_s: Float[Tensor, "W N"]
    latency_var: Float[Tensor, "W N"]
    calls: calls.CallOutcome


def advance_flow(
    conditions: Conditions,
    wiring: Wiring,
    flow: Flow,
    dropped: Float[Tensor, "W N"],
    exogenous: Float[Tensor, "W N"],
    inflow_noise: Float[Tensor, "W N"],
    service_noise: Float[Tensor, "W N"],
    exponential: Float[Tensor, "W N"],
    substep_s: float,
) -> tuple[Flow, Instant]:
    """Return the flow one substep later and what happened in it.

    Args:
        conditions: What holds for this second.
        wiring: Index tensors.
        flow: The flow before.
        dropped: Requests in each entity that a restart has just thrown away.
        exogenous: Attempts of clients in this substep.
        inflow_noise: Standard normal draws, scaled to the randomness of the inflow.
        service_noise: Standard normal draws for the service.
        exponential: Standard exponential draws for how low the line dipped on the way.
        substep_s: Length of the substep.
    """
    step, one = scalar(substep_s), scalar(1.0)
    inflow = calls.inflow_rps(flow, wiring).mul_(step)
    inflow = inflow_noise.mul(inflow.sqrt()).add_(inflow).clamp_(min=0.0)
    offered = inflow.add_(exogenous)
    from_line = torch.minimum(dropped, flow.backlog)

    admitted = offered.mul(conditions.not_shed).mul_(conditions.up)
    tokens = torch.minimum(flow.tokens + conditions.token_rate, conditions.token_limit)
    admitted = torch.minimum(admitted, tokens, out=admitted)
    tokens.sub_(admitted)
    gain = flow.rate.mul(scalar(substep_s / RATE_COUNT)).clamp_(substep_s / 120.0, substep_s / 2.0)
    rate = torch.lerp(flow.rate, admitted / step, gain)

    held_s = conditions.own_s + flow.downstream_s
    slot_rps = conditions.slots / held_s
    capacity = torch.minimum(slot_rps, conditions.cpu_rps, out=slot_rps)
    worked = torch.minimum(rate, capacity).mul_(step)
    noise = worked.mul(conditions.scv).sqrt_().mul_(service_noise)
    completions = noise.add_(capacity.mul(step))
    variance = worked.mul_(conditions.twice_variability)
    backlog, served = queueing.reflect(flow.backlog - from_line, admitted, completions, variance, exponential)
    room = capacity.mul(conditions.patience_s).add_(one)
    room = torch.minimum(conditions.queue_limit, room, out=room)
    overflow = backlog.sub(conditions.reference).sub_(room).clamp_(min=0.0)
    backlog.sub_(overflow)
    reach = room.add_(conditions.reference)
    _lose_unseen(conditions, rate, capacity, reach, variance, admitted, overflow, served)
    owed = served.add_(flow.owed)
    served = owed.clamp(min=0.0)

    line = (flow.waiting - from_line).clamp_(min=0.0)
    wait_s, wait_var = queueing.wait_s(line, capacity, conditions.variability)
    waiting = backlog.sub(conditions.reference).clamp_(min=0.0)
    latency_s = wait_s.clamp_(max=LONGEST_WAIT_S).add_(held_s)
    latency_var = wait_var.clamp_(max=LONGEST_WAIT_S).add_(conditions.own_var).add_(flow.downstream_var)
    present = torch.minimum(held_s.mul_(rate), conditions.slots, out=held_s).add_(waiting)
    refused = offered.sub(admitted).add_(overflow)
    error = flow.log_success.exp().mul_(conditions.no_error)
    error = one - error
    lost = (refused + dropped).div_((offered + dropped).add_(scalar(1e-6))).clamp_(max=1.0)
    failed = lost.add(error).sub_(lost.mul_(error))

    seen_s = torch.lerp(flow.latency_s, latency_s, SEEN_WEIGHT)
    seen_var = torch.lerp(flow.latency_var, latency_var, SEEN_WEIGHT)
    failure = torch.lerp(flow.failure, failed, SEEN_WEIGHT)
    served_rps = served / step
    outcome = calls.call(conditions, wiring, flow.call_failure, served_rps, seen_s, seen_var, failure)
    ahead = Flow(
        backlog=backlog,
        rate=rate,
        capacity=capacity,
        waiting=waiting,
        served_rate=torch.lerp(flow.served_rate, served_rps, substep_s),
        busy=torch.minimum(present, conditions.slots),
        present=present,
        latency_s=seen_s,
        latency_var=seen_var,
        failure=failure,
        downstream_s=outcome.downstream_s,
        downstream_var=outcome.downstream_var,
        log_success=outcome.log_success,
        call_rate=outcome.call_rate,
        call_failure=outcome.call_failure,
        tokens=tokens,
        owed=owed.clamp_(max=0.0),
    )
    instant = Instant(offered, served, refused, from_line, failed, latency_s, latency_var, outcome)
    return ahead, instant


def _lose_unseen(
    conditions: Conditions,
    rate: Float[Tensor, "W N"],
    capacity: Float[Tensor, "W N"],
    reach: Float[Tensor, "W N"],
    variance: Float[Tensor, "W N"],
    admitted: Float[Tensor, "W N"],
    overflow: Float[Tensor, "W N"],
    served: Float[Tensor, "W N"],
) -> None:
    """Move from ``served`` to ``overflow`` what tight borders refuse within a step; most lines are not tight."""
    where = positions(queueing.is_tight(reach, variance).view(-1))
    if not where.numel():
        return

    def at(field: Float[Tensor, "W N"]) -> Float[Tensor, " tight"]:
        return field.reshape(-1).index_select(0, where)

    room_rps, variability = at(capacity), at(conditions.variability)
    busy = at(rate).div_(room_rps)
    places = queueing.patient_places(at(conditions.patience_s), room_rps, busy)
    places = torch.minimum(at(conditions.queue_limit), places)
    missed = queueing.missed_loss(busy, at(conditions.reference), places, at(reach), at(variance), variability)
    missed = missed.mul_(at(admitted))
    overflow.view(-1).index_add_(0, where, missed)
    served.view(-1).index_add_(0, where, missed, alpha=-1.0)
