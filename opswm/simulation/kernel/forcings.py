"""Forcings: which actions are requested of which world and when; delay, failure and effect are dynamics."""

from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.parameters import Operations


@dataclass(frozen=True)
class ActionTape:
    """Requested actions, ``A`` slots per world.

    Attributes:
        there: Which slots are filled.
        type: Index into ``opswm_schemas.vocabulary.ACTION_TYPES``.
        target: Entity aimed at.
        edge: Call edge meant by a feature flag, -1 elsewhere.
        amount: The first number of the parameters: replicas, fraction, limit, connections, count, weight, timeout.
        second: The next number (burst, retries, grace), -1 where left as it is.
        option: Which operation, by its position in the type's list of choices.
        third: One number more (the ratio an autoscaler aims at), -1 where left as it is.
        requested_s: Second of the request.
    """

    there: Bool[Tensor, "W A"]
    type: Int[Tensor, "W A"]
    target: Int[Tensor, "W A"]
    edge: Int[Tensor, "W A"]
    amount: Float[Tensor, "W A"]
    second: Float[Tensor, "W A"]
    option: Int[Tensor, "W A"]
    third: Float[Tensor, "W A"]
    requested_s: Float[Tensor, "W A"]


@dataclass(frozen=True)
class Schedule:
    """When requested actions take effect.

    Attributes:
        effect_s: Second of the effect.
        succeeds: Whether there is one; a failed action ends at the same second without any.
    """

    effect_s: Float[Tensor, "W A"]
    succeeds: Bool[Tensor, "W A"]


Slots = TypeVar("Slots", ActionTape, Schedule)


def empty_tape(worlds: int, slots: int = 1) -> ActionTape:
    """Return a tape without any action: everybody waits."""
    whole = torch.zeros(worlds, slots, dtype=torch.int64)
    number = torch.zeros(worlds, slots)
    return ActionTape(
        there=whole.bool(), type=whole.clone(), target=whole.clone(), edge=whole - 1, amount=number.clone(),
        second=number - 1.0, option=whole.clone(), third=number - 1.0, requested_s=number.clone(),
    )  # fmt: skip


def join_slots(first: Slots, then: Slots) -> Slots:
    """Return one tape (or schedule) per world with the slots of both."""
    return type(first)(
        **{field.name: torch.cat([getattr(first, field.name), getattr(then, field.name)], 1) for field in fields(first)}
    )


def schedule(tape: ActionTape, operations: Operations, seeds: Int[Tensor, " W"]) -> Schedule:
    """Return when each request takes effect and whether it succeeds.

    Both are keyed by what is requested (type, target, second), not by its slot: the same request meets the same delay
    in every course, and another request beside it changes nothing.

    Args:
        tape: The requests.
        operations: Delays and failure ratios of each world.
        seeds: One seed per world and exogenous future.
    """
    what = (tape.type * 4096 + tape.target).to(torch.int32) ^ (tape.requested_s.to(torch.int32) * 131)
    keys = noise.mix(what + seeds[:, None])
    z = noise.normal(noise.uniform(noise.draw(keys, int(noise.Purpose.ACTION_DELAY))))
    u = noise.uniform(noise.draw(keys, int(noise.Purpose.ACTION_FAILURE)))
    delay = operations.delay_s.gather(1, tape.type) * torch.exp(operations.spread.gather(1, tape.type) * z)
    effect = torch.floor(tape.requested_s + delay.clamp(min=1.0))
    return Schedule(effect_s=effect, succeeds=(u >= operations.failure_ratio.gather(1, tape.type)) & tape.there)


def due_at(tape: ActionTape, plan: Schedule, second: int) -> Bool[Tensor, "W A"]:
    """Return which actions take effect during one second."""
    return (plan.effect_s == second) & plan.succeeds & tape.there
