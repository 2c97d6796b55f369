"""What was measured after a decision or an action: a realised outcome, which is not an effect."""

from datetime import timedelta
from typing import Self

from pydantic import model_validator

from opswm_schemas.actions.record import Source
from opswm_schemas.base import Identifier, NonNegative, PositiveSeconds, Ratio, UtcDatetime, Versioned


class Outcome(Versioned):
    """The SLO cost of one window, for holding against what was predicted of it.

    Measured anew, it is another outcome under an id of its own; the one that became known last counts.

    Attributes:
        decision_id: The ranking whose forecast it answers.
        action_id: The action that it follows.
        course_id: Which course of the ranking was followed; None where none was, or nobody can tell.
        since: When the window begins.
        window_s: How long it is.
        slo_cost_bad_minutes: Measured in the window.
        measured_ratio: Share of the window in which the objectives could be measured.
        known_at: When this was first known; never before the window ended.
        source: Who measured it, and how far that is trusted.
    """

    outcome_id: Identifier
    tenant_id: Identifier = "default"
    system_id: Identifier
    decision_id: Identifier | None = None
    action_id: Identifier | None = None
    course_id: Identifier | None = None
    since: UtcDatetime
    window_s: PositiveSeconds
    slo_cost_bad_minutes: NonNegative
    measured_ratio: Ratio = 1.0
    known_at: UtcDatetime
    source: Source

    @model_validator(mode="after")
    def _is_of_something_that_has_ended(self) -> Self:
        if self.decision_id is None and self.action_id is None:
            raise ValueError("an outcome is of a decision or an action: give 'decision_id', 'action_id' or both")
        if self.course_id is not None and self.decision_id is None:
            raise ValueError("'course_id' names a course of a ranking: give its 'decision_id', too")
        if self.known_at < self.since + timedelta(seconds=self.window_s):
            raise ValueError(
                f"known at {self.known_at.isoformat()}, before its window of {self.window_s} s ended: "
                "measure again when it has, or give the shorter window"
            )
        return self
