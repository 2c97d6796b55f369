"""Losses against cases worked out by hand."""

import math

import pytest
import torch

from opswm.model.losses import (
    bad_cross_entropy,
    channel_pinball,
    channel_response,
    effect_huber,
    effect_score,
    soft_regret,
)

ALL = torch.ones(1, 3, dtype=torch.bool)


def test_cross_entropy_is_least_at_the_truth() -> None:
    """No forecast of a constant bad share scores better than that share itself."""
    target = torch.full((1, 3, 5, 1), 0.3)

    def score(share: float) -> float:
        log_odds = torch.full((1, 3, 2, 5, 1), math.log(share / (1 - share)))
        return float(bad_cross_entropy(log_odds, target, torch.ones(1, 1), ALL))

    scores = {share: score(share) for share in (0.1, 0.25, 0.3, 0.35, 0.6)}
    assert min(scores, key=lambda share: scores[share]) == 0.3
    assert scores[0.3] == pytest.approx(-(0.3 * math.log(0.3) + 0.7 * math.log(0.7)), abs=1e-6)


def test_cross_entropy_weighs_objectives() -> None:
    """An objective of weight 0 does not count."""
    log_odds, target = torch.zeros(1, 3, 2, 5, 2), torch.zeros(1, 3, 5, 2)
    target[..., 1] = 1.0
    weight = torch.tensor([[1.0, 0.0]])
    once = bad_cross_entropy(log_odds, target, weight, ALL)
    log_odds[..., 1] = -9.0
    assert float(bad_cross_entropy(log_odds, target, weight, ALL)) == float(once)


def test_noisy_truth_counts_half_at_two_percent() -> None:
    """An effect known to 0.02 has half the weight of one that is exact."""
    by_member, truth = torch.zeros(1, 3, 4), torch.full((1, 3), 0.2)
    exact = effect_huber(by_member, truth, torch.zeros(1, 3), ALL)
    doubtful = effect_huber(by_member, truth, torch.full((1, 3), 0.02), ALL)
    assert float(doubtful) == pytest.approx(float(exact) / 2)


def test_score_prefers_the_right_spread() -> None:
    """Among normal samples of several widths, those as wide as the truth score best."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(800, 2, generator=generator)
    noise = torch.randn(800, 2, 24, generator=generator)
    arm = torch.ones(800, 2, dtype=torch.bool)
    scores = {width: float(effect_score(width * noise, truth, arm)) for width in (0.2, 0.6, 1.0, 1.5, 3.0)}
    assert min(scores, key=lambda width: scores[width]) == 1.0


def test_soft_regret_by_hand() -> None:
    """Equal predictions choose at random; a clear one chooses its course, right or wrong."""
    truth = torch.tensor([[0.0, -0.3, 0.1]])
    assert float(soft_regret(torch.zeros(1, 3), truth, ALL, 0.02)) == pytest.approx((0.3 + 0.0 + 0.4) / 3)
    assert float(soft_regret(torch.tensor([[0.0, -1.0, 0.0]]), truth, ALL, 0.02)) == pytest.approx(0.0, abs=1e-6)
    assert float(soft_regret(torch.tensor([[0.0, 0.0, -1.0]]), truth, ALL, 0.02)) == pytest.approx(0.4)


def test_soft_regret_ignores_arms_that_were_not_run() -> None:
    """An arm without an outcome is neither chosen nor compared with."""
    arm = torch.tensor([[True, False, True]])
    chosen = soft_regret(torch.tensor([[0.0, -5.0, -1.0]]), torch.tensor([[0.0, -9.0, -0.2]]), arm, 0.02)
    assert float(chosen) == pytest.approx(0.0, abs=1e-6)


def test_pinball_by_hand() -> None:
    """A target above the 0.9 quantile costs nine times one as far below it."""
    quantiles, levels = torch.zeros(1, 1, 1, 1, 1, 1), torch.tensor([0.9])
    seen = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    above = channel_pinball(quantiles, levels, torch.full((1, 1, 1, 1, 1), 2.0), seen)
    below = channel_pinball(quantiles, levels, torch.full((1, 1, 1, 1, 1), -2.0), seen)
    assert float(above) == pytest.approx(1.8)
    assert float(below) == pytest.approx(0.2)


def test_pinball_ignores_what_was_not_seen() -> None:
    """A reading that is not there, NaN included, does not count."""
    quantiles, target = torch.zeros(1, 1, 1, 1, 2, 3), torch.tensor([torch.nan, 1.0]).view(1, 1, 1, 1, 2)
    seen = torch.tensor([False, True]).view(1, 1, 1, 1, 2)
    assert float(channel_pinball(quantiles, torch.tensor([0.1, 0.5, 0.9]), target, seen)) == pytest.approx(0.5)


def test_response_by_hand() -> None:
    """What counts is the change against course 0 of readings seen in both, not the level of either."""
    target = torch.tensor([[5.0, 5.0], [5.4, torch.nan]]).view(1, 2, 1, 1, 2)
    seen = torch.tensor([[True, True], [True, False]]).view(1, 2, 1, 1, 2)
    quantiles = torch.zeros(1, 2, 1, 1, 2, 3)
    assert float(channel_response(quantiles, target, seen)) == pytest.approx(0.5 * 0.4**2)
    quantiles[:, 1, ..., 1] = 0.4
    assert float(channel_response(quantiles, target, seen)) == pytest.approx(0.0, abs=1e-9)
    assert float(channel_response(quantiles, target, torch.zeros_like(seen))) == 0.0
