"""What is refused before any work is done for a question: moments beyond all instants, and more work than allowed."""

from datetime import datetime, timedelta

from opswm.errors import BadInputError
from opswm_schemas.base import LATEST, format_utc
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.questions import ForecastRequest, RankingRequest, WhatIfRequest

Question = ForecastRequest | WhatIfRequest | RankingRequest


def require_in_time(question: Question, descriptor: SystemDescriptor, at: datetime) -> None:
    """Check that every instant of an answer can be written down.

    Args:
        question: What is asked.
        descriptor: The system, for the length of a tick.
        at: The decision.

    Raises:
        BadInputError: When the question looks beyond the last instant there is.
    """
    ahead = timedelta(seconds=question.horizon_ticks * descriptor.step_s)
    if at >= LATEST - ahead:
        raise BadInputError(
            f"{question.horizon_ticks} ticks of {descriptor.step_s:g} s after {format_utc(at)} end after "
            f"{format_utc(LATEST)}, beyond which there are no instants; ask about an earlier moment"
        )


def require_work_within(question: Question, descriptor: SystemDescriptor, max_work: int) -> None:
    """Check that a question is about no more than can be answered in bounded time and memory.

    The model imagines every course for every entity and relation, so their product is what an answer costs.

    Args:
        question: What is asked; a ranking that enumerates its candidates counts as many as it may enumerate.
        descriptor: The system.
        max_work: Most courses times parts.

    Raises:
        BadInputError: When it is about more, with both numbers and what to do.
    """
    courses = 1 + _num_courses(question)
    parts = len(descriptor.entities) + len(descriptor.relations)
    if courses * parts <= max_work:
        return
    fitting = max_work // parts - 1
    advice = (
        f"ask about at most {fitting} courses" + (" ('max_candidates')" if isinstance(question, RankingRequest) else "")
        if fitting >= 1
        else "describe a part of the system as a system of its own, and ask about that"
    )
    raise BadInputError(
        f"{courses} courses (doing nothing included) for {len(descriptor.entities)} entities and "
        f"{len(descriptor.relations)} relations make {courses * parts}, at most {max_work} are answered at once; "
        f"{advice}"
    )


def _num_courses(question: Question) -> int:
    match question:
        case ForecastRequest():
            return 0
        case RankingRequest(courses=None):
            return question.max_candidates
        case _:
            return len(question.courses or [])
