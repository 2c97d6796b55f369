"""What rules a course out whatever a model says; blocked courses are shown, never advised."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from opswm.errors import BadInputError
from opswm.planning.readings import Readings
from opswm.timeline.timeline import Timeline
from opswm.windows.capabilities import matching_capability, targets_of
from opswm.windows.past import requested_at
from opswm_schemas.capability import Capability, Condition, validate_parameters
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.kinds import Reversibility
from opswm_schemas.questions import CandidateAction, Course

_REVERSIBILITIES: tuple[Reversibility, ...] = ("reversible", "partly_reversible", "irreversible")


@dataclass(frozen=True)
class Candidate:
    """A course with what the descriptor says about doing it.

    Attributes:
        course: What is asked for.
        cost_bad_minutes: What doing it costs in itself.
        reversibility: The worst of its actions.
        reconciled_by: What would undo any of them by itself.
        approvals_needed: The most that any of them needs.
        blocked_by: Why it must not be done; empty where nothing forbids it.
    """

    course: Course
    cost_bad_minutes: float = 0.0
    reversibility: Reversibility = "reversible"
    reconciled_by: tuple[str, ...] = ()
    approvals_needed: int = 0
    blocked_by: tuple[str, ...] = ()


def resolve(descriptor: SystemDescriptor, action: CandidateAction, course_id: str) -> Capability:
    """Return the capability that an action uses.

    Args:
        descriptor: The system.
        action: Any action but ``no_op``.
        course_id: Its course, for messages.

    Raises:
        BadInputError: When the target is unknown, or no capability allows this type on it, or the named one
            is unknown or another's, or a fault injection is asked about.
    """
    where = f"course {course_id!r}"
    if action.params.type == "fault_injection":
        raise BadInputError(f"{where} injects a fault: faults are recorded for training, never ranked")
    if action.target not in {entity.entity_id for entity in descriptor.entities}:
        raise BadInputError(f"{where} aims at {action.target!r}, which system {descriptor.system_id!r} lacks")
    found = matching_capability(descriptor, action.params, action.target, action.capability_id)
    if found is not None:
        return found
    if action.capability_id is not None:
        known = {capability.capability_id for capability in descriptor.capabilities}
        if action.capability_id not in known:
            raise BadInputError(f"{where} names capability {action.capability_id!r}, which the descriptor lacks")
        raise BadInputError(
            f"{where}: capability {action.capability_id!r} does not allow {action.params.type!r} on {action.target!r}"
        )
    offered = sorted({capability.type for capability in descriptor.capabilities if action.target in capability.targets})
    raise BadInputError(
        f"{where}: no capability allows {action.params.type!r} on {action.target!r}; it can be given "
        f"{', '.join(offered) or 'nothing'} (add a capability to the descriptor to change that)"
    )


def check_candidate(descriptor: SystemDescriptor, action: CandidateAction) -> Capability:
    """Return the capability of a single request that lies within its bounds; the present state is not looked at.

    Args:
        descriptor: The system.
        action: What is asked for.

    Raises:
        BadInputError: As :func:`resolve` does, or when a parameter is out of bounds.
    """
    capability = resolve(descriptor, action, action.params.type)
    problems = validate_parameters(capability, action.params)
    if problems:
        raise BadInputError(f"capability {capability.capability_id!r}: {'; '.join(problems)}")
    return capability


def check(descriptor: SystemDescriptor, timeline: Timeline, readings: Readings, course: Course) -> Candidate:
    """Return a course with all that blocks it.

    A condition that cannot be checked, because nothing recent was measured, blocks as well.

    Args:
        descriptor: The system.
        timeline: Up to the decision, with the action log known by then.
        readings: The present state.
        course: Any course.

    Raises:
        BadInputError: As :func:`resolve` does.
    """
    actions = [action for action in course.actions if action.params.type != "no_op"]
    used = [(action, resolve(descriptor, action, course.course_id)) for action in actions]
    blocked: list[str] = []
    for action, capability in used:
        blocked += [f"bound: {problem}" for problem in validate_parameters(capability, action.params)]
        blocked += _unmet(action, capability, readings)
        blocked += _cooling_down(descriptor, timeline, action, capability)
    capabilities = [capability for _, capability in used]
    return Candidate(
        course=course,
        cost_bad_minutes=math.fsum(capability.cost_bad_minutes for capability in capabilities),
        reversibility=max((c.reversibility for c in capabilities), key=_REVERSIBILITIES.index, default="reversible"),
        reconciled_by=tuple(sorted({name for capability in capabilities for name in capability.reconciled_by})),
        approvals_needed=max((capability.approvals_needed for capability in capabilities), default=0),
        blocked_by=tuple(dict.fromkeys(blocked)),
    )


def unmet_preconditions(action: CandidateAction, capability: Capability, readings: Readings) -> bool:
    """Return whether a precondition is known not to hold, so that the action is no candidate at all.

    Args:
        action: What is asked for.
        capability: What it uses.
        readings: The present state.
    """
    return any(readings.holds(condition, action.target) is False for condition in capability.preconditions)


def _unmet(action: CandidateAction, capability: Capability, readings: Readings) -> list[str]:
    found: list[str] = []
    for conditions, wanted, word in (
        (capability.preconditions, True, "needs"),
        (capability.forbid_if, False, "forbidden if"),
    ):
        for condition in conditions:
            holds = readings.holds(condition, action.target)
            if holds is None:
                found.append(
                    f"cannot be checked: {word} {_say(condition, action.target)}, and nothing recent is measured"
                )
            elif holds is not wanted:
                found.append(
                    f"{word} {_say(condition, action.target)}{f' ({condition.reason})' if condition.reason else ''}"
                )
    return found


def _say(condition: Condition, target: str) -> str:
    return f"{condition.meaning} of {condition.entity_id or target} {condition.comparison} {condition.threshold:g}"


def _cooling_down(
    descriptor: SystemDescriptor, timeline: Timeline, action: CandidateAction, capability: Capability
) -> list[str]:
    if not capability.cooldown_s:
        return []
    last: datetime | None = None
    for past in timeline.actions:
        if past.type == action.params.type and action.target in targets_of(descriptor, past):
            moment = requested_at(past, timeline.at)
            if moment is not None and moment <= timeline.at and (last is None or moment > last):
                last = moment
    if last is None:
        return []
    asked = timeline.at + timedelta(seconds=action.delay_ticks * descriptor.step_s)
    left = capability.cooldown_s - (asked - last).total_seconds()
    if left <= 0.0:
        return []
    ago = (timeline.at - last).total_seconds()
    return [f"cooldown: {action.params.type} was asked of {action.target} {ago:.0f} s ago; wait another {left:.0f} s"]
