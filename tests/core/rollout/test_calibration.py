"""Conformal calibration of effect intervals."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import CheckpointError
from opswm.rollout.calibration import (
    MIN_SCORES,
    POOLED,
    Calibration,
    conformal_quantile,
    fit_growth,
    group_of,
    scores,
)
from opswm.rollout.imagine import calibrate, smallest_width, stated_interval
from opswm_schemas.vocabulary import ACTION_INDEX


def test_quantile_has_the_finite_sample_correction() -> None:
    """Of nine scores the 90 % quantile is the largest: the (9 + 1) * 0.9-th smallest."""
    assert conformal_quantile(np.arange(9.0), 0.9) == 8.0
    assert conformal_quantile(np.arange(99.0), 0.9) == 89.0
    assert conformal_quantile(np.arange(3.0), 0.9) == 2.0


def test_scores_by_hand() -> None:
    """A truth at the end of its interval scores 0, one twice as far out 1, one in the middle -1."""
    truth = np.array([-2.0, 1.0, -4.0, 0.0])
    found = scores(np.full(4, -2.0), np.zeros(4), np.full(4, 1.0), truth, np.full(4, 1e-9))
    assert found == pytest.approx([0.0, 0.0, 1.0, -1.0])


def test_narrow_intervals_are_measured_by_the_floor() -> None:
    """An interval without width scores by the smallest half width that counts."""
    zero = np.zeros(1)
    assert scores(zero, zero, zero, np.array([0.3]), np.array([0.1])) == pytest.approx([2.0])


@given(seed=st.integers(0, 10_000), width=st.floats(0.1, 4.0), kind=st.sampled_from(["restart", "pool_resize"]))
def test_coverage_of_new_worlds(seed: int, width: float, kind: str) -> None:
    """However wrong the stated width is, calibrated intervals cover new truths nearly as often as asked."""
    rng = np.random.default_rng(seed)
    samples = width * rng.standard_normal((1, 800, 65)) + rng.normal(0, 5, (1, 800, 1))
    truth = samples.mean(-1) + rng.standard_normal((1, 800))
    floor = np.array([0.04])
    ends = stated_interval(samples, 0.9)
    found = scores(*ends, truth, np.broadcast_to(smallest_width(floor)[:, None], truth.shape))[0]
    fitted = fit_growth({32: ([kind] * 400, found[:400])}, "test", 0.9)
    _, lower, upper = calibrate(samples, [[kind] * 800], floor, fitted, 32)
    covered = ((truth >= lower) & (truth <= upper))[0, 400:].mean()
    assert covered > 0.75  # five standard deviations of the coverage of 400 below 0.9, and some for the fit


def test_groups_with_few_scores_use_the_pooled_ones() -> None:
    """A type with enough scores has its own growth, a rare one that of all together."""
    rng = np.random.default_rng(0)
    names = ["restart"] * MIN_SCORES + ["failover"] * (MIN_SCORES - 1)
    fitted = fit_growth(
        {16: (names, np.r_[rng.normal(0.0, 0.1, MIN_SCORES), rng.normal(3.0, 0.1, MIN_SCORES - 1)])}, "test"
    )
    restart, failover, other = fitted.growth_of(["restart", "failover", "deploy"], 16)
    assert set(fitted.growth) == {POOLED, "restart"}
    assert failover == other == fitted.growth[POOLED][16] > 2.0 > restart


def test_the_nearest_horizon_counts() -> None:
    """A horizon between two fitted ones uses the nearer."""
    fitted = Calibration(growth={POOLED: {8: 0.5, 32: 2.0}})
    assert fitted.growth_of(["restart"], 13).tolist() == [0.5]
    assert fitted.growth_of(["restart"], 30).tolist() == [2.0]


def test_unfitted_leaves_intervals_alone() -> None:
    """Without a fitted calibration samples and ends are as stated."""
    samples = np.random.default_rng(1).normal(size=(2, 3, 40))
    kept, lower, upper = calibrate(samples, [["restart"] * 3] * 2, np.array([0.1, 0.1]), Calibration(), 32)
    assert kept is samples
    assert lower == pytest.approx(np.quantile(samples, 0.05, -1))
    assert upper == pytest.approx(np.quantile(samples, 0.95, -1))


def test_doing_nothing_stays_certain() -> None:
    """The course whose samples are all exactly 0 keeps the interval [0, 0] under any calibration."""
    samples = np.stack([np.zeros(40), np.linspace(-1, 1, 40)])[None]
    fitted = Calibration(growth={POOLED: {32: 4.0}})
    kept, lower, upper = calibrate(samples, [[POOLED, "restart"]], np.array([0.1]), fitted, 32)
    assert (lower[0, 0], upper[0, 0]) == (0.0, 0.0)
    assert not kept[0, 0].any()
    assert upper[0, 1] == pytest.approx(5 * 0.9, rel=0.1)


def test_goes_through_json() -> None:
    """A calibration written to JSON and read again is the same."""
    fitted = fit_growth(
        {8: (["restart"] * 200, np.arange(200.0)), 32: (["restart"] * 200, np.arange(200.0) / 7)}, "worlds"
    )
    assert Calibration.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


@pytest.mark.parametrize(
    "change", [{"growth": {POOLED: {"8": "wide"}}}, {"growth": {POOLED: {}}}, {"level": None}, {"growth": [1]}]
)
def test_broken_json_is_refused(change: dict[str, object]) -> None:
    """A calibration that is not one raises CheckpointError."""
    plain = fit_growth({8: (["restart"], np.zeros(1))}, "worlds").to_json()
    with pytest.raises(CheckpointError, match="calibrat"):
        Calibration.from_json({**plain, **change})


def test_group_of_a_course() -> None:
    """A single action is grouped by its type; a composite course and no_op are pooled."""
    assert group_of([ACTION_INDEX["restart"]]) == "restart"
    assert group_of([1, 2]) == group_of([]) == POOLED
