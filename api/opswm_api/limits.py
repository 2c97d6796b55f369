"""What is refused before any work is done for a question: moments that leave the range of time."""

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
