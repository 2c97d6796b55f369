"""Decisions follow the planner's rule, and rankers are compared at the same coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.evaluation.decisions import at_coverage, decide
from opswm.evaluation.outcomes import Outcomes
from opswm.evaluation.score import Track, score_matched
from opswm.planning.evidence import EvidenceBook
from opswm.planning.guardrails import Candidate
from opswm.planning.outlook import Imagined, Outlook
from opswm.planning.rank import Judgement, RankingPolicy, judge
from opswm.planning.ranker import Effects
from opswm_schemas.questions import Course
from tests.core.evaluation.points import FLOOR, decided, estimated, outcomes

LIFTED = RankingPolicy(cap_lifted=True)
WIDTH, SAMPLES = 5, 40


def planned(effects: Effects, own_cost: np.ndarray, samples: np.ndarray, point: int, width: int) -> Judgement:
    """Return what the planner itself concludes at one point with so many candidates."""
    names = ("value", "lower", "upper", "p_harm", "p_best", "support")
    row = {name: getattr(effects, name)[point : point + 1, :width] for name in names}
    one = Effects(**row, cost_no_op=effects.cost_no_op[point : point + 1])
    nothing = np.zeros((width, SAMPLES))
    imagined = Imagined(samples[point, :width], nothing, np.zeros((width, SAMPLES, 1, 1)), nothing)
    candidates = [
        Candidate(Course(course_id=f"c{number}"), cost_bad_minutes=float(own_cost[point, number]))
        for number in range(width)
    ]
    return judge(Outlook(one, imagined), candidates, FLOOR, LIFTED, EvidenceBook("E1"), 0)


@settings(max_examples=40)
@given(seed=st.integers(0, 9_999), costly=st.booleans(), widths=st.lists(st.integers(1, WIDTH), min_size=3, max_size=3))
def test_decisions_are_those_of_the_planner(seed: int, costly: bool, widths: list[int]) -> None:
    """Point by point: the same course recommended, the same ranking score, abstention where no verdict is reached."""
    generator = np.random.default_rng(seed)
    truth = outcomes([[1.0] * width for width in [*widths, WIDTH]])
    value = generator.normal(-0.4, 1.0, (4, WIDTH))
    value[:, 0] = 0.0
    samples = value[..., None] + generator.normal(0.0, generator.uniform(0.05, 1.0), (4, WIDTH, SAMPLES))
    samples[:, 0] = 0.0
    half_width = np.where(np.arange(WIDTH) > 0, 0.7, 0.0)
    effects = Effects(
        value=value,
        lower=value - half_width,
        upper=value + half_width,
        p_harm=(samples > FLOOR).mean(-1),
        p_best=(samples <= samples.min(1, keepdims=True) + FLOOR).mean(-1),
        support=generator.choice([0.01, 0.9], (4, WIDTH), p=[0.2, 0.8]),
        cost_no_op=np.ones(4),
    )
    own_cost = costly * generator.uniform(0.0, 0.6, (4, WIDTH))
    own_cost[:, 0] = 0.0
    made = decide(effects, own_cost, truth, LIFTED, seed, samples)
    for point, width in enumerate([*widths, WIDTH]):
        judgement = planned(effects, own_cost, samples, point, width)
        assert made.recommended[point] == (judgement.verdict == "recommend")
        if made.recommended[point]:
            assert made.preferred[point] == judgement.advised.scenario
        for judged in judgement.ranked:
            assert made.score[point, judged.scenario] == pytest.approx(judged.score)
        assert np.isinf(made.score[point, width:]).all()
        if width == WIDTH or not costly:
            assert made.abstained[point] == (judgement.verdict in ("worth_testing", "inconclusive"))


def certain(truth: Outcomes, value: np.ndarray) -> Effects:
    """Return effects known without doubt."""
    helps_most = value <= value.min(axis=1, keepdims=True) + FLOOR
    return estimated(value, 0.0, (value > FLOOR).astype(float), helps_most.astype(float))


def test_a_sure_and_right_ranker_does_the_best_thing() -> None:
    """It recommends the best course, says no_op is best where it is, and never abstains."""
    truth = outcomes([[10.0, 4.0, 12.0], [2.0, 3.0, 5.0], [6.0, 5.8, 1.0]])
    made = decide(certain(truth, truth.effect), np.zeros((3, 3)), truth, LIFTED, 0)
    assert made.executed.tolist() == [1, 0, 2]
    assert not made.abstained.any()
    assert made.preferred.tolist() == [1, 1, 2]


def test_its_own_cost_may_turn_a_course_down() -> None:
    """A course that gains less than doing it costs is not recommended; a cheaper one is."""
    truth = outcomes([[10.0, 9.0, 9.2]])
    own_cost = np.array([[0.0, 0.9, 0.1]])
    made = decide(certain(truth, truth.effect), own_cost, truth, LIFTED, 0)
    assert made.executed.tolist() == [2]
    assert made.value[0].tolist() == pytest.approx([0.0, -0.1, -0.7])


def test_equal_scores_are_settled_by_the_seed() -> None:
    """Among equals the choice is chance, the same for the same seed, and reaches every one of them."""
    truth = outcomes([[10.0, 4.0, 4.0, 4.0]] * 40)
    effects = certain(truth, truth.effect)
    one, again, other = (decide(effects, np.zeros((40, 4)), truth, LIFTED, seed).executed for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
    assert set(one.tolist()) == {1, 2, 3}


def test_shapes_must_fit() -> None:
    """Effects of other candidates than the outcomes are refused."""
    truth = outcomes([[10.0, 4.0, 4.0]])
    with pytest.raises(BadInputError, match="must be of the outcomes'"):
        decide(certain(truth, np.zeros((1, 4))), np.zeros((1, 3)), truth, LIFTED, 0)


def test_at_a_coverage_the_surest_points_act() -> None:
    """Half the points act, those with the largest pessimistic benefit in floors; the others abstain."""
    truth = outcomes([[10.0, 4.0], [2.0, 1.0], [6.0, 9.0], [5.0, 2.0]])
    half = at_coverage(decided(truth, [1, 1, 1, 1]), truth, 0.5, 0)
    assert half.executed.tolist() == [1, 0, 0, 1]
    assert half.abstained.tolist() == [False, True, True, False]
    assert at_coverage(half, truth, 0.0, 0).executed.tolist() == [0, 0, 0, 0]
    assert at_coverage(half, truth, 1.0, 0).executed.tolist() == [1, 1, 1, 1]
    with pytest.raises(BadInputError, match="from 0 to 1"):
        at_coverage(half, truth, 1.5, 0)


def test_waiting_is_no_action_at_any_coverage() -> None:
    """A point with no_op alone never acts."""
    truth = outcomes([[10.0], [2.0, 1.0]])
    assert at_coverage(decided(truth, [0, 1]), truth, 1.0, 0).executed.tolist() == [0, 1]


def test_matched_figures_are_those_of_the_surest_decisions() -> None:
    """Acting at half of the points only, where it is surest, loses what the other half would have gained."""
    truth = outcomes([[10.0, 4.0], [2.0, 1.0], [6.0, 9.0], [5.0, 2.0]])
    taken = decided(truth, [1, 1, 1, 1])
    found = {one.metric: one.value for one in score_matched(Track("demo"), "runbook", truth, taken, 0.5, 0)}
    assert found == {"regret_matched": pytest.approx(1.0 / 10.0), "harm_rate_matched": 0.0}
    everywhere = {one.metric: one.value for one in score_matched(Track("demo"), "runbook", truth, taken, 1.0, 0)}
    assert everywhere == {"regret_matched": pytest.approx(3.0 / 10.0), "harm_rate_matched": 0.25}
