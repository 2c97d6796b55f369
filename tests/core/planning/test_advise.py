"""From a question to a ranking."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.planning.advise import advise
from opswm.planning.evidence import EvidenceBook
from opswm.planning.provenance import Sources
from opswm.planning.rank import RankingPolicy
from opswm.timeline.build import build_timeline
from opswm_schemas.actions.parameters import Restart, ScaleHorizontal
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Objective
from opswm_schemas.questions import CandidateAction, Course, RankingRequest
from tests.core.planning.toy import HORIZON, SOURCES, adviser, planner
from tests.core.windows.diner import AT, READINGS, after, diner, logged, timeline

UP = Course(course_id="up", actions=[CandidateAction(target="web", params=ScaleHorizontal(to_replicas=6))])
BOUNCE = Course(course_id="bounce", actions=[CandidateAction(target="web", params=Restart(scope="all"))])
TOO_MANY = Course(course_id="many", actions=[CandidateAction(target="web", params=ScaleHorizontal(to_replicas=60))])
PROVEN = Sources("toy", "digest", 7, {"metrics": 3}, EvidenceBook("E3"))


def question(**fields: object) -> RankingRequest:
    """Return a ranking request about the diner."""
    return RankingRequest.model_validate({"system_id": "diner", "horizon_ticks": HORIZON} | fields)


def test_a_course_that_helps_is_recommended_in_words_people_use() -> None:
    """The headline leads with minutes to recovery and failed requests avoided; the scale comes underneath."""
    answer = advise(timeline(diner()), question(courses=[UP, BOUNCE]), planner(), PROVEN)
    assert answer.verdict == "recommend"
    best = answer.ranked[0]
    assert best.course == UP
    assert answer.headline.startswith("Do this. Scale web to 6 replicas: users well served again in 0.5 min instead of")
    assert "failed requests avoided" in answer.headline
    # 18 of 24 ticks saved 60 % of 120 requests/s at 5 s a tick
    assert best.headline.failed_requests_avoided is not None
    assert best.headline.failed_requests_avoided.value == pytest.approx(18 * 0.6 * 120 * 5, rel=0.05)
    assert best.headline.recovery_minutes.value == pytest.approx(0.5)
    assert best.headline.recovery_minutes_no_op.value == pytest.approx(2.0)
    assert best.effect_bad_minutes.value == pytest.approx(-18 * 0.6 * 5 / 60, rel=0.02)
    assert best.effect_bad_minutes.lower <= best.effect_bad_minutes.value <= best.effect_bad_minutes.upper
    assert best.p_best == 1.0
    assert best.p_harm == 0.0
    worst = answer.ranked[-1]
    assert (worst.course, worst.verdict, worst.p_harm) == (BOUNCE, "no_op_best", 1.0)
    assert "more failed requests" in worst.headline.text
    assert worst.effect_bad_minutes.value == pytest.approx(24 * 0.3 * 5 / 60 + 0.2, rel=0.02)  # with its own cost
    assert answer.noise_floor_bad_minutes == 0.05
    assert answer.horizon_minutes == 2.0


def test_provenance_says_how_to_get_the_same_answer_again() -> None:
    """Two runs agree in every field, ids included; another seed, model or ledger is another decision."""
    past = timeline(diner())
    first, second = (advise(past, question(), planner(), SOURCES) for _ in range(2))
    assert first == second
    told = first.provenance
    assert (told.model_id, told.model_digest, told.ledger_sequence) == ("toy", "digest", 7)
    assert told.decided_at == AT
    assert told.expires_at == AT + timedelta(seconds=30)
    assert told.data_age_s == 0.0
    others = {
        advise(past, question(seed=1), planner(), SOURCES).provenance.decision_id,
        advise(past, question(), planner(), Sources("toy", "other", 7)).provenance.decision_id,
        advise(past, question(), planner(), Sources("toy", "digest", 8, {"metrics": 3})).provenance.decision_id,
    }
    assert len(others | {told.decision_id}) == 4


def test_simulation_alone_makes_a_course_worth_testing_and_says_what_would_change_that() -> None:
    """The cap is told together with the evidence that would lift it."""
    answer = advise(timeline(diner()), question(courses=[UP]), planner(), SOURCES)
    assert answer.verdict == "worth_testing"
    assert answer.ranked[0].evidence_grade == "E1"
    assert any("shadow backtest of scale_horizontal" in reason for reason in answer.would_change)
    lifted = advise(timeline(diner()), question(courses=[UP]), planner(), SOURCES, RankingPolicy(cap_lifted=True))
    assert lifted.verdict == "recommend"
    assert any("cap" in note for note in lifted.notes)


def test_a_blocked_course_is_shown_with_its_reason() -> None:
    """Out of bounds, it ranks last whatever it promises."""
    answer = advise(timeline(diner()), question(courses=[TOO_MANY]), planner(), PROVEN)
    assert answer.verdict == "inconclusive"
    assert "ruled out by a guardrail" in answer.headline
    assert answer.ranked[-1].blocked_by == ["bound: to_replicas is 60, allowed is at least 1 and at most 6"]
    assert any("ruled out now" in reason for reason in answer.would_change)


def test_candidates_are_enumerated_where_none_are_given() -> None:
    """The descriptor's capabilities are the candidates, up to the number asked for."""
    answer = advise(timeline(diner()), question(max_candidates=5), planner(), PROVEN)
    assert len(answer.ranked) == 5
    assert sum(one.course.is_no_op for one in answer.ranked) == 1


