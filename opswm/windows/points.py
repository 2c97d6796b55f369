"""Decision points in a log: where something was asked of the system, and where deliberately nothing was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from opswm.windows.capabilities import targets_of
from opswm.windows.past import requested_at
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course

NO_OP: Final = Course(course_id="no_op")
"""The course that every other is compared with."""


@dataclass(frozen=True)
class LoggedPoint:
    """A moment in a log and what was then asked for.

    Attributes:
        at: The decision.
        course: What was done; without actions where nothing was.
        action_ids: The logged actions that make it up, which must not be read as its past.
    """

    at: datetime
    course: Course
    action_ids: tuple[str, ...]


def logged_points(
    descriptor: SystemDescriptor,
    actions: Sequence[Action],
    since: datetime,
    until: datetime,
    horizon_ticks: int,
    spacing_ticks: int,
) -> list[LoggedPoint]:
    """Return the decision points of a log, in time order.

    Requests within one tick of each other are one course. A point is left out when people ask for anything else
    before its horizon ends, as its outcome would be theirs too; autoscalers may act, being part of the dynamics.

    Args:
        descriptor: The system.
        actions: Its log; read as known at the end of each horizon.
        since: First decision wanted.
        until: No horizon may reach beyond.
        horizon_ticks: Length of the outcome.
        spacing_ticks: One point where nothing is asked for in so many ticks.
    """
    step = timedelta(seconds=descriptor.step_s)
    horizon, cut = horizon_ticks * step, until
    asked = [(moment, action) for action in actions if (moment := requested_at(action, cut)) is not None]
    asked = [(moment, action) for moment, action in asked if targets_of(descriptor, action) and action.type != "no_op"]
    asked.sort(key=lambda item: (item[0], item[1].action_id))
    by_people = [(moment, action) for moment, action in asked if action.actor.kind != "autoscaler"]
    points: list[LoggedPoint] = []
    index = 0
    while index < len(asked):
        at = asked[index][0]
        together = [action for moment, action in asked[index:] if moment < at + step]
        index += len(together)
        others = [a for moment, a in by_people if at <= moment <= at + horizon and a not in together]
        if since <= at and at + horizon <= until and not others and len(together) <= 8:
            points.append(_point(descriptor, at, together))
    at = since
    while at + horizon <= until:
        if not any(at <= moment <= at + horizon for moment, _ in by_people):
            points.append(_point(descriptor, at, []))
        at += spacing_ticks * step
    return sorted(points, key=lambda point: (point.at, point.course.course_id))


def _point(descriptor: SystemDescriptor, at: datetime, together: Sequence[Action]) -> LoggedPoint:
    identifiers = tuple(action.action_id for action in together)
    requests = [CandidateAction(target=targets_of(descriptor, action)[0], params=action.params) for action in together]
    return LoggedPoint(at, Course(course_id=identifiers[0], actions=requests) if requests else NO_OP, identifiers)
