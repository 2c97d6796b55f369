"""The one path from a forecast or what-if question to its answer: futures with quantile bands, course by course."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.planning.advise import require_same
from opswm.planning.candidates import with_no_op_first
from opswm.planning.planner import Planner
from opswm.planning.provenance import Sources, provenance
from opswm.planning.would_change import gaps
from opswm.rollout.recovery import GOOD_SHARE
from opswm.timeline.timeline import Timeline
from opswm.windows.capabilities import matching_capability
from opswm.windows.decoding import channel_bands
from opswm.windows.objectives import chosen_objectives
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.answers import CourseFuture, ForecastAnswer, Interval, WhatIfAnswer
from opswm_schemas.questions import Course, ForecastRequest, WhatIfRequest

_TAILS: Final = (0.05, 0.5, 0.95)


def forecast(timeline: Timeline, request: ForecastRequest, planner: Planner, sources: Sources) -> ForecastAnswer:
    """Return what happens if nothing is done.

    Args:
        timeline: The system's past, as known at the decision.
        request: The question.
        planner: Over a world model.
        sources: What else the answer is made from.

    Raises:
        BadInputError: When the question is about another system, moment or entity than there is, or looks
            further ahead than the model can.
    """
    ahead = _look_ahead(timeline, request, planner, [NO_OP])
    weights = _weights(timeline)
    return ForecastAnswer(
        provenance=provenance(timeline, request, sources),
        ticks_at=_ticks_at(timeline, request.horizon_ticks),
        no_op=_future(timeline, request, NO_OP, 0, ahead, weights),
        minutes_to_breach=_minutes_to_breach(ahead.bad[0] @ weights, timeline.descriptor.step_s),
        notes=_notes(timeline, [NO_OP]),
    )


def what_if(timeline: Timeline, request: WhatIfRequest, planner: Planner, sources: Sources) -> WhatIfAnswer:
    """Return one future per course, with ``no_op`` among them, put first where the caller left it out.

    Args:
        timeline: The system's past, as known at the decision.
        request: The question; a course may use a capability that the descriptor does not list.
        planner: Over a world model.
        sources: What else the answer is made from.

    Raises:
        BadInputError: As :func:`forecast` does.
    """
    courses = with_no_op_first(request.courses)
    ahead = _look_ahead(timeline, request, planner, courses)
    weights = _weights(timeline)
    return WhatIfAnswer(
        provenance=provenance(timeline, request, sources),
        ticks_at=_ticks_at(timeline, request.horizon_ticks),
        futures=[
            _future(timeline, request, course, scenario, ahead, weights) for scenario, course in enumerate(courses)
        ],
        notes=_notes(timeline, courses),
    )


@dataclass(frozen=True)
class _Ahead:
    """Samples ``[S, K, ...]`` and bands ``[S, H, N, C, Q]`` of the courses of one question."""

    cost: NDArray[np.float64]
    bad: NDArray[np.float64]
    bands: NDArray[np.float64]
    quantiles: list[float]


def _look_ahead(
    timeline: Timeline, request: ForecastRequest | WhatIfRequest, planner: Planner, courses: Sequence[Course]
) -> _Ahead:
    require_same(timeline, request)
    ticks = request.horizon_ticks
    situation = encode_situation(timeline.descriptor, timeline, planner.context_ticks)
    slots = encode_courses(timeline.descriptor, timeline, courses, ticks)
    found = planner.imagination.effects(situation, slots, request.seed, ticks)
    futures = planner.futures(situation, slots, request.seed)
    bands = futures.channel[0, :, :ticks].double().numpy()
    return _Ahead(found.cost[0], found.bad[0], bands, futures.quantiles.tolist())


def _future(
    timeline: Timeline,
    request: ForecastRequest | WhatIfRequest,
    course: Course,
    scenario: int,
    ahead: _Ahead,
    weights: NDArray[np.float64],
) -> CourseFuture:
    cost = ahead.cost[scenario] + _own_cost(timeline, course)
    lower, upper = (float(value) for value in np.quantile(cost, [_TAILS[0], _TAILS[-1]]))
    share = (ahead.bad[scenario] @ weights).mean(axis=0)
    return CourseFuture(
        course=course,
        slo_cost_bad_minutes=Interval(value=min(upper, max(lower, float(cost.mean()))), lower=lower, upper=upper),
        bad_ratio=np.clip(share, 0.0, 1.0).tolist(),
        channels=channel_bands(timeline.descriptor, ahead.quantiles, ahead.bands[scenario], request.entities),
    )


def _weights(timeline: Timeline) -> NDArray[np.float64]:
    """Weight per objective slot; a system without objectives has one empty slot, and no cost."""
    objectives = chosen_objectives(timeline.descriptor, None)
    return np.array([objective.weight for objective in objectives] or [0.0])


def _own_cost(timeline: Timeline, course: Course) -> float:
    """What doing the actions costs in itself, bad minutes."""
    used = [
        matching_capability(timeline.descriptor, action.params, action.target, action.capability_id)
        for action in course.actions
    ]
    return math.fsum(capability.cost_bad_minutes for capability in used if capability is not None)


def _ticks_at(timeline: Timeline, horizon_ticks: int) -> list[datetime]:
    step = timedelta(seconds=timeline.descriptor.step_s)
    return [timeline.at + ahead * step for ahead in range(1, horizon_ticks + 1)]


def _minutes_to_breach(share: NDArray[np.float64], step_s: float) -> Interval | None:
    """Minutes until the bad share ``[K, H]`` is no longer small; None where most futures never get there."""
    beyond = share > GOOD_SHARE
    reached = beyond.any(axis=1)
    if reached.mean() < 0.5:
        return None
    first = np.where(reached, beyond.argmax(axis=1), share.shape[1]) * step_s / 60.0
    lower, middle, upper = (float(value) for value in np.quantile(first, _TAILS))
    return Interval(value=middle, lower=lower, upper=upper)


def _notes(timeline: Timeline, courses: Sequence[Course]) -> list[str]:
    notes = gaps(timeline, chosen_objectives(timeline.descriptor, None))
    if not timeline.descriptor.objectives:
        notes.append("The system has no objectives, so the SLO cost of every course is 0.")
    for course in courses:
        for action in course.actions:
            known = matching_capability(timeline.descriptor, action.params, action.target, action.capability_id)
            if known is None and action.params.type != "no_op":
                notes.append(
                    f"Course {course.course_id}: no capability describes {action.params.type} on {action.target}, so "
                    "what it touches is guessed from its type alone."
                )
    return [note[:2_000] for note in notes]
