"""A judgement as the answer that people and programs read."""

from collections.abc import Sequence
from dataclasses import dataclass

from opswm.planning.headline import Feel, course_headline, feel, request_rates
from opswm.planning.outlook import Outlook
from opswm.planning.provenance import Sources, provenance
from opswm.planning.rank import Judged, Judgement, RankingPolicy
from opswm.planning.wording import describe_course, shorten
from opswm.planning.would_change import evidence_wanted, gaps, unusable
from opswm.timeline.timeline import Timeline
from opswm_schemas.answers import Interval, RankedCourse, RankingAnswer, Verdict
from opswm_schemas.descriptor import Objective
from opswm_schemas.questions import RankingRequest


@dataclass(frozen=True)
class Deliberation:
    """How one ranking came about.

    Attributes:
        objectives: Those of the question.
        outlook: What is expected of each course.
        judgement: Their order and verdicts.
        policy: How cautious it was.
        floor: Noise floor, bad minutes.
        calibration_source: What the intervals were calibrated on, in words.
        notes: Sentences from earlier steps.
    """

    objectives: Sequence[Objective]
    outlook: Outlook
    judgement: Judgement
    policy: RankingPolicy
    floor: float
    calibration_source: str
    notes: tuple[str, ...]


def ranking_answer(
    timeline: Timeline, request: RankingRequest, sources: Sources, deliberation: Deliberation
) -> RankingAnswer:
    """Return the answer to a ranking question.

    A history too short or too old to say anything makes every verdict ``inconclusive``, with the reason.

    Args:
        timeline: Up to the decision.
        request: The question.
        sources: What the answer was made from.
        deliberation: How it came about.
    """
    objectives, outlook = deliberation.objectives, deliberation.outlook
    judgement, policy, floor = deliberation.judgement, deliberation.policy, deliberation.floor
    notes = list(deliberation.notes)
    step_s = timeline.descriptor.step_s
    minutes = request.horizon_ticks * step_s / 60.0
    rates = request_rates(timeline, objectives)
    waiting = feel(outlook, 0, objectives, rates, step_s)
    reason = unusable(timeline)
    ranked = [
        _ranked(
            place, judged, feel(outlook, judged.scenario, objectives, rates, step_s), waiting, minutes, bool(reason)
        )
        for place, judged in enumerate(judgement.ranked, start=1)
    ]
    verdict: Verdict = "inconclusive" if reason else judgement.verdict
    if policy.cap_lifted:
        notes = [
            *notes,
            "The evidence cap on recommend was lifted for this simulated track: verdicts come from risk control.",
        ]
    return RankingAnswer(
        provenance=provenance(timeline, request, sources),
        verdict=verdict,
        headline=_overall(judgement, verdict, ranked, floor, reason),
        ranked=ranked,
        noise_floor_bad_minutes=floor,
        horizon_minutes=minutes,
        would_change=[*gaps(timeline, objectives), *evidence_wanted(judgement, policy, floor)],
        calibration_source=deliberation.calibration_source,
        notes=[note[:2_000] for note in notes],
    )


def _ranked(place: int, judged: Judged, felt: Feel, waiting: Feel, minutes: float, no_ground: bool) -> RankedCourse:
    candidate = judged.candidate
    return RankedCourse(
        rank=place,
        course=candidate.course,
        headline=course_headline(judged, felt, waiting, minutes),
        effect_bad_minutes=Interval(value=judged.value, lower=judged.lower, upper=judged.upper),
        p_best=judged.p_best,
        p_harm=judged.p_harm,
        support=judged.support,
        evidence_grade=judged.grade,
        verdict="inconclusive" if no_ground else judged.verdict,
        reversibility=candidate.reversibility,
        reconciled_by=list(candidate.reconciled_by),
        approvals_needed=candidate.approvals_needed,
        blocked_by=[reason[:2_000] for reason in candidate.blocked_by],
    )


def _overall(judgement: Judgement, verdict: Verdict, ranked: Sequence[RankedCourse], floor: float, reason: str) -> str:
    """One sentence that says what to do and why."""
    if reason:
        return f"No advice: {reason}."
    open_to_us = [one for one in judgement.ranked if one.scenario and not one.candidate.blocked_by]
    if not open_to_us:
        if len(judgement.ranked) > 1:
            return "No advice: every candidate is ruled out by a guardrail."
        return "No advice: the system offers no candidate to compare with doing nothing."
    if verdict == "no_op_best":
        return f"Wait: no candidate is expected to help by more than {floor:.2f} bad minutes."
    advised = judgement.advised
    said = next(one.headline.text for one in ranked if one.course == advised.candidate.course)
    if verdict == "recommend":
        return f"Do this. {said}"
    if verdict == "worth_testing":
        why = "the evidence is not from this system" if advised.capped else f"chance of harm {advised.p_harm:.0%}"
        return f"Worth testing ({why}). {said}"
    best = open_to_us[0]
    if best.value >= -floor:
        return "No advice: no candidate is expected to help, but their effects are too uncertain to rule it out."
    return shorten(
        f'No advice: "{describe_course(best.candidate.course)}" comes first with {best.value:+.2f} bad minutes '
        f"({best.lower:+.2f} to {best.upper:+.2f}), chance of harm {best.p_harm:.0%}."
    )