def test_nothing_to_do_is_inconclusive() -> None:
    """A system without capabilities has nothing to compare with doing nothing, which is said."""
    bare = diner(capabilities=[])
    answer = advise(timeline(bare), question(), planner(), PROVEN)
    assert answer.verdict == "inconclusive"
    assert "no candidate" in answer.headline


def test_a_short_history_is_inconclusive_with_the_reason() -> None:
    """Eleven ticks show no trend; whatever the model says, no course is advised."""
    short = advise(timeline(diner(), num_ticks=11), question(courses=[UP]), planner(), PROVEN)
    assert short.verdict == "inconclusive"
    assert {one.verdict for one in short.ranked} == {"inconclusive"}
    assert "too little telemetry" in short.headline
    assert short.would_change[0].startswith("There are 11 ticks")
    assert advise(timeline(diner(), num_ticks=12), question(courses=[UP]), planner(), PROVEN).verdict == "recommend"
    empty = advise(timeline(diner(), {}), question(courses=[UP]), planner(), PROVEN)
    assert empty.verdict == "inconclusive"
    assert empty.provenance.data_age_s is None


def test_old_telemetry_says_nothing_about_the_present() -> None:
    """When nothing was measured for a minute, no course is advised whatever came before."""
    past = timeline(diner())
    past.seen[-12:] = False
    old = replace(past, newest_at=after(-60.0))
    answer = advise(old, question(courses=[UP]), planner(), PROVEN)
    assert answer.verdict == "inconclusive"
    assert "60 s old" in answer.headline


def test_missing_channels_of_an_objective_are_named() -> None:
    """What is not measured where users are promised something would change the advice."""
    unseen = {name: value for name, value in READINGS.items() if not name.startswith("web.p99")}
    answer = advise(timeline(diner(), unseen), question(courses=[UP]), planner(), PROVEN)
    assert any("Nothing recent measures latency at web" in reason for reason in answer.would_change)


def test_doubt_and_risk_are_told_apart() -> None:
    """Some risk is worth testing with its chance of harm; too much is no advice; a null effect means waiting."""
    some = advise(timeline(diner()), question(courses=[UP]), adviser((-1.0, -3.0, 0.2, 0.9)), PROVEN)
    assert some.verdict == "worth_testing"
    assert "chance of harm" in some.headline
    assert any("above the tolerance of 5%" in reason for reason in some.would_change)
    wild = advise(timeline(diner()), question(courses=[UP]), adviser((-1.0, -9.0, 8.0, 0.9)), PROVEN)
    assert wild.verdict == "inconclusive"
    assert wild.headline.startswith("No advice")
    tolerant = question(courses=[UP], harm_tolerance=0.5)
    assert advise(timeline(diner()), tolerant, adviser((-1.0, -9.0, 8.0, 0.9)), PROVEN).verdict == "recommend"
    null = advise(timeline(diner()), question(courses=[UP]), adviser((0.0, -0.01, 0.01, 0.9)), PROVEN)
    assert null.verdict == "no_op_best"
    assert null.headline.startswith("Wait")


