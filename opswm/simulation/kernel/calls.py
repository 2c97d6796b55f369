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
from opswm.simulation.kernel.scalars import scalar
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

    call_failure: Float[Tensor, " K"]
    call_rate: Float[Tensor, " K"]
    retry_rate: Float[Tensor, " K"]
    timeout_rate: Float[Tensor, " K"]
    downstream_s: Float[Tensor, "W N"]
    downstream_var: Float[Tensor, "W N"]
    log_success: Float[Tensor, "W N"]


def call(
    conditions: Conditions,
    wiring: Wiring,
    call_failure: Float[Tensor, " K"],
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
    target_s = latency_s.view(-1).index_select(0, wiring.target)
    target_var = latency_var.view(-1).index_select(0, wiring.target)
    refused = failure.view(-1).index_select(0, wiring.target)
    source_rps = served_rps.view(-1).index_select(0, wiring.source)

    one = scalar(1.0)
    square = (target_s * target_s).add_(scalar(1e-10))
    variation = torch.div(target_var, square, out=square)
    attempt_s, late = latency.until_timeout(target_s, target_var, conditions.log_timeout, conditions.timeout_s)
    now = refused.add(late).sub_(refused.mul_(late))
    failing = torch.lerp(call_failure, now, conditions.memory_of_failure)
    again_1 = conditions.retry_1 * failing
    again_2 = conditions.retry_2 * failing
    again_3 = conditions.retry_3 * failing
    repeats = again_3.add_(one).mul_(again_2).add_(one).mul_(again_1)
    good = one - failing
    at_last = failing.mul(_unless(conditions.retry_1, good, again_1))
    at_last.mul_(_unless(conditions.retry_2, good, again_1)).mul_(_unless(conditions.retry_3, good, again_2))

    tries = repeats + one
    backing_off_s = torch.mul(conditions.backoff_s, repeats, out=good)
    seconds = attempt_s.mul_(tries).add_(backing_off_s).mul_(conditions.passes)
    spent = conditions.time_gain * seconds
    spent_var = variation.clamp_(max=4.0).add_(conditions.optional).mul_(seconds.mul_(spent))
    lost = torch.sub(one, at_last, out=at_last).mul_(conditions.passes)
    lost = torch.sub(one, lost, out=lost).mul_(conditions.fail_gain)
    lost = lost.clamp_(max=0.999).neg_().log1p_()

    first = source_rps.mul_(conditions.flow_gain).mul_(conditions.passes)
    rate = tries.mul_(first).add_(conditions.extra_calls)
    zeros = torch.zeros_like(latency_s).view(-1)
    return CallOutcome(
        call_failure=failing,
        call_rate=rate,
        retry_rate=repeats.mul_(first),
        timeout_rate=late.mul_(rate),
        downstream_s=zeros.scatter_add(0, wiring.source, spent).view_as(latency_s),
        downstream_var=zeros.scatter_add(0, wiring.source, spent_var).view_as(latency_s),
        log_success=zeros.scatter_add(0, wiring.source, lost).view_as(latency_s),
    )


def _unless(retried: Float[Tensor, " K"], good: Float[Tensor, " K"], out: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Return one minus the chance that a repeated attempt is made and good, in the memory of ``out``."""
    return torch.sub(scalar(1.0), torch.mul(retried, good, out=out), out=out)


def inflow_rps(flow: Flow, wiring: Wiring) -> Float[Tensor, "W N"]:
    """Return the calls per second that reach each entity from the others."""
    zeros = torch.zeros_like(flow.rate).view(-1)
    return zeros.scatter_add(0, wiring.target, flow.call_rate.view(-1)).view_as(flow.rate)
