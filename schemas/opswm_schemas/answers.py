"""Answers: forecasts, what-ifs and rankings, each with its uncertainty, support and evidence."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.base import (
    Closed,
    Identifier,
    NonNegative,
    NotText,
    Number,
    Ratio,
    ShortText,
    UtcDatetime,
    Versioned,
    Whole,
)
from opswm_schemas.questions import Course

EvidenceGrade = Literal["E0", "E1", "E2", "E3", "E4"]
"""E0 none, E1 simulation only, E2 other systems' logs, E3 this system's logs with a passed shadow backtest
for this action type, E4 this system's randomised or twin runs."""

Verdict = Literal["recommend", "worth_testing", "no_op_best", "inconclusive"]


class Interval(Closed):
    """A central value with the lower and upper end of a stated probability."""

    value: Number
    lower: Number
    upper: Number
    level: Annotated[float, Field(gt=0.0, lt=1.0), NotText] = 0.9

    @model_validator(mode="after")
    def _is_an_interval(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower {self.lower} is above upper {self.upper}")
        return self


class Provenance(Closed):
    """All that is needed to give the same answer again.

    Attributes:
        data_age_s: Age of the newest telemetry at the decision, seconds; None when there is none.
        descriptor_revision: The revision that held at the decision.
        ledger_sequence: The last fact about actions and events that was known at the decision.
        table_versions: Of each telemetry table, how many batches of the system held something known by then.
    """

    decision_id: Identifier
    tenant_id: Identifier
    system_id: Identifier
    decided_at: UtcDatetime
    expires_at: UtcDatetime
    data_age_s: NonNegative | None
    model_id: ShortText
    model_digest: ShortText
    descriptor_revision: Whole
    ledger_sequence: Whole
    table_versions: dict[str, Whole]
    seed: Whole


class ChannelBand(Closed):
    """Quantile bands of one channel over the horizon, in the channel's canonical unit.

    Attributes:
        quantiles: Levels in increasing order.
        values: One row per tick ahead, one column per level, not decreasing along a row.
    """

    channel_id: Identifier
    entity_id: Identifier
    meaning: ShortText
    unit: ShortText
    quantiles: list[Ratio]
    values: list[list[Number]]

    @model_validator(mode="after")
    def _has_ordered_bands(self) -> Self:
        if any(left >= right for left, right in pairwise(self.quantiles)):
            raise ValueError(f"channel {self.channel_id!r}: quantiles {self.quantiles} must increase")
        for tick, row in enumerate(self.values):
            if len(row) != len(self.quantiles):
                given = f"{len(row)} values for {len(self.quantiles)} quantiles"
                raise ValueError(f"channel {self.channel_id!r}: tick {tick} has {given}")
            if any(left > right for left, right in pairwise(row)):
                raise ValueError(f"channel {self.channel_id!r}: the quantiles of tick {tick} decrease: {row}")
        return self


class CourseFuture(Closed):
    """One course's future.

    Attributes:
        slo_cost_bad_minutes: Over the horizon.
        bad_ratio: Expected bad share of attempts per tick.
    """

    course: Course
    slo_cost_bad_minutes: Interval
    bad_ratio: list[Ratio]
    channels: list[ChannelBand]


class ForecastAnswer(Versioned):
    """The future under doing nothing."""

    provenance: Provenance
    ticks_at: list[UtcDatetime]
    no_op: CourseFuture
    minutes_to_breach: Interval | None
    notes: list[ShortText]


class WhatIfAnswer(Versioned):
    """One future per course, ``no_op`` always among them."""

    provenance: Provenance
    ticks_at: list[UtcDatetime]
    futures: list[CourseFuture]
    notes: list[ShortText]


class Headline(Closed):
    """What an on-call person feels, before the cost scale.

    Attributes:
        recovery_minutes: Until the objective is met again under this course; capped at the horizon.
        failed_requests_avoided: Against doing nothing, over the horizon.
    """

    text: ShortText
    recovery_minutes: Interval
    recovery_minutes_no_op: Interval
    failed_requests_avoided: Interval | None


class RankedCourse(Closed):
    """One course in a ranking.

    Attributes:
        effect_bad_minutes: Paired difference of SLO cost to ``no_op``; negative helps.
        p_best: Probability that no other candidate is better by more than the noise floor.
        p_harm: Probability that it is worse than ``no_op`` by more than the noise floor.
        support: How near the question is to what the model learned from, 0 to 1.
        evidence_grade: What the effect rests on.
        blocked_by: Guardrails that rule it out; a blocked course is never recommended.
    """

    rank: Annotated[int, Field(ge=1), NotText]
    course: Course
    headline: Headline
    effect_bad_minutes: Interval
    p_best: Ratio
    p_harm: Ratio
    support: Ratio
    evidence_grade: EvidenceGrade
    verdict: Verdict
    reversibility: Literal["reversible", "partly_reversible", "irreversible"]
    reconciled_by: list[ShortText]
    approvals_needed: Whole
    blocked_by: list[ShortText]


class RankingAnswer(Versioned):
    """Ranked courses with one verdict over all.

    Attributes:
        verdict: ``recommend`` needs grade E3; a capped answer says in ``would_change`` what would lift it.
        noise_floor_bad_minutes: Two courses nearer than this are tied.
        would_change: What further evidence or telemetry would change the advice.
        calibration_source: Where the intervals were calibrated.
    """

    provenance: Provenance
    verdict: Verdict
    headline: ShortText
    ranked: list[RankedCourse]
    noise_floor_bad_minutes: NonNegative
    horizon_minutes: NonNegative
    would_change: list[ShortText]
    calibration_source: ShortText
    notes: list[ShortText]
