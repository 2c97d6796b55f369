"""Profiles of demand have a mean of one and the shape that their name says."""

import numpy as np
import pytest

from opswm.simulation.kernel import profiles


def test_every_random_profile_can_be_stood() -> None:
    """Whatever is drawn has a mean of one, no negative multiplier and a bounded peak."""
    for seed in range(60):
        found = np.array(profiles.draw_profile(np.random.default_rng(seed)).values)
        assert found.mean() == pytest.approx(1.0, abs=1e-4)
        assert found.min() >= 0.0
        assert found.max() <= profiles.HIGHEST + 1e-4


def test_days_and_weeks_have_their_shape() -> None:
    """A day rises and falls once around its mean; the last two days of a week are quieter."""
    day = np.array(profiles.diurnal(0.4).values)
    assert 1.2 < day.max() < 1.5
    assert np.count_nonzero(np.diff(day > 1.0)) <= 2
    week = np.array(profiles.weekly(0.2, 0.5).values)
    assert week[720:].mean() / week[:720].mean() == pytest.approx(0.5, rel=0.02)
    assert profiles.weekly(0.2, 0.5).step_s == pytest.approx(600.0)


def test_crowds_come_and_leave_and_ramps_stay() -> None:
    """A flash crowd is tall for a while, a ramp ends where it was told to, constant demand does not move."""
    crowd = np.array(profiles.flash_crowd(3.0, 600.0, 30.0, 120.0).values)
    assert crowd.max() / crowd[0] == pytest.approx(3.0, rel=0.02)
    assert int(crowd.argmax()) == pytest.approx(126, abs=1)
    assert crowd[-1] / crowd[0] < 1.01
    ramp = profiles.ramp(2.0).values
    assert ramp[-1] / ramp[0] == pytest.approx(2.0)
    assert set(profiles.constant().values) == {1.0}


def test_a_switching_rate_stays_at_its_levels() -> None:
    """Rates are those of the levels, each held for about as long as it was told."""
    found = np.array(profiles.switching(np.random.default_rng(1), (1.0, 2.0), stay_s=50.0, length_s=40_000.0).values)
    assert len(np.unique(found)) == 2
    assert found.max() / found.min() == pytest.approx(2.0, rel=1e-3)
    assert 40_000.0 / (1 + np.count_nonzero(np.diff(found))) == pytest.approx(50.0, rel=0.25)


def test_bursts_on_all_scales_do_not_average_out() -> None:
    """Variance of the mean over blocks falls with the block to the power 2H - 2, slower than for independent noise."""
    logs = [np.log(profiles.self_similar(np.random.default_rng(seed), 0.8, 0.2, 40_960.0).values) for seed in range(24)]
    path = np.stack(logs) - np.mean(logs)
    small, large = (float(path.reshape(24, -1, block).mean(2).var()) for block in (8, 128))
    assert np.log(large / small) / np.log(16.0) == pytest.approx(2 * 0.8 - 2.0, abs=0.15)
    with pytest.raises(ValueError, match=r"hurst is 0\.4"):
        profiles.self_similar(np.random.default_rng(1), 0.4)


def test_profiles_multiply() -> None:
    """The product follows both, the shorter one repeated."""
    product = profiles.Profile((1.0, 2.0, 1.0, 2.0)).times(profiles.Profile((1.0, 3.0)))
    assert np.array(product.values) * 3.5 == pytest.approx([1.0, 6.0, 1.0, 6.0], rel=1e-4)


def test_impossible_profiles_are_refused() -> None:
    """No multipliers, negative ones and none but zeros are refused."""
    with pytest.raises(ValueError, match="one multiplier or more"):
        profiles.Profile(())
    with pytest.raises(ValueError, match=r"multiplier 1 is -1\.0"):
        profiles.Profile((1.0, -1.0))
    with pytest.raises(ValueError, match="the mean of the 2 values"):
        profiles.of_values(np.zeros(2), 10.0)