def test_a_ranker_without_futures_still_answers() -> None:
    """Failed requests follow from the effect; minutes to recovery are honestly unknown."""
    answer = advise(timeline(diner()), question(courses=[UP]), adviser((-1.0, -1.2, -0.8, 0.9)), PROVEN)
    best = answer.ranked[0].headline
    assert (best.recovery_minutes.lower, best.recovery_minutes.upper) == (0.0, 2.0)
    assert best.failed_requests_avoided is not None
    assert best.failed_requests_avoided.value == pytest.approx(60.0 * 120.0, rel=0.05)
    assert best.failed_requests_avoided.lower < best.failed_requests_avoided.upper


def test_a_callers_objectives_replace_the_descriptors() -> None:
    """They are checked, and the cost is about them."""
    own = [Objective(objective_id="mine", entity_id="db", kind="gauge", channel_id="db.size", threshold=1.0)]
    answer = advise(timeline(diner()), question(courses=[UP], objectives=own), planner(), PROVEN)
    assert answer.ranked[0].headline.failed_requests_avoided is None
    wrong = [Objective(objective_id="mine", entity_id="mars")]
    with pytest.raises(BadInputError, match="'mars'"):
        advise(timeline(diner()), question(objectives=wrong), planner(), PROVEN)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"system_id": "other"}, "'other'"),
        ({"at": after(60)}, "the data end at"),
        ({"horizon_ticks": HORIZON + 1}, "horizon of 25 ticks"),
        ({"courses": [{"course_id": "x", "actions": [{"target": "mars", "params": {"type": "restart"}}]}]}, "'mars'"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(asked: dict[str, object], message: str) -> None:
    """Another system, another moment, too far ahead, or an unknown target."""
    with pytest.raises(BadInputError, match=message):
        advise(timeline(diner()), question(**asked), planner(), PROVEN)
    with pytest.raises(BadInputError, match="objectives"):
        advise(timeline(diner(objectives=[])), question(), planner(), PROVEN)
    with pytest.raises(BadInputError, match="only"):
        advise(timeline(diner()), question(horizon_ticks=3, courses=[]), adviser(), PROVEN)


def ranked(metrics: pa.Table, extra: list[tuple[str, float, float]]) -> RankingAnswer:
    """Return the ranking on readings and on a restart with these further facts (status, event, known)."""
    log = [logged("r", "web", facts=(("started", -30.0, -30.0), *extra))]  # type: ignore[arg-type]
    past = build_timeline(diner(), metrics, log, [], AT, 18)
    return advise(past, question(), planner(), PROVEN)


def readings(late: list[tuple[str, float, float, float]]) -> pa.Table:
    """Return the readings known at the decision and late ones."""
    known = [(c, -5.0 * back - 1.0, -5.0 * back, v) for c, v in READINGS.items() for back in range(18)]
    rows = [{"channel_id": c, "event_at": after(e), "known_at": after(k), "value": v} for c, e, k, v in [*known, *late]]
    return pa.Table.from_pylist(rows, schema=METRICS)


BEFORE = ranked(readings([]), [])
later = st.floats(0.001, 500.0)


@settings(max_examples=15)
@given(
    late=st.lists(
        st.tuples(st.sampled_from(sorted(READINGS)), st.floats(-80.0, 500.0), later, st.floats(0, 1e4)), max_size=9
    ),
    facts=st.lists(
        st.tuples(st.sampled_from(["succeeded", "failed", "rolled_back"]), st.floats(-20, 500), later), max_size=3
    ),
)
def test_rankings_do_not_see_the_future(
    late: list[tuple[str, float, float, float]], facts: list[tuple[str, float, float]]
) -> None:
    """Scrambling every reading and transition that became known later leaves the answer as it was, in every field."""
    assert ranked(readings(late), facts).model_dump_json() == BEFORE.model_dump_json()


def test_the_ranking_does_depend_on_what_was_known() -> None:
    """The test above could fail: the cooldown of the logged restart is part of the answer."""
    assert any("cooldown" in reason for one in BEFORE.ranked for reason in one.blocked_by)
