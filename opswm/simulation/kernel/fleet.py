"""Replicas over time: starts and warm-up, crashes for want of memory, rolling restarts and the autoscaler."""

from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel.parameters import Entities
from opswm.simulation.kernel.scalars import scalar
from opswm.simulation.kernel.state import SCALE_DOWN_CALM_S, Fleet, Resources

SCALER_PERIOD_S: Final = 15.0
SCALER_TOLERANCE: Final = 0.1
LOW_RATIO: Final = 0.6
CRASH_SHARE: Final = 0.34


@dataclass(frozen=True)
class Loss:
    """Replicas that go away together: how many, and the share of the entity's work that goes with them."""

    replicas: Float[Tensor, "W N"]
    share: Float[Tensor, "W N"]


def add_starting(fleet: Fleet, entities: Entities, more: Float[Tensor, "W N"]) -> Fleet:
    """Return the fleet with ``more`` replicas on their way; the timer of those under way is averaged in."""
    starting = fleet.starting + more
    left = (fleet.start_left_s * fleet.starting + entities.start_s * more) / starting.clamp(min=1e-6)
    return replace(fleet, starting=starting, start_left_s=left)


def lose(fleet: Fleet, entities: Entities, replicas: Float[Tensor, "W N"]) -> tuple[Fleet, Loss]:
    """Return the fleet after ``replicas`` of the ready ones went away and their replacements were ordered."""
    gone = torch.minimum(replicas, fleet.ready)
    loss = Loss(gone, gone / fleet.ready.clamp(min=1.0))
    fleet = replace(fleet, ready=fleet.ready - gone, restarts=fleet.restarts + gone)
    return add_starting(fleet, entities, gone), loss


def advance_fleet(fleet: Fleet, entities: Entities) -> Fleet:
    """Return the fleet one second later: starts finish, warm-up fades, missing replicas are ordered, extra leave."""
    one = scalar(1.0)
    passed_s = one - fleet.pending
    left = (fleet.start_left_s - passed_s) * (fleet.starting > 0)
    arrived = fleet.starting * (left <= 0)
    ready = fleet.ready + arrived
    cold = (fleet.cold * fleet.ready + arrived) / ready.clamp(min=1.0)
    cold = cold * torch.exp(scalar(-1.0) / entities.warmup_s)
    fleet = replace(
        fleet,
        ready=ready,
        starting=fleet.starting - arrived,
        start_left_s=left.clamp(min=0.0),
        cold=cold,
        rolling_left_s=(fleet.rolling_left_s - passed_s).clamp(min=0.0),
    )
    surplus = (fleet.ready - fleet.desired).clamp(min=0.0)
    healthy = fleet.ready - surplus
    fleet = replace(
        fleet, ready=healthy, stuck=torch.minimum(fleet.stuck, healthy), gray=torch.minimum(fleet.gray, healthy)
    )
    return add_starting(fleet, entities, (fleet.desired - fleet.ready - fleet.starting).clamp(min=0.0))


def autoscale(fleet: Fleet, entities: Entities) -> Fleet:
    """Return the fleet after the autoscaler looked at it: desired = ready * utilisation / target, with a dead band.

    The rule is that of the Kubernetes HorizontalPodAutoscaler (v2): every 15 s, tolerance 0.1, slow to scale down.
    Bounds that an operator set hold for whatever number there is.

    Args:
        fleet: The fleet, with the policy of its autoscaler.
        entities: Where autoscalers are.
    """
    one, calm_s = scalar(1.0), scalar(SCALE_DOWN_CALM_S)
    wait = fleet.scaler_wait_s - one
    looks = (wait <= 0).float() * entities.scaler_on
    ratio = fleet.utilization / fleet.scaler_target
    wanted = torch.ceil(fleet.ready.clamp(min=1.0) * ratio)
    wanted = torch.minimum(torch.maximum(wanted, fleet.scaler_min), fleet.scaler_max)
    low = (ratio < LOW_RATIO).float()
    calm = (fleet.calm_left_s - one) * low + calm_s * (one - low)
    up = looks * (ratio > 1.0 + SCALER_TOLERANCE) * (wanted > fleet.desired)
    down = looks * (calm <= 0) * (wanted < fleet.desired) * (fleet.starting <= 0)
    change = up * (wanted - fleet.desired) - down
    bound = torch.minimum(torch.maximum(fleet.desired + change, fleet.scaler_min), fleet.scaler_max)
    change = torch.where(looks * fleet.scaler_set > 0, bound - fleet.desired, change)
    return replace(
        fleet,
        desired=fleet.desired + change,
        scaled=fleet.scaled + change,
        scaler_wait_s=wait + looks * (scalar(SCALER_PERIOD_S) - wait),
        calm_left_s=calm + down * (calm_s - calm),
    )


def crash_for_memory(
    fleet: Fleet, resources: Resources, entities: Entities
) -> tuple[Fleet, Resources, Bool[Tensor, "W N"]]:
    """Return fleet and resources after the kernel killed a third of the replicas that ran out of memory.

    Args:
        fleet: The fleet.
        resources: Memory ratio 1 and above means out of memory.
        entities: Start times and the memory of a fresh replica.
    """
    out = (resources.memory >= 1.0) & (fleet.ready > 0)
    fleet, loss = lose(fleet, entities, torch.ceil(fleet.ready * scalar(CRASH_SHARE)) * out)
    return fleet, freed(resources, entities, loss.share), out


def freed(resources: Resources, entities: Entities, share: Float[Tensor, "W N"]) -> Resources:
    """Return the resources after ``share`` of the replicas was replaced by fresh ones."""
    return replace(resources, memory=resources.memory + (entities.memory_ratio - resources.memory) * share)
