"""Examples of questions about the example system and of the answers to them."""

from opswm_schemas.actions.parameters import NoOp, Rollback, ScaleHorizontal
from opswm_schemas.answers import (
    ChannelBand,
    CourseFuture,
    ForecastAnswer,
    Headline,
    Interval,
    Provenance,
    RankedCourse,
    RankingAnswer,
    WhatIfAnswer,
)
from opswm_schemas.examples.system import after
from opswm_schemas.questions import CandidateAction, Course, ForecastRequest, RankingRequest, WhatIfRequest


def no_op() -> Course:
    """Return the course that every other is compared with."""
    return Course(
        course_id="wait", label="do nothing", actions=[CandidateAction(target="checkout", params=NoOp(window_s=300.0))]
    )


def rollback() -> Course:
    """Return a course of one action."""
    return Course(
        course_id="roll-back",
        label="roll checkout back to 2.3.1",
        actions=[
            CandidateAction(target="checkout", params=Rollback(to_version="2.3.1"), capability_id="rollback-checkout")
        ],
    )


def scale_out() -> Course:
    """Return a course that begins two ticks from now."""
    action = CandidateAction(target="checkout", params=ScaleHorizontal(to_replicas=8), delay_ticks=2)
    return Course(course_id="scale-out", label="checkout to 8 replicas in ten seconds", actions=[action])


def forecast_request() -> ForecastRequest:
    """Return the question of what comes by itself."""
    return ForecastRequest(system_id="shop", at=after(60.0), horizon_ticks=3, entities=["checkout"])


def what_if_request() -> WhatIfRequest:
    """Return the question of what two courses would bring."""
    return WhatIfRequest(system_id="shop", at=after(60.0), horizon_ticks=3, courses=[no_op(), rollback()], seed=7)


def ranking_request() -> RankingRequest:
    """Return the question of which course is best, with candidates of the caller's own."""
    return RankingRequest(system_id="shop", at=after(60.0), horizon_ticks=3, courses=[rollback(), scale_out()])


def provenance() -> Provenance:
    """Return what is needed to give an answer again."""
    return Provenance(
        decision_id="decision-91",
        tenant_id="default",
        system_id="shop",
        decided_at=after(60.0),
        expires_at=after(360.0),
        data_age_s=4.0,
        model_id="graph-demo",
        model_digest=f"sha256:{9:064x}",
        descriptor_revision=3,
        ledger_sequence=128,
        table_versions={"metrics": 41},
        seed=7,
    )


def _future(course: Course, cost: float, latencies_s: list[list[float]]) -> CourseFuture:
    band = ChannelBand(
        channel_id="checkout.latency",
        entity_id="checkout",
        meaning="latency_p99",
        unit="s",
        quantiles=[0.05, 0.5, 0.95],
        values=latencies_s,
    )
    return CourseFuture(
        course=course,
        slo_cost_bad_minutes=Interval(value=cost, lower=0.6 * cost, upper=1.5 * cost),
        bad_ratio=[0.12, 0.1, 0.08],
        channels=[band],
    )


def forecast_answer() -> ForecastAnswer:
    """Return the future of doing nothing."""
    return ForecastAnswer(
        provenance=provenance(),
        ticks_at=[after(65.0), after(70.0), after(75.0)],
        no_op=_future(no_op(), 4.0, [[0.7, 0.9, 1.2], [0.7, 1.0, 1.4], [0.7, 1.1, 1.6]]),
        minutes_to_breach=Interval(value=11.0, lower=6.0, upper=25.0),
        notes=["checkout.errors was mapped by a guess"],
    )


def what_if_answer() -> WhatIfAnswer:
    """Return two futures from the same past."""
    return WhatIfAnswer(
        provenance=provenance(),
        ticks_at=[after(65.0), after(70.0), after(75.0)],
        futures=[
            _future(no_op(), 4.0, [[0.7, 0.9, 1.2], [0.7, 1.0, 1.4], [0.7, 1.1, 1.6]]),
            _future(rollback(), 1.5, [[0.7, 0.9, 1.2], [0.5, 0.7, 1.1], [0.2, 0.3, 0.6]]),
        ],
        notes=[],
    )


def ranking_answer() -> RankingAnswer:
    """Return a ranking whose best course is worth testing only, for want of evidence from this system."""
    best = RankedCourse(
        rank=1,
        course=rollback(),
        headline=Headline(
            text="rolling back meets the objective again 9 minutes sooner",
            recovery_minutes=Interval(value=4.0, lower=2.0, upper=9.0),
            recovery_minutes_no_op=Interval(value=13.0, lower=7.0, upper=16.0),
            failed_requests_avoided=Interval(value=5_200.0, lower=1_900.0, upper=9_800.0),
        ),
        effect_bad_minutes=Interval(value=-2.5, lower=-4.1, upper=-0.7),
        p_best=0.81,
        p_harm=0.02,
        support=0.64,
        evidence_grade="E1",
        verdict="worth_testing",
        reversibility="reversible",
        reconciled_by=[],
        approvals_needed=1,
        blocked_by=[],
    )
    return RankingAnswer(
        provenance=provenance(),
        verdict="worth_testing",
        headline="Rolling checkout back is worth testing: 9 minutes sooner, on simulated evidence alone.",
        ranked=[best],
        noise_floor_bad_minutes=0.2,
        horizon_minutes=16.0,
        would_change=["a shadow backtest of rollbacks on this system's own logs would lift the grade to E3"],
        calibration_source="simulation, 200 held-out incidents",
        notes=[],
    )
