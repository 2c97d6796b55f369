"""Past actions of a simulated world as the records a change log would hold."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from opswm.simulation.embodiment import typed_parameters
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.past import Answer, Done
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import NoOp, Parameters
from opswm_schemas.actions.record import Action, Actor, Approval, Source, Target, Transition
from opswm_schemas.descriptor import SystemDescriptor

STARTS_AFTER_SHARE = 0.3
"""Share of the time from request to effect that passes before work starts."""


def logged_actions(
    blueprint: Blueprint,
    done: Sequence[Done],
    descriptor: SystemDescriptor,
    start: datetime,
    seed: int,
    until_s: float,
) -> list[Action]:
    """Return the actions with the transitions that had happened by a moment.

    Args:
        blueprint: The system.
        done: What people and autoscalers did.
        descriptor: Of the system.
        start: Instant of second 0.
        seed: Of the world, for ids.
        until_s: Nothing later is told.
    """
    return [
        _action(blueprint, action, descriptor, start, f"{seed}-{number}", until_s) for number, action in enumerate(done)
    ]


def _action(
    blueprint: Blueprint, done: Done, descriptor: SystemDescriptor, start: datetime, name: str, until_s: float
) -> Action:
    system = "autoscaler" if done.automatic else "change-log"
    actor = Actor(kind="autoscaler", id="hpa") if done.automatic else Actor(kind="human", id="on-call")
    choice, answer = done.choice, done.answer
    told = answer is not None and answer.at_s <= until_s
    return Action(
        action_id=f"act-{name}",
        tenant_id=descriptor.tenant_id,
        system_id=descriptor.system_id,
        type=done.ability.type,  # type: ignore[arg-type]
        target=Target(entity_id=done.ability.target),
        resolved_targets=[done.ability.target],
        params=_parameters(blueprint, done),
        transitions=[
            Transition.observed(start + timedelta(seconds=at_s), status=status, source=system)
            for status, at_s in _facts(done)
            if at_s <= until_s
        ],
        approvals=[_approval(answer, start)] if answer is not None and told else [],
        actor=actor,
        source=Source(system=system, event_id=name),
        policy_id=None if choice is None else choice.policy_id,
        candidates_considered=[] if choice is None else list(choice.candidates),
        propensity=None if choice is None else choice.propensity,
        reversibility=done.ability.reversibility,
    )


def _facts(done: Done) -> list[tuple[ActionStatus, float]]:
    """Return the changes of status that an action went through, in order."""
    facts: list[tuple[ActionStatus, float]] = []
    if done.proposed_s is not None:
        facts.append(("proposed", done.proposed_s))
    if done.answer is not None:
        facts.append((done.answer.status, done.answer.at_s))
    if not done.was_asked_of_system:
        return facts
    began_s = done.requested_s + STARTS_AFTER_SHARE * (done.effect_s - done.requested_s)
    facts += [("scheduled", done.requested_s), ("started", began_s)]
    if done.ended == "cancelled":
        return [*facts, ("cancelled", done.effect_s)]
    return [*facts, ("succeeded" if done.succeeds else "failed", done.effect_s)]


def _parameters(blueprint: Blueprint, done: Done) -> Parameters:
    if done.ability.type == "no_op":
        return NoOp(window_s=max(1.0, done.effect_s - done.requested_s))
    return typed_parameters(blueprint, done.ability, done.level)


def _approval(answer: Answer, start: datetime) -> Approval:
    """Return an answer as CDEvents tells it: silence is a decision put off and a request that ran out."""
    decision: Literal["approved", "rejected", "deferred"] = "deferred" if answer.status == "expired" else answer.status
    at = start + timedelta(seconds=answer.at_s)
    return Approval.observed(at, decision=decision, status=answer.status, responder=answer.responder)
