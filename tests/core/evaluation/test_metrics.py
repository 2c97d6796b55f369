"""Every metric against cases reckoned by hand, a perfect model and its opposite."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.evaluation import metrics
from opswm.evaluation.metrics import METRICS, Ratio
from opswm.evaluation.names import METRICS as NAMES
from opswm.evaluation.outcomes import Outcomes
from tests.core.evaluation.points import FLOOR, decided, outcomes

TRUTH = outcomes([[10.0, 4.0, 12.0, 4.3], [2.0, 3.0, 5.0], [6.0, 5.8, 1.0, 9.0]])
"""An incident with two tied fixes, a healthy point, and an incident with one fix; floor 0.5."""


def test_every_metric_has_a_name_for_result_files() -> None:
    """No metric is called what the benchmark does not know."""
    assert set(METRICS) <= set(NAMES)


def test_regret_sums_over_all_points_before_it_divides() -> None:
    """Lost 0.3, 3 and 8 of what waiting loses (6, 0 and 5); waiting has regret 1, the best 0."""
    assert metrics.regret(TRUTH, decided(TRUTH, [3, 2, 3])).value == pytest.approx((0.3 + 3.0 + 8.0) / 11.0)
    assert metrics.regret(TRUTH, decided(TRUTH, [0, 0, 0])).value == 1.0
    assert metrics.regret(TRUTH, decided(TRUTH, [1, 0, 2])).value == 0.0
    assert metrics.regret_raw(TRUTH, decided(TRUTH, [3, 2, 3])).value == pytest.approx(11.3 / 3)


def test_a_recommendation_that_is_not_made_is_not_executed() -> None:
    """Abstaining carries out no_op and is charged for it."""
    unsure = decided(TRUTH, [1, 1, 1])
    unsure.recommended[:] = False
    assert metrics.regret(TRUTH, unsure).value == 1.0
    assert metrics.harm_rate_all(TRUTH, unsure).value == 0.0


def test_top1_counts_ties_with_the_best() -> None:
    """A course within the floor of the best is as good; half a floor more is not."""
    assert metrics.top1(TRUTH, decided(TRUTH, [3, 0, 2])).value == 1.0
    assert metrics.top1(TRUTH, decided(TRUTH, [3, 1, 1])).value == pytest.approx(1 / 3)


def test_kendall_tau_b_by_hand() -> None:
    """Costs 0, 1, 2 (and 1.2, tied with 1): five clear pairs; with one pair reversed and one tied in the scores."""
    truth = outcomes([[0.0, 1.0, 2.0, 1.2]])
    assert metrics.kendall_tau_b(truth, decided(truth, [0])).value == 1.0
    scores = np.array([[0.0, 3.0, 2.0, 2.0]])  # pairs: 01 +, 02 +, 03 +, 12 -, 23 tied; 13 is no clear pair
    assert metrics.kendall_tau_b(truth, decided(truth, [0], scores)).value == pytest.approx(2 / math.sqrt(5 * 4))
    assert metrics.kendall_tau_b(truth, decided(truth, [0], np.zeros((1, 4)))).value == 0.0


def test_kendall_leaves_out_points_without_a_clear_pair() -> None:
    """A point whose courses are all tied says nothing about ranking; missing candidates make no pairs."""
    truth = outcomes([[1.0, 1.1, 1.2], [1.0, 5.0]])
    assert metrics.kendall_tau_b(truth, decided(truth, [0, 0])).value == 1.0
    assert math.isnan(metrics.kendall_tau_b(truth.take(np.array([0])), decided(truth.take(np.array([0])), [0])).value)


def test_signs_are_judged_where_the_truth_is_clear() -> None:
    """Only effects beyond floor plus two standard errors count: -6, -5.7, +2, +3, +3 and -5 here."""
    truth = outcomes([[10.0, 4.0, 12.0, 4.3], [2.0, 2.8, 5.0], [6.0, 5.8, 1.0, 9.0]], error=0.2)
    guess = np.array([[0.0, -1.0, -1.0, -1.0], [0.0, -1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    assert metrics.sign_agreement(truth, decided(truth, [0, 0, 0], guess)).value == pytest.approx(4 / 6)
    assert metrics.sign_share(truth, decided(truth, [0, 0, 0])).value == pytest.approx(6 / 8)


def test_false_effects_are_intervals_beyond_the_floor_where_there_is_nothing() -> None:
    """Of two courses without effect, one is claimed to help by an interval from -0.9 to -0.7."""
    truth = outcomes([[1.0, 1.2, 0.9, 4.0]])
    guess = np.array([[0.0, -0.8, -0.4, -9.0]])
    assert metrics.false_effect_rate(truth, decided(truth, [0], guess, half_width=0.1)).value == 0.5
    assert metrics.false_effect_rate(truth, decided(truth, [0], guess, half_width=0.4)).value == 0.0
    assert metrics.false_effect_rate(truth, decided(truth, [0], -guess, half_width=0.1)).value == 0.5


def test_harm_is_counted_among_recommendations() -> None:
    """Two of three recommend, one of them harms by 3; over all decisions that is a third."""
    chosen = decided(TRUTH, [1, 2, 0])
    assert metrics.harm_rate(TRUTH, chosen).value == 0.5
    assert metrics.harm_rate_all(TRUTH, chosen).value == pytest.approx(1 / 3)
    assert metrics.harm_mean(TRUTH, chosen).value == 3.0
    slight = outcomes([[1.0, 1.4]])
    assert metrics.harm_rate(slight, decided(slight, [1])).value == 0.0
    assert math.isnan(metrics.harm_rate(slight, decided(slight, [0])).value)


def test_abstention_is_false_where_something_would_have_helped() -> None:
    """Of the two incidents, one is abstained from; the abstention at the healthy point is right."""
    chosen = decided(TRUTH, [0, 0, 2], abstained=[True, True, False])
    assert metrics.abstention(TRUTH, chosen).value == pytest.approx(2 / 3)
    assert metrics.false_abstention(TRUTH, chosen).value == 0.5
    assert math.isnan(metrics.false_abstention(outcomes([[1.0, 0.2]]), decided(outcomes([[1.0, 0.2]]), [0])).value)


def test_coverage_and_interval_score_by_hand() -> None:
    """True effects -6, +2, -5.7 with intervals 0.5 around 0, 1.9 and -5: one is held; misses cost twentyfold."""
    truth = outcomes([[10.0, 4.0, 12.0, 4.3]])
    guess = decided(truth, [0], np.array([[0.0, 0.0, 1.9, -5.0]]), half_width=0.5)
    assert metrics.coverage90(truth, guess).value == pytest.approx(1 / 3)
    assert metrics.interval_score90(truth, guess).value == pytest.approx(1.0 + 20 * (5.5 + 0.0 + 0.2) / 3)
    assert metrics.interval_width90(truth, guess).value == pytest.approx(1.0 / FLOOR)


def test_coverage_is_told_apart_by_the_size_of_the_effect() -> None:
    """Intervals around zero hold small effects and miss large ones."""
    guess = decided(TRUTH, [0, 0, 0], np.zeros((3, 4)), half_width=0.6)
    assert metrics.coverage90_within_floor(TRUTH, guess).value == 1.0
    assert metrics.coverage90_beyond_floor(TRUTH, guess).value == 0.0
    assert metrics.coverage90(TRUTH, guess).value == pytest.approx(1 / 8)


def test_shares_of_points_are_published() -> None:
    """One of three points has waiting tied with the best; truths are unsettled above a quarter of the floor."""
    assert metrics.no_op_tied_share(TRUTH, decided(TRUTH, [0, 0, 0])).value == pytest.approx(1 / 3)
    assert metrics.unsettled_share(TRUTH, decided(TRUTH, [0, 0, 0])).value == 0.0
    loose = outcomes([[1.0, 2.0], [1.0, 2.0]], error=0.126)
    assert metrics.unsettled_share(loose, decided(loose, [0, 0])).value == 1.0


WORLDS = st.lists(
    st.lists(st.floats(0.0, 30.0), min_size=2, max_size=5), min_size=2, max_size=8
).map(outcomes).filter(lambda truth: (truth.cost[:, 0] - truth.best_cost).sum() > 0.1)  # fmt: skip


def extreme(truth: Outcomes, *, worst: bool) -> list[int]:
    """Return the best or worst course of every point."""
    cost = np.where(truth.there, truth.cost, -np.inf if worst else np.inf)
    return [int(position) for position in (cost.argmax(1) if worst else cost.argmin(1))]


@given(truth=WORLDS, data=st.data())
def test_a_perfect_model_is_best_and_its_opposite_worst(truth: Outcomes, data: st.DataObject) -> None:
    """Nobody beats the perfect model or falls below the one that turns every effect round."""
    perfect = decided(truth, extreme(truth, worst=False))
    opposite = decided(truth, extreme(truth, worst=True), -truth.effect)
    widths = truth.there.sum(1)
    some = [data.draw(st.integers(0, int(width) - 1)) for width in widths]
    other = decided(truth, some, np.where(truth.arms, np.array(data.draw(st.floats(-9, 9))), 0.0))
    assert metrics.regret(truth, perfect).value == 0.0
    assert metrics.top1(truth, perfect).value == 1.0
    assert metrics.coverage90(truth, perfect).value == 1.0
    assert metrics.interval_score90(truth, perfect).value == 0.0
    assert metrics.harm_rate_all(truth, perfect).value == 0.0
    for name, direction in (
        ("regret", 1),
        ("regret_raw", 1),
        ("top1", -1),
        ("harm_rate_all", 1),
        ("kendall_tau_b", -1),
    ):
        best, middle, worst = (direction * METRICS[name](truth, one).value for one in (perfect, other, opposite))
        assert best - 1e-9 <= middle <= worst + 1e-9 or math.isnan(best)
    if metrics.sign_agreement(truth, perfect).whole.sum():
        assert metrics.sign_agreement(truth, perfect).value == 1.0
        assert metrics.sign_agreement(truth, opposite).value == 0.0


@given(truth=WORLDS, seed=st.integers(0, 99))
def test_the_order_of_candidates_does_not_matter(truth: Outcomes, seed: int) -> None:
    """Moving candidates about (no_op stays first) changes no metric."""
    width = truth.cost.shape[1]
    moved = np.array([0, *np.random.default_rng(seed).permutation(np.arange(1, width))])
    guess = np.where(truth.there, 0.5 * truth.effect + 0.1, 0.0)
    chosen = extreme(truth, worst=False)
    before = decided(truth, chosen, guess, 1.0)
    after_truth = Outcomes(
        truth.cost[:, moved], truth.effect_error[:, moved], truth.there[:, moved], truth.floor, truth.world
    )
    after = decided(after_truth, [int(np.flatnonzero(moved == one)[0]) for one in chosen], guess[:, moved], 1.0)
    for metric in METRICS.values():
        assert metric(after_truth, after).value == pytest.approx(metric(truth, before).value, nan_ok=True)


def test_a_ratio_of_nothing_is_not_a_number() -> None:
    """Where nothing counts there is no value, rather than zero."""
    assert math.isnan(Ratio(np.zeros(3), np.zeros(3)).value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"there": np.zeros((3, 4), dtype=bool)}, "no_op as its first"),
        ({"cost": np.full((3, 4), np.nan)}, "must be finite"),
        ({"floor": np.zeros(3)}, "noise floors positive"),
        ({"world": np.zeros(5, dtype=np.int64)}, "'world'"),
        ({"cost": np.zeros(3)}, r"give at least one point"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    """Missing no_op, costs that are no numbers, floors of zero and shapes that differ are errors."""
    names = ("cost", "effect_error", "there", "floor", "world")
    with pytest.raises(BadInputError, match=message):
        Outcomes(**({name: getattr(TRUTH, name) for name in names} | change))
