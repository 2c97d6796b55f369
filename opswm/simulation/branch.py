"""The truth about candidate courses of a simulated decision point, as the benchmark defines it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from opswm.simulation.embodiment import capability_id
from opswm.simulation.kernel import episodes
from opswm.simulation.kernel.blueprint import Ability, Blueprint
from opswm.simulation.kernel.branching import Branches, noise_floor, truth
from opswm.simulation.kernel.courses import level_of
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.rows import take_rows
from opswm_schemas.actions.parameters import TrafficShift
from opswm_schemas.questions import CandidateAction, Course

FIRST_FUTURES: Final = 8
MOST_FUTURES: Final = 64
DEFERRED_FACTOR: Final = 4

Continue = Callable[[Any, int, Sequence[episodes.Course], int, Sequence[int]], Branches]
"""Continues one of several lived worlds: the worlds, which of them, courses, ticks ahead, numbers of the futures."""


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
        is_settled: Whether the standard error is at most a quarter of the noise floor.
        num_futures: Exogenous futures that its effect is the mean over.
    """

    course_id: str
    cost_bad_minutes: float
    effect_bad_minutes: float
    effect_error: float
    deferred_effect_bad_minutes: float | None
    recovery_min: float
    failed_requests: float
    is_tied_with_best: bool
    is_settled: bool = True
    num_futures: int = FIRST_FUTURES


@dataclass(frozen=True)
class Verdict:
    """The truth about one decision point.

    Attributes:
        outcomes: In the order of the courses.
        noise_floor_bad_minutes: Difference below which courses are tied.
        num_futures: Exogenous futures of waiting, the most of any course.
        is_settled: Whether every standard error is at most a quarter of the noise floor.
    """

    outcomes: tuple[Outcome, ...]
    noise_floor_bad_minutes: float
    num_futures: int
    is_settled: bool


def true_outcomes(
    lived: Any,
    row: int,
    courses: Sequence[Course],
    horizon_ticks: int = 32,
    most_futures: int = MOST_FUTURES,
    deferred: bool = False,
    branch: Continue | None = None,
) -> Verdict:
    """Return what each course does from the true state, in exogenous futures that all courses share.

    Starts with eight futures. While the standard error of an effect is above a quarter of the noise floor, futures are
    doubled, for that course and for waiting; effects of the others are known well enough. The mean cost of a course is
    that of waiting plus its effect, so that all costs rest on all futures of waiting.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        courses: Candidates; the first must wait.
        horizon_ticks: How far to look.
        most_futures: Where doubling stops.
        deferred: Whether to look four horizons ahead as well, once, for harm that comes later.
        branch: Continues the worlds as their own simulator does; the kernel where left out.

    Raises:
        ValueError: When the first course does not wait, or an action is one that simulated systems lack.
    """
    if not courses or not courses[0].is_no_op:
        raise ValueError("the first course must be no_op: every effect is a difference to it")
    blueprint, go_on = lived.blueprints[row], branch or branch_one
    asked = [requests_of(blueprint, course, lived.decision_s) for course in courses]
    floor = noise_floor(horizon_ticks, blueprint.step_s)
    runs = [_Runs() for _ in courses]
    futures, wanted = 0, list(range(len(courses)))
    while True:
        until = max(FIRST_FUTURES, 2 * futures)
        found = go_on(lived, row, [asked[at] for at in wanted], horizon_ticks, range(futures + 1, until + 1))
        for place, at in enumerate(wanted):
            runs[at].add(found, place)
        futures = until
        open_ones = [at for at in wanted[1:] if runs[at].effect_on(runs[0])[1] > floor / 4.0]
        if not open_ones or futures >= most_futures:
            break
        wanted = [0, *open_ones]
    later = None
    if deferred:
        longer = go_on(lived, row, asked, DEFERRED_FACTOR * horizon_ticks, range(1, FIRST_FUTURES + 1))
        later = truth(longer, DEFERRED_FACTOR * horizon_ticks, blueprint.step_s).effect[0].tolist()
    effects = [(0.0, 0.0), *(run.effect_on(runs[0]) for run in runs[1:])]
    waiting = float(runs[0].cost.mean())
    best = waiting + min(effect for effect, _ in effects)
    outcomes = tuple(
        Outcome(
            course_id=course.course_id,
            cost_bad_minutes=waiting + effect,
            effect_bad_minutes=effect,
            effect_error=error,
            deferred_effect_bad_minutes=None if later is None else float(later[index]),
            recovery_min=float(run.recovery_min.mean()),
            failed_requests=float(run.failed.mean()),
            is_tied_with_best=waiting + effect <= best + floor,
            is_settled=error <= floor / 4.0,
            num_futures=len(run.cost),
        )
        for index, (course, run, (effect, error)) in enumerate(zip(courses, runs, effects, strict=True))
    )
    return Verdict(outcomes, floor, futures, all(outcome.is_settled for outcome in outcomes))


