"""What was done before a decision, by people and by autoscalers, as a log would show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.courses import plain_parameters
from opswm.simulation.kernel.incidents import Request


@dataclass(frozen=True)
class Answer:
    """What somebody said to a proposal, and when; nobody answers within the time allowed where it ``expired``."""

    status: Literal["approved", "rejected", "expired"]
    responder: str
    at_s: float


@dataclass(frozen=True)
class Choice:
    """How an action came to be chosen.

    Attributes:
        policy_id: Who chose.
        candidates: Names of the courses considered, the chosen one among them.
        propensity: True chance with which it was chosen.
    """

    policy_id: str
    candidates: tuple[str, ...]
    propensity: float


@dataclass(frozen=True)
class Done:
    """One past action, or one that was asked for and came to nothing.

    Attributes:
        ability, level: What was done; an autoscaler's is a ``scale_horizontal``.
        params: Its plain parameters.
        requested_s: When it was asked of the system.
        effect_s: When it took effect, failed, or was given up.
        succeeds: Whether it had an effect.
        automatic: Whether an autoscaler did it.
        ended: How it came to nothing before it could succeed or fail: refused, left without an answer, or started and
            then given up; empty where it ran its course.
        proposed_s: When somebody was asked to approve it; None where nobody had to be.
        answer: What they said.
        choice: How it was chosen; None where that is not known.
    """

    ability: Ability
    level: Level
    params: dict[str, float | int | str | bool]
    requested_s: float
    effect_s: float
    succeeds: bool
    automatic: bool
    ended: Literal["", "rejected", "expired", "cancelled"] = ""
    proposed_s: float | None = None
    answer: Answer | None = None
    choice: Choice | None = None

    @property
    def was_asked_of_system(self) -> bool:
        """Whether it went beyond a proposal; what did not is no input to a model, as no system ever met it."""
        return self.ended not in ("rejected", "expired")


def past_actions(
    blueprint: Blueprint,
    requests: Sequence[Request],
    effect_s: NDArray[np.float32],
    succeeds: NDArray[np.bool_],
    scaled: NDArray[np.float32],
    desired: NDArray[np.float32],
    first_s: float,
) -> list[Done]:
    """Return past actions in the order they were asked for.

    Args:
        blueprint: The system.
        requests: What people asked for, in the order of the tape's slots.
        effect_s: Of each slot, from ``forcings.Schedule``.
        succeeds: Likewise.
        scaled: Replicas that autoscalers added per tick and entity.
        desired: Replicas asked for at the end of each tick.
        first_s: Second at which the first of these ticks begins.
    """
    done = [
        Done(
            request.ability,
            request.level,
            plain_parameters(blueprint, request.ability, request.level),
            request.requested_s,
            float(effect_s[slot]),
            bool(succeeds[slot]),
            False,
        )
        for slot, request in enumerate(requests)
    ]
    for tick, entity in zip(*np.nonzero(scaled), strict=True):
        if entity >= len(blueprint.parts):
            continue
        level = Level(float(round(float(desired[tick, entity]))))
        ability = _scaling(blueprint, blueprint.parts[entity].name)
        at = first_s + (int(tick) + 1) * blueprint.step_s - 1.0
        done.append(Done(ability, level, plain_parameters(blueprint, ability, level), at, at, True, True))
    return sorted(done, key=lambda action: action.requested_s)


def _scaling(blueprint: Blueprint, name: str) -> Ability:
    for ability in blueprint.abilities:
        if ability.type == "scale_horizontal" and ability.target == name:
            return ability
    return Ability("scale_horizontal", name, ())
