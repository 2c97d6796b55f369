"""Questions that people and programs put to opswm: forecasts, what-ifs and rankings."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.base import Closed, Identifier, NotText, Ratio, ShortText, UtcDatetime
from opswm_schemas.descriptor import Objective

HorizonTicks = Annotated[int, Field(ge=1, le=1_024), NotText]


class CandidateAction(Closed):
    """One action as it would be requested: type and parameters, target, and when.

    Attributes:
        delay_ticks: Requested this many ticks after the decision; 0 is at once.
        capability_id: The capability it uses; found by type and target where left out.
    """

    target: Identifier
    params: Parameters
    delay_ticks: Annotated[int, Field(ge=0, le=1_024), NotText] = 0
    capability_id: Identifier | None = None


class Course(Closed):
    """A course of action: one or more requests from now on; no request at all is ``no_op``.

    Attributes:
        course_id: The caller's name for it, echoed in the answer.
    """

    course_id: Identifier
    label: ShortText = ""
    actions: list[CandidateAction] = Field(default_factory=list, max_length=8)

    @property
    def is_no_op(self) -> bool:
        """Whether the course asks for nothing."""
        return all(action.params.type == "no_op" for action in self.actions)


class _Question(Closed):
    """What all questions share.

    Attributes:
        at: The decision instant; only what was known then is used. Now, where left out.
        horizon_ticks: How many ticks ahead.
        seed: Of the sampled futures; the same question with the same seed has the same answer.
    """

    system_id: Identifier
    at: UtcDatetime | None = None
    horizon_ticks: HorizonTicks = 32
    seed: Annotated[int, Field(ge=0, lt=2**31), NotText] = 0


class ForecastRequest(_Question):
    """What happens if nothing is done?"""

    entities: list[Identifier] | None = Field(default=None, max_length=1_000)


class WhatIfRequest(_Question):
    """What happens under each of these courses, channel by channel?"""

    courses: list[Course] = Field(min_length=1, max_length=64)
    entities: list[Identifier] | None = Field(default=None, max_length=1_000)

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        _require_distinct(self.courses)
        return self


class RankingRequest(_Question):
    """Which course is best?

    Attributes:
        courses: The candidates; enumerated from the descriptor's capabilities where left out.
        objectives: Instead of the descriptor's own.
        max_candidates: How many to enumerate at most.
        harm_tolerance: Largest probability of harm that a recommendation may carry.
    """

    courses: list[Course] | None = Field(default=None, max_length=512)
    objectives: list[Objective] | None = Field(default=None, max_length=64)
    max_candidates: Annotated[int, Field(ge=1, le=512), NotText] = 32
    harm_tolerance: Ratio = 0.05

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        _require_distinct(self.courses or [])
        return self


def _require_distinct(courses: list[Course]) -> None:
    seen: set[str] = set()
    for course in courses:
        if course.course_id in seen:
            raise ValueError(f"course_id {course.course_id!r} is used twice")
        seen.add(course.course_id)
