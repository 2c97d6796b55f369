"""The truth about candidate courses of a simulated decision point, as the benchmark defines it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from opswm.simulation.embodiment import capability_id
from opswm.simulation.kernel.blueprint import Ability, Blueprint
from opswm.simulation.kernel.branching import Branches, noise_floor, truth
from opswm.simulation.kernel.courses import level_of
from opswm.simulation.kernel.episodes import Lived, branch_courses
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.rows import take_rows
from opswm_schemas.actions.parameters import TrafficShift
from opswm_schemas.questions import CandidateAction, Course

FIRST_FUTURES: Final = 8
MOST_FUTURES: Final = 64
DEFERRED_FACTOR: Final = 4


@dataclass(frozen=True)
class Outcome:
    """What one course truly does.

    Attributes:
        course_id: The course.
        cost_bad_minutes: Mean SLO cost over the horizon, what the actions cost included.
        effect_bad_minutes, effect_error: Mean difference to waiting, and its standard error.
        deferred_effect_bad_minutes: The same over four horizons, None where it was not asked for.
        recovery_min: Mean minutes to recovery, the horizon where there is none within it.
        failed_requests: Mean number of bad first attempts.
        is_tied_with_best: Whether no course is better by more than the noise floor.
    """

    course_id: str
    cost_bad_minutes: float
    effect_bad_minutes: float
    effect_error: float
    deferred_effect_bad_minutes: float | None
    recovery_min: float
    failed_requests: float
    is_tied_with_best: bool


@dataclass(frozen=True)
class Verdict:
    """The truth about one decision point.

    Attributes:
        outcomes: In the order of the courses.
        noise_floor_bad_minutes: Difference below which courses are tied.
        num_futures: Exogenous futures that the means are over.
        is_settled: Whether every standard error is at most a quarter of the noise floor.
    """

    outcomes: tuple[Outcome, ...]
    noise_floor_bad_minutes: float
    num_futures: int
    is_settled: bool


def true_outcomes(
    lived: Lived,
    row: int,
    courses: Sequence[Course],
    horizon_ticks: int = 32,
    most_futures: int = MOST_FUTURES,
    deferred: bool = False,
) -> Verdict:
    """Return what each course does from the true state, in exogenous futures that all courses share.

    Starts with eight futures and doubles them until standard errors are at most a quarter of the noise floor.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        courses: Candidates; the first must wait.
        horizon_ticks: How far to look.
        most_futures: Where doubling stops.
        deferred: Whether to look four horizons ahead as well, once, for harm that comes later.

    Raises:
        ValueError: When the first course does not wait, or an action is one that simulated systems lack.
    """
    if not courses or not courses[0].is_no_op:
        raise ValueError("the first course must be no_op: every effect is a difference to it")
    alone, blueprint = _one_world(lived, row), lived.blueprints[row]
    asked = [[requests_of(blueprint, course, lived.decision_s) for course in courses]]
    futures = FIRST_FUTURES
    branches = branch_courses(alone, asked, horizon_ticks, range(1, futures + 1))
    found = truth(branches, horizon_ticks, blueprint.step_s)
    while not bool(found.settled[0]) and futures < most_futures:
        more = branch_courses(alone, asked, horizon_ticks, range(futures + 1, 2 * futures + 1))
        branches, futures = _joined(branches, more), 2 * futures
        found = truth(branches, horizon_ticks, blueprint.step_s)
    later = None
    if deferred:
        longer = branch_courses(alone, asked, DEFERRED_FACTOR * horizon_ticks, range(1, FIRST_FUTURES + 1))
        later = truth(longer, DEFERRED_FACTOR * horizon_ticks, blueprint.step_s).effect[0].tolist()
    recovery, failed = branches.recovery_min.mean(-1)[0], branches.failed.mean(-1)[0]
    outcomes = tuple(
        Outcome(
            course_id=course.course_id,
            cost_bad_minutes=float(found.cost[0, index]),
            effect_bad_minutes=float(found.effect[0, index]),
            effect_error=float(found.effect_error[0, index]),
            deferred_effect_bad_minutes=None if later is None else float(later[index]),
            recovery_min=float(recovery[index]),
            failed_requests=float(failed[index]),
            is_tied_with_best=bool(found.tied[0, index]),
        )
        for index, course in enumerate(courses)
    )
    return Verdict(outcomes, noise_floor(horizon_ticks, blueprint.step_s), futures, bool(found.settled[0]))


def requests_of(blueprint: Blueprint, course: Course, decision_s: int) -> tuple[Request, ...]:
    """Return what a course asks of a simulated system.

    Args:
        blueprint: The system.
        course: With typed parameters.
        decision_s: Second of the decision.

    Raises:
        ValueError: When the system has no such entity, or cannot carry out the action.
    """
    return tuple(_request(blueprint, action, decision_s) for action in course.actions if action.params.type != "no_op")


def _request(blueprint: Blueprint, action: CandidateAction, decision_s: int) -> Request:
    blueprint.index(action.target)
    params = action.params
    plain: dict[str, Any] = params.model_dump(by_alias=True)
    if isinstance(params, TrafficShift):
        plain = {"target_weight_ratio": params.weights.get(action.target, 1.0 - max(params.weights.values()))}
    level = level_of(params.type, plain)
    requested_s = float(decision_s + action.delay_ticks * blueprint.step_s)
    return Request(_ability(blueprint, action, str(plain.get("key") or "")), level, requested_s)


def _ability(blueprint: Blueprint, action: CandidateAction, feature: str) -> Ability:
    """Return the ability that is meant; one that the system lacks costs nothing and has no stated effect."""
    meant = [a for a in blueprint.abilities if a.type == action.params.type and a.target == action.target]
    if action.capability_id is not None:
        meant = [ability for ability in meant if capability_id(ability) == action.capability_id] or meant
    if feature:
        meant = [ability for ability in meant if ability.feature == feature]
        if not meant:
            raise ValueError(f"{blueprint.name!r}: {action.target!r} has no flag {feature!r}")
    return meant[0] if meant else Ability(action.params.type, action.target, ())


def _one_world(lived: Lived, row: int) -> Lived:
    rows = torch.tensor([row])
    return replace(
        lived,
        world_seeds=(lived.world_seeds[row],),
        blueprints=(lived.blueprints[row],),
        incidents=(lived.incidents[row],),
        done=(lived.done[row],),
        **{name: take_rows(getattr(lived, name), rows) for name in ("parameters", "state", "past", "past_plan")},
        **{name: getattr(lived, name)[rows] for name in ("value", "seen", "exact", "bad_share")},
    )


def _joined(first: Branches, then: Branches) -> Branches:
    return Branches(
        **{
            name: torch.cat([getattr(first, name), getattr(then, name)], 2)
            for name in ("bad_share", "cost", "failed", "recovery_min")
        }
    )
