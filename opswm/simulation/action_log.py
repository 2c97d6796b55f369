"""Past actions of a simulated world as the records a change log would hold."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from opswm.simulation.embodiment import typed_parameters
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.past import Done
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
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
    began_s = done.requested_s + STARTS_AFTER_SHARE * (done.effect_s - done.requested_s)
    ending = "succeeded" if done.succeeds else "failed"
    facts = [("scheduled", done.requested_s), ("started", began_s), (ending, done.effect_s)]
    system = "autoscaler" if done.automatic else "change-log"
    actor = Actor(kind="autoscaler", id="hpa") if done.automatic else Actor(kind="human", id="on-call")
    return Action(
        action_id=f"act-{name}",
        tenant_id=descriptor.tenant_id,
        system_id=descriptor.system_id,
        type=done.ability.type,  # type: ignore[arg-type]
        target=Target(entity_id=done.ability.target),
        resolved_targets=[done.ability.target],
        params=typed_parameters(blueprint, done.ability, done.level),
        transitions=[
            Transition.observed(start + timedelta(seconds=at_s), status=status, source=system)
            for status, at_s in facts
            if at_s <= until_s
        ],
        actor=actor,
        source=Source(system=system, event_id=name),
        reversibility=done.ability.reversibility,
    )