class _Runs:
    """What one course did in each future so far."""

    def __init__(self) -> None:
        self.cost, self.failed, self.recovery_min = torch.empty(0), torch.empty(0), torch.empty(0)

    def add(self, found: Branches, place: int) -> None:
        """Add further futures, in which the course had this place."""
        self.cost = torch.cat([self.cost, found.cost[0, place].double()])
        self.failed = torch.cat([self.failed, found.failed[0, place].double()])
        self.recovery_min = torch.cat([self.recovery_min, found.recovery_min[0, place].double()])

    def effect_on(self, waiting: "_Runs") -> tuple[float, float]:
        """Return the mean difference to waiting in the same futures, and its standard error."""
        paired = self.cost - waiting.cost[: len(self.cost)]
        return float(paired.mean()), float(paired.std()) / math.sqrt(len(paired))


def branch_one(
    lived: Lived, row: int, courses: Sequence[episodes.Course], horizon_ticks: int, futures: Sequence[int]
) -> Branches:
    """Return what each course of one world does in shared exogenous futures, by the vectorised simulator.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        courses: What is requested; the first waits.
        horizon_ticks: How far to look.
        futures: Numbers of the futures, from 1.
    """
    return episodes.branch_courses(worlds_at(lived, [row]), [list(courses)], horizon_ticks, futures)


def worlds_at(lived: Lived, rows: Sequence[int]) -> Lived:
    """Return some of several lived worlds.

    Args:
        lived: Worlds at their decision.
        rows: Which of them.
    """
    taken = torch.tensor(list(rows))
    return replace(
        lived,
        world_seeds=tuple(lived.world_seeds[row] for row in rows),
        blueprints=tuple(lived.blueprints[row] for row in rows),
        incidents=tuple(lived.incidents[row] for row in rows),
        done=tuple(lived.done[row] for row in rows),
        **{name: take_rows(getattr(lived, name), taken) for name in ("parameters", "state", "past", "past_plan")},
        **{name: getattr(lived, name)[taken] for name in ("value", "seen", "exact", "bad_share")},
    )


def requests_of(blueprint: Blueprint, course: Course, decision_s: int) -> tuple[Request, ...]:
    """Return what a course asks of a simulated system.

    Args:
        blueprint: The system.
        course: With typed parameters.
        decision_s: Second of the decision.

    Raises:
        ValueError: When the system has no such entity, flag or capability, as where the course was made for another
            revision of its descriptor.
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
    feature = str(plain["key"]) if params.type == "feature_flag" else ""
    return Request(_ability(blueprint, action, feature), level, requested_s)


def _ability(blueprint: Blueprint, action: CandidateAction, feature: str) -> Ability:
    """Return the ability that is meant; one that the system lacks costs nothing and has no stated effect."""
    meant = [a for a in blueprint.abilities if a.type == action.params.type and a.target == action.target]
    if action.capability_id is not None:
        able, meant = meant, [ability for ability in meant if capability_id(ability) == action.capability_id]
        if not meant:
            known = ", ".join(sorted({capability_id(ability) for ability in able})) or "none of this type"
            raise ValueError(
                f"{blueprint.name!r} has no capability {action.capability_id!r} at {action.target!r} (it has {known}); "
                "was the course made for another revision of its descriptor?"
            )
    if feature:
        meant = [ability for ability in meant if ability.feature == feature]
        if not meant:
            raise ValueError(f"{blueprint.name!r}: {action.target!r} has no flag {feature!r}")
    return meant[0] if meant else Ability(action.params.type, action.target, ())
