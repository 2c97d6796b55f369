"""Bootstrap over worlds, and the exact bound on rare events."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.evaluation.intervals import bootstrap, upper_bound
from opswm.evaluation.metrics import Ratio


def ratio(part: list[float]) -> Ratio:
    """Return a mean over points."""
    return Ratio(np.array(part), np.ones(len(part)))


def test_the_interval_holds_the_value_and_narrows_with_more_worlds() -> None:
    """A hundred times as many worlds give an interval about a tenth as wide, as the root of the number asks."""
    few = bootstrap(ratio([0.0, 1.0] * 20), np.arange(40), 1)
    many = bootstrap(ratio([0.0, 1.0] * 2000), np.arange(4000), 1)
    assert few.low < few.value == 0.5 < few.high
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(10.0, rel=0.2)
    assert few.high - few.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(40), rel=0.15)
    assert (few.num_worlds, many.num_worlds) == (40, 4000)


def test_points_of_one_world_are_not_independent() -> None:
    """Each world twice leaves the interval as wide as each world once."""
    part = np.random.default_rng(0).random(60).tolist()
    once = bootstrap(ratio(part), np.arange(60), 3)
    twice = bootstrap(ratio(part + part), np.tile(np.arange(60), 2), 3)
    assert (once.low, once.high) == pytest.approx((twice.low, twice.high))
    apart = bootstrap(ratio(part + part), np.arange(120), 3)
    assert apart.high - apart.low < 0.8 * (once.high - once.low)


def test_models_are_compared_on_the_same_draws() -> None:
    """Two models that differ by a constant differ by just that, in every draw; a model does not differ from itself."""
    part = np.random.default_rng(1).random(50)
    shifted = bootstrap(ratio((part + 0.25).tolist()), np.arange(50), 5, ratio(part.tolist()))
    assert (shifted.value, shifted.low, shifted.high) == pytest.approx((0.25, 0.25, 0.25))
    assert shifted.excludes_zero
    same = bootstrap(ratio(part.tolist()), np.arange(50), 5, ratio(part.tolist()))
    assert (same.value, same.low, same.high, same.excludes_zero) == (0.0, 0.0, 0.0, False)


def test_the_same_seed_gives_the_same_interval() -> None:
    """Resampling depends on the seed, not on what was drawn before."""
    part = np.random.default_rng(2).random(30).tolist()
    first, again, other = (bootstrap(ratio(part), np.arange(30), seed) for seed in (7, 7, 8))
    assert first == again
    assert first.value == other.value
    assert (first.low, first.high) != (other.low, other.high)


def test_worlds_may_have_any_numbers_and_order() -> None:
    """Only which points share a world matters."""
    part = np.random.default_rng(4).random(9)
    order = np.array([3, 1, 8, 0, 2, 6, 5, 7, 4])
    plain = bootstrap(ratio(part.tolist()), np.repeat([5, 70, 900], 3), 1)
    moved = bootstrap(ratio(part[order].tolist()), np.repeat([5, 70, 900], 3)[order], 1)
    assert (moved.value, moved.low, moved.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_nothing_to_count_has_no_interval() -> None:
    """Where no point counts, value and interval are not numbers."""
    empty = bootstrap(Ratio(np.zeros(4), np.zeros(4)), np.arange(4), 0)
    assert all(math.isnan(number) for number in (empty.value, empty.low, empty.high))
    assert not empty.excludes_zero


def test_metrics_of_other_points_are_refused() -> None:
    """Worlds and references must be of the same points."""
    with pytest.raises(BadInputError, match=r"\[3, 4\] points"):
        bootstrap(ratio([1.0] * 4), np.arange(3), 0)
    with pytest.raises(BadInputError, match=r"\[3, 4\] points"):
        bootstrap(ratio([1.0] * 4), np.arange(4), 0, ratio([1.0] * 3))


def test_the_bound_on_rare_harm_by_hand() -> None:
    """Without a hit in n trials the bound is 1 - 0.05 ** (1 / n); one in ten has 0.394 (Clopper and Pearson)."""
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(0, 1) == pytest.approx(0.95)
    assert upper_bound(1, 10) == pytest.approx(0.394163, abs=1e-6)
    assert upper_bound(0, 0) == upper_bound(4, 4) == 1.0
    with pytest.raises(BadInputError, match="5 hits in 4 trials"):
        upper_bound(5, 4)


@given(trials=st.integers(1, 400), hits=st.integers(0, 400))
def test_the_bound_lies_above_the_rate_and_rises_with_the_hits(trials: int, hits: int) -> None:
    """It is never below what was observed, at most one, and larger with one hit more."""
    hits = min(hits, trials - 1)
    bound = upper_bound(hits, trials)
    assert hits / trials < bound < upper_bound(hits + 1, trials) <= 1.0
