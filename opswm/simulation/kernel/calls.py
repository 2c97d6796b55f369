"""Synchronous calls: timeouts, retries and breakers, and what they cost the caller in time, failures and load.

Failures reach a caller one hop per substep. An attempt fails when the target refuses, errs or takes longer than the
caller waits; the target still finishes work whose caller has left, which is how retry storms feed themselves.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import latency
from opswm.simulation.kernel.conditions import Conditions
from opswm.simulation.kernel.state import Flow
from opswm.simulation.kernel.wiring import Wiring


@dataclass(frozen=True)
class CallOutcome:
    """What a substep's calls did.

    Attributes:
        call_failure: Smoothed chance that one attempt fails, per edge.
        call_rate: Attempts per second, per edge.
        retry_rate: Of which repeated.
        timeout_rate: Attempts per second that ran into their timeout.
        downstream_s, downstream_var, log_success: Per calling entity, see ``state.Flow``.
    """

    call_failure: Float[Tensor, "W E"]
    call_rate: Float[Tensor, "W E"]
    retry_rate: Float[Tensor, "W E"]
    timeout_rate: Float[Tensor, "W E"]
    downstream_s: Float[Tensor, "W N"]
    downstream_var: Float[Tensor, "W N"]
    log_success: Float[Tensor, "W N"]


def call(
    conditions: Conditions,
    wiring: Wiring,
    call_failure: Float[Tensor, "W E"],
    served_rps: Float[Tensor, "W N"],
    latency_s: Float[Tensor, "W N"],
    latency_var: Float[Tensor, "W N"],
    failure: Float[Tensor, "W N"],
) -> CallOutcome:
    """Return what the calls of one substep did.

    Args:
        conditions: Gains, timeouts and retries of this second.
        wiring: Index tensors.
        call_failure: Smoothed chance of failure before this substep.
        served_rps: Requests per second served at each entity, each making its calls.
        latency_s: Mean response time of each entity as callers see it.
        latency_var: Its variance.
        failure: Share of calls to each entity that are refused or answered with an error.
    """
    shape = call_failure.shape
    target_s = latency_s.view(-1).index_select(0, wiring.target).view(shape)
    target_var = latency_var.view(-1).index_select(0, wiring.target).view(shape)
    refused = failure.view(-1).index_select(0, wiring.target).view(shape)
    source_rps = served_rps.view(-1).index_select(0, wiring.source).view(shape)

    attempt_s, late = latency.until_timeout(target_s, target_var, conditions.log_timeout, conditions.timeout_s)
    now = refused + late - refused * late
    failing = torch.lerp(call_failure, now, conditions.memory_of_failure)
    again_1 = conditions.retry_1 * failing
    again_2 = conditions.retry_2 * failing
    again_3 = conditions.retry_3 * failing
    repeats = again_1 * (1.0 + again_2 * (1.0 + again_3))
    good = 1.0 - failing
    at_last = (
        failing
        * (1.0 - conditions.retry_1 * good)
        * (1.0 - conditions.retry_2 * good)
        * (1.0 - conditions.retry_3 * good)
    )

    seconds = (attempt_s * (1.0 + repeats) + conditions.backoff_s * repeats) * conditions.passes
    spent = conditions.time_gain * seconds
    variation = target_var / (target_s * target_s + 1e-10)
    spent_var = spent * seconds * (variation.clamp(max=4.0) + (1.0 - conditions.flow_gain).clamp(min=0.0))
    lost = conditions.fail_gain * (1.0 - conditions.passes * (1.0 - at_last))
    lost = torch.log1p(-lost.clamp(max=0.999))

    first = source_rps * conditions.flow_gain * conditions.passes
    rate = first * (1.0 + repeats) + conditions.extra_calls
    zeros = torch.zeros_like(latency_s).view(-1)
    return CallOutcome(
        call_failure=failing,
        call_rate=rate,
        retry_rate=first * repeats,
        timeout_rate=rate * late,
        downstream_s=zeros.scatter_add(0, wiring.source, spent.view(-1)).view_as(latency_s),
        downstream_var=zeros.scatter_add(0, wiring.source, spent_var.view(-1)).view_as(latency_s),
        log_success=zeros.scatter_add(0, wiring.source, lost.view(-1)).view_as(latency_s),
    )


def inflow_rps(flow: Flow, wiring: Wiring) -> Float[Tensor, "W N"]:
    """Return the calls per second that reach each entity from the others."""
    zeros = torch.zeros_like(flow.rate).view(-1)
    return zeros.scatter_add(0, wiring.target, flow.call_rate.view(-1)).view_as(flow.rate)
