"""Order, verdicts and caps."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.planning.evidence import EvidenceBook
from opswm.planning.rank import Judgement, RankingPolicy, judge
from opswm_schemas.answers import EvidenceGrade, Verdict
from tests.core.planning.toy import candidates, outlook, with_samples

FLOOR = 0.1
GOOD = (-2.0, -3.0, -1.0, 0.9)
RISKY = (-2.0, -6.0, 0.4, 0.9)
WILD = (-2.0, -9.0, 8.0, 0.9)
NULL = (0.0, -0.02, 0.02, 0.9)
HARM = (3.0, 2.0, 4.0, 0.9)
STRANGE = (-2.0, -3.0, -1.0, 0.01)

Said = tuple[float, float, float, float]


def judged(
    *said: Said,
    costs: Sequence[float] = (),
    blocked: tuple[int, ...] = (),
    grade: EvidenceGrade = "E3",
    policy: RankingPolicy | None = None,
) -> Judgement:
    """Return the judgement on what a ranker says."""
    listed = candidates(*(costs or [0.0] * len(said)), blocked=blocked)
    return judge(outlook(*said, floor=FLOOR), listed, FLOOR, policy or RankingPolicy(), EvidenceBook(grade), 0)


@pytest.mark.parametrize(
    ("said", "verdict", "advised"),
    [
        ([GOOD, NULL], "recommend", 1),
        ([NULL, GOOD], "recommend", 2),
        ([RISKY], "worth_testing", 1),
        ([WILD], "inconclusive", 0),
        ([STRANGE], "inconclusive", 0),
        ([NULL, HARM], "no_op_best", 0),
        ([HARM, HARM], "no_op_best", 0),
        ([], "inconclusive", 0),
        ([RISKY, GOOD], "recommend", 2),
    ],
)
def test_the_verdict_follows_benefit_harm_and_support(said: list[Said], verdict: Verdict, advised: int) -> None:
    """Clear benefit is recommended, some risk is worth testing, none of either means waiting, doubt is said."""
    found = judged(*said)
    assert found.verdict == verdict
    assert found.advised.scenario == advised


@pytest.mark.parametrize("grade", ["E0", "E1", "E2", "E3", "E4"])
def test_the_evidence_grade_caps_the_verdict(grade: EvidenceGrade) -> None:
    """Only this system's own evidence lets a course be recommended; none at all is inconclusive."""
    wanted = {"E0": "inconclusive", "E1": "worth_testing", "E2": "worth_testing", "E3": "recommend", "E4": "recommend"}
    found = judged(GOOD, grade=grade)
    assert found.verdict == wanted[grade]
    assert found.advised.capped == (grade in ("E1", "E2"))
    assert judged(GOOD, grade=grade, policy=RankingPolicy(cap_lifted=True)).verdict == "recommend"


def test_a_grade_earned_by_a_type_counts_for_that_type() -> None:
    """A backtest of restarts lifts restarts, and only with support."""
    book = EvidenceBook("E1", {"restart": "E3"})
    course = candidates(0.0)[1].course
    assert [book.grade(course, support, 0.05) for support in (0.9, 0.01)] == ["E3", "E0"]
    assert book.grade(candidates()[0].course, 1.0, 0.05) == "E1"


def test_a_blocked_course_is_shown_last_and_never_advised() -> None:
    """A guardrail outweighs any benefit."""
    found = judged(GOOD, (-1.0, -1.5, -0.5, 0.9), blocked=(1,))
    assert [one.scenario for one in found.ranked] == [2, 0, 1]
    assert found.advised.scenario == 2
    alone = judged(GOOD, blocked=(1,))
    assert (alone.verdict, alone.advised.scenario) == ("inconclusive", 0)
    assert alone.ranked[-1].verdict == "inconclusive"


def test_the_cost_of_acting_counts() -> None:
    """An action that costs more than it brings is not worth it, and its own cost makes it harmful."""
    found = judged((-0.3, -0.35, -0.25, 0.9), costs=[2.0])
    assert found.verdict == "no_op_best"
    costly = next(one for one in found.ranked if one.scenario == 1)
    assert costly.value == pytest.approx(1.7)
    assert costly.p_harm > 0.99
    assert judged((-0.3, -0.35, -0.25, 0.9), costs=[0.1]).verdict == "recommend"


