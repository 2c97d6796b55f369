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
    expected = calls.inflow_rps(flow, wiring) * substep_s
    inflow = (expected + torch.sqrt(expected) * inflow_noise).clamp(min=0.0)
    offered = inflow + exogenous
    from_line = torch.minimum(dropped, flow.backlog)
    backlog = flow.backlog - from_line

    admitted = offered * (1.0 - conditions.shed) * conditions.up
    tokens = torch.minimum(flow.tokens + conditions.token_rate, conditions.token_limit)
    admitted = torch.minimum(admitted, tokens)
    tokens = tokens - admitted
    gain = (flow.rate * (substep_s / RATE_COUNT)).clamp(substep_s / 120.0, substep_s / 2.0)
    rate = torch.lerp(flow.rate, admitted / substep_s, gain)

    held_s = conditions.own_s + flow.downstream_s
    slot_rps = conditions.slots / held_s
    capacity = torch.minimum(slot_rps, conditions.cpu_rps)
    worked = torch.minimum(rate, capacity) * substep_s
    completions = capacity * substep_s + torch.sqrt(worked * conditions.scv) * service_noise
    variance = (2.0 * conditions.variability) * worked
    backlog, served = queueing.reflect(backlog, admitted, completions, variance, exponential)
    room = torch.minimum(conditions.queue_limit, capacity * conditions.patience_s + 1.0)
    overflow = (backlog - conditions.reference - room).clamp(min=0.0)
    backlog = backlog - overflow
    reach = conditions.reference + room
    tight = queueing.is_tight(reach, variance)
    if bool(tight.any()):
        busy = rate / capacity
        places = queueing.patient_places(conditions.patience_s, capacity, busy)
        places = torch.minimum(conditions.queue_limit, places)
        missed = queueing.missed_loss(busy, conditions.reference, places, reach, variance, conditions.variability)
        missed = admitted * missed * tight
        overflow, served = overflow + missed, served - missed
    owed = served + flow.owed
    served = owed.clamp(min=0.0)

    line = (flow.waiting - from_line).clamp(min=0.0)
    wait_s, wait_var = queueing.wait_s(line, capacity, conditions.variability)
    waiting = (backlog - conditions.reference).clamp(min=0.0)
    latency_s = wait_s.clamp(max=LONGEST_WAIT_S) + held_s
    latency_var = wait_var.clamp(max=LONGEST_WAIT_S) + conditions.own_var + flow.downstream_var
    present = torch.minimum(rate * held_s, conditions.slots) + waiting
    refused = offered - admitted + overflow
    error = 1.0 - (1.0 - conditions.error_ratio) * torch.exp(flow.log_success)
    lost = ((refused + dropped) / (offered + dropped + 1e-6)).clamp(max=1.0)
    failed = lost + error - lost * error

    seen_s = torch.lerp(flow.latency_s, latency_s, SEEN_WEIGHT)
    seen_var = torch.lerp(flow.latency_var, latency_var, SEEN_WEIGHT)
    failure = torch.lerp(flow.failure, failed, SEEN_WEIGHT)
    served_rps = served / substep_s
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
        owed=owed.clamp(max=0.0),
    )
    instant = Instant(offered, served, refused, from_line, failed, latency_s, latency_var, outcome)
    return ahead, instant
