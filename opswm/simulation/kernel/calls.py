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

    variation = target_var / (target_s * target_s).add_(1e-10)
    attempt_s, late = latency.until_timeout(target_s, target_var, conditions.log_timeout, conditions.timeout_s)
    now = refused.add(late).sub_(refused.mul_(late))
    failing = torch.lerp(call_failure, now, conditions.memory_of_failure)
    again_1 = conditions.retry_1 * failing
    again_2 = conditions.retry_2 * failing
    again_3 = conditions.retry_3 * failing
    repeats = again_3.add_(1.0).mul_(again_2).add_(1.0).mul_(again_1)
    good = torch.rsub(failing, 1.0)
    at_last = failing.mul(_unless(conditions.retry_1, good))
    at_last = at_last.mul_(_unless(conditions.retry_2, good)).mul_(_unless(conditions.retry_3, good))

    tries = repeats + 1.0
    seconds = attempt_s.mul_(tries).add_(conditions.backoff_s * repeats).mul_(conditions.passes)
    spent = conditions.time_gain * seconds
    spent_var = variation.clamp_(max=4.0).add_(conditions.optional).mul_(seconds.mul_(spent))
    lost = torch.rsub(torch.rsub(at_last, 1.0).mul_(conditions.passes), 1.0).mul_(conditions.fail_gain)
    lost = lost.clamp_(max=0.999).neg_().log1p_()

    first = source_rps.mul_(conditions.flow_gain).mul_(conditions.passes)
    rate = tries.mul_(first).add_(conditions.extra_calls)
    zeros = torch.zeros_like(latency_s).view(-1)
    return CallOutcome(
        call_failure=failing,
        call_rate=rate,
        retry_rate=repeats.mul_(first),
        timeout_rate=late.mul_(rate),
        downstream_s=zeros.scatter_add(0, wiring.source, spent.view(-1)).view_as(latency_s),
        downstream_var=zeros.scatter_add(0, wiring.source, spent_var.view(-1)).view_as(latency_s),
        log_success=zeros.scatter_add(0, wiring.source, lost.view(-1)).view_as(latency_s),
    )


def _unless(retried: Float[Tensor, "W E"], good: Float[Tensor, "W E"]) -> Float[Tensor, "W E"]:
    """Return one minus the chance that a repeated attempt is made and good."""
    return torch.rsub(retried * good, 1.0)


def inflow_rps(flow: Flow, wiring: Wiring) -> Float[Tensor, "W N"]:
    """Return the calls per second that reach each entity from the others."""
    zeros = torch.zeros_like(flow.rate).view(-1)
    return zeros.scatter_add(0, wiring.target, flow.call_rate.view(-1)).view_as(flow.rate)