def test_costs_are_added_to_samples_where_there_are_any() -> None:
    """Joint samples keep their pairing: the chance of being best is counted, not modelled."""
    common = np.linspace(-1.0, 1.0, 41)
    effect = np.stack([np.zeros(41), common - 2.0, common - 2.2])
    policy, book = RankingPolicy(), EvidenceBook("E3")
    free = judge(with_samples(effect), candidates(0.0, 0.0), FLOOR, policy, book, 0)
    priced = judge(with_samples(effect), candidates(0.0, 1.0), FLOOR, policy, book, 0)
    assert free.advised.scenario == 2
    assert priced.advised.scenario == 1
    assert {one.scenario: one.p_best for one in priced.ranked}[1] == 1.0
    assert {one.scenario: one.p_harm for one in priced.ranked}[2] == pytest.approx(0.0)


def test_caution_prefers_the_surer_course() -> None:
    """Of two courses the wider one wins on its centre and loses on its pessimistic end."""
    said = [(-2.0, -2.2, -1.8, 0.9), (-2.3, -4.0, -0.2, 0.9)]
    bold = judged(*said, policy=RankingPolicy(caution=0.0))
    careful = judged(*said, policy=RankingPolicy(caution=1.0))
    assert (bold.ranked[0].scenario, careful.ranked[0].scenario) == (2, 1)


def test_equal_scores_break_by_a_seeded_hash() -> None:
    """Ties fall the same way for one seed, and not always the same way over seeds."""
    listed, said = candidates(0.0, 0.0, 0.0), outlook(GOOD, GOOD, GOOD)
    book, policy = EvidenceBook("E3"), RankingPolicy()
    first = [judge(said, listed, FLOOR, policy, book, seed).ranked[0].scenario for seed in range(20)]
    again = [judge(said, listed, FLOOR, policy, book, seed).ranked[0].scenario for seed in range(20)]
    assert first == again
    assert len(set(first)) > 1


effect = st.floats(-5.0, 5.0)


@given(
    said=st.lists(st.tuples(effect, st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.floats(0.0, 1.0)), max_size=6),
    blocked=st.sets(st.integers(1, 6)),
    grade=st.sampled_from(["E0", "E1", "E2", "E3", "E4"]),
    tolerance=st.floats(0.0, 0.5),
)
def test_no_recommendation_breaks_its_own_rules(
    said: list[Said], blocked: set[int], grade: EvidenceGrade, tolerance: float
) -> None:
    """Whatever is estimated, what is recommended is unblocked, helpful, supported, proven and hardly harmful."""
    table = [(value, value - down, value + up, support) for value, down, up, support in said]
    policy = RankingPolicy(harm_tolerance=tolerance)
    found = judged(*table, blocked=tuple(blocked), grade=grade, policy=policy)
    assert sorted(one.scenario for one in found.ranked) == list(range(len(said) + 1))
    scores = [one.score for one in found.ranked if not one.candidate.blocked_by]
    assert scores == sorted(scores)
    for one in found.ranked:
        if one.verdict == "recommend":
            assert not one.candidate.blocked_by
            assert one.value < -FLOOR
            assert one.support >= policy.min_support
            assert one.p_harm <= tolerance
            assert one.grade in ("E3", "E4")
    assert (found.verdict == "recommend") == any(one.verdict == "recommend" for one in found.ranked)
    assert (found.advised.scenario == 0) == (found.verdict in ("no_op_best", "inconclusive"))


@pytest.mark.parametrize("sampled", [False, True])
def test_a_blocked_course_does_not_compete_for_being_best(sampled: bool) -> None:
    """However good a forbidden course looks, the best is the best of what may be done."""
    listed = candidates(0.0, 0.0, blocked=(1,))
    said = ((-9.0, -9.5, -8.5, 0.9), (0.5, 0.4, 0.6, 0.9))
    given = outlook(*said, floor=FLOOR)
    if sampled:
        given = with_samples(np.stack([np.zeros(50), np.full(50, -9.0), np.full(50, 0.5)]))
    found = judge(given, listed, FLOOR, RankingPolicy(), EvidenceBook("E3"), 0)
    best = {one.scenario: one.p_best for one in found.ranked}
    assert best[0] == pytest.approx(1.0, abs=0.01)
    assert best[1] == 0.0
    assert found.verdict == "no_op_best"
