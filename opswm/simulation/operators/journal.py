"""What a log says of an operator's work: choices with their chances, answers, endings, and gaps."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.courses import plain_parameters
from opswm.simulation.kernel.past import Answer, Choice, Done, past_actions
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.operators.desk import Decision, Desk, Task
from opswm.simulation.operators.habits import RESPONDER, Habits
from opswm.simulation.operators.logged import course_id

GIVEN_UP_SHARE = 0.65
"""Share of the time from request to effect after which abandoned work is cancelled; it has started by then."""

_DESIRED = SIGNALS.index("replicas_desired")


def journal(blueprint: Blueprint, desk: Desk, habits: Habits) -> tuple[list[Done], list[Done]]:
    """Return what the log says a person did, and what was done and is missing from it.

    A deliberate wait is logged, on the entity of the first objective; so are proposals that came to nothing.

    Args:
        blueprint: The system.
        desk: The person's work.
        habits: Of the person.
    """
    logged: list[Done] = []
    unlogged: list[Done] = []
    for number, decision in enumerate(desk.decisions):
        names = tuple(course_id(blueprint, course) for course in decision.courses)
        choice = Choice(decision.policy_id, names, decision.propensity[decision.chosen])
        if not decision.course:
            logged.append(_wait(blueprint, decision, choice, habits))
            continue
        if not decision.fate.goes_ahead:
            logged += _refused(blueprint, decision, choice)
            continue
        done = [_carried_out(blueprint, decision, t, choice) for t in desk.tasks if t.decision == number]
        (logged if decision.fate.logged else unlogged).extend(done)
    return logged, unlogged


def autoscaled(
    blueprint: Blueprint, scaled: Float[Tensor, "T N"], exact: Float[Tensor, "T N C"], first_s: float
) -> list[Done]:
    """Return what autoscalers did.

    Args:
        blueprint: The system.
        scaled: Replicas that they added per tick.
        exact: Signals of the same ticks.
        first_s: Second at which the first of these ticks begins.
    """
    none = np.zeros(0, dtype=np.float32)
    return past_actions(blueprint, (), none, none.astype(bool), scaled.numpy(), exact[..., _DESIRED].numpy(), first_s)


def _wait(blueprint: Blueprint, decision: Decision, choice: Choice, habits: Habits) -> Done:
    ability = Ability("no_op", blueprint.goals[0].entity, (), cost=0.0)
    until_s = decision.at_s + habits.look_again_s
    return Done(ability, Level(), {"window_s": habits.look_again_s}, decision.at_s, until_s, True, False, choice=choice)


def _refused(blueprint: Blueprint, decision: Decision, choice: Choice) -> list[Done]:
    fate, found = decision.fate, []
    assert fate.answer in ("rejected", "expired")
    until_s = decision.at_s + fate.answered_after_s
    for request in decision.course:
        found.append(
            Done(
                request.ability,
                request.level,
                plain_parameters(blueprint, request.ability, request.level),
                decision.at_s,
                until_s,
                False,
                False,
                ended=fate.answer,
                proposed_s=decision.at_s,
                answer=Answer(fate.answer, RESPONDER, until_s),
                choice=choice,
            )
        )
    return found


def _carried_out(blueprint: Blueprint, decision: Decision, task: Task, choice: Choice) -> Done:
    request, asked = task.request, decision.fate.answer == "approved"
    took_s = task.effect_s - request.requested_s
    return Done(
        request.ability,
        request.level,
        plain_parameters(blueprint, request.ability, request.level),
        request.requested_s,
        request.requested_s + GIVEN_UP_SHARE * took_s if task.abandoned else task.effect_s,
        task.succeeds,
        False,
        ended="cancelled" if task.abandoned else "",
        proposed_s=decision.at_s if asked else None,
        answer=Answer("approved", RESPONDER, request.requested_s) if asked else None,
        choice=choice,
    )
