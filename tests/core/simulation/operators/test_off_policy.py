"""Whether logs can be corrected: with true propensities always, with those of what was seen only if that was all."""

import pytest
import torch
from torch import Tensor

from opswm.simulation.operators.off_policy import ips, plain_means, snips
from opswm.simulation.operators.policies import Policy, apparent_propensities, choose, propensities, regime_policy
from tests.core.simulation.operators.conftest import SEEDS, Known

OCCASIONS = 60


def _wanted(known: Known) -> Tensor:
    return torch.full_like(known.cost, 1.0 / known.cost.shape[1])


def _expected_means(known: Known, policy: Policy, assumed: Tensor | None = None) -> tuple[float, float]:
    """Return what a log of endless length says that waiting and acting cost, weighted by assumed chances if given."""
    chance = propensities(policy, known.points.score, known.points.staying)
    weight = chance if assumed is None else chance / assumed
    waiting = (weight * known.cost)[:, 0].sum() / weight[:, 0].sum()
    acting = (weight * known.cost)[:, 1:].sum() / weight[:, 1:].sum()
    return float(waiting), float(acting)


def _true_means(known: Known) -> tuple[float, float]:
    return float(known.cost[:, 0].mean()), float(known.cost[:, 1:].mean())


def test_one_log_recovers_the_uniform_policy(known: Known) -> None:
    """With gamma 1, both estimates lie within two of their standard errors of the branched truth."""
    points = known.points
    for estimator in (ips, snips):
        found = estimator(points.realised_cost, points.chosen, points.propensity, _wanted(known))
        assert abs(found.value - float(known.cost.mean())) < 2.0 * found.error
        assert found.effective_samples > 0.7 * len(SEEDS)


@pytest.mark.parametrize("policy", [Policy(1.0), Policy(4.0), regime_policy(4.0, hidden=True)])
def test_many_logs_recover_the_uniform_policy_on_average(known: Known, policy: Policy) -> None:
    """Over 60 logs of the same worlds, the mean error of the weighted estimate is within three standard errors of 0."""
    points, wanted, truth = known.points, _wanted(known), float(known.cost.mean())
    chance = propensities(policy, points.score, points.staying)
    errors = []
    for occasion in range(OCCASIONS):
        chosen = choose(chance, SEEDS, occasion)
        cost = known.cost.gather(1, chosen[:, None])[:, 0]
        errors.append(ips(cost, chosen, chance, wanted).value - truth)
    spread = torch.tensor(errors).std() / OCCASIONS**0.5
    assert abs(sum(errors) / OCCASIONS) < 3.0 * float(spread)


def test_plain_means_flatter_waiting_and_slander_acting(known: Known) -> None:
    """The closer the runbook is followed, the more acting seems to cost against waiting: it is done where it hurts."""
    truth = _true_means(known)
    apparent = [_expected_means(known, Policy(gamma)) for gamma in (0.0, 1.0, 4.0)]
    assert apparent[0] == pytest.approx(truth)
    gaps = [acting - waiting for waiting, acting in apparent]
    assert gaps[0] < gaps[1] < gaps[2]
    assert apparent[2][0] < truth[0] - 0.05
    assert gaps[2] > (truth[1] - truth[0]) + 0.05


def test_what_was_seen_is_enough_where_it_is_all_there_was(known: Known) -> None:
    """Weights from the score alone recover the truth in the logged regime."""
    policy = Policy(4.0)
    assumed = apparent_propensities(policy, known.points.score, known.points.staying)
    assert _expected_means(known, policy, assumed) == pytest.approx(_true_means(known))


def test_what_was_seen_is_not_enough_under_hidden_confounding(known: Known) -> None:
    """Weights from the score leave waiting looking cheaper than it is; weights from the true chances do not."""
    policy, truth = regime_policy(4.0, hidden=True), _true_means(known)
    points = known.points
    assumed = apparent_propensities(policy, points.score, points.staying)
    adjusted = _expected_means(known, policy, assumed)
    assert adjusted[0] < truth[0] - 0.1
    assert adjusted[1] - adjusted[0] > truth[1] - truth[0] + 0.1
    true_chances = propensities(policy, points.score, points.staying)
    assert _expected_means(known, policy, true_chances) == pytest.approx(truth)


def test_estimates_match_a_hand_computed_case() -> None:
    """Two points, weights 2 and 0.5."""
    logged, wanted = torch.tensor([[0.25, 0.75], [0.4, 0.6]]), torch.tensor([[0.5, 0.5], [0.7, 0.3]])
    cost, chosen = torch.tensor([3.0, 1.0]), torch.tensor([0, 1])
    assert ips(cost, chosen, logged, wanted).value == pytest.approx((2 * 3 + 0.5 * 1) / 2, rel=1e-6)
    assert snips(cost, chosen, logged, wanted).value == pytest.approx((2 * 3 + 0.5 * 1) / 2.5, rel=1e-6)
    assert ips(cost, chosen, logged, wanted).effective_samples == pytest.approx(2.5**2 / 4.25, rel=1e-6)


def test_plain_means_are_means() -> None:
    """By what was done, in order of its name."""
    found = plain_means(torch.tensor([1.0, 4.0, 2.0]), ["restart", "no_op", "restart"])
    assert list(found.items()) == [("no_op", 4.0), ("restart", 1.5)]


def test_logs_that_cannot_be_weighted_are_refused() -> None:
    """One point, a choice that had no chance, no overlap at all."""
    half, zero = torch.full((2, 2), 0.5), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    cost, chosen = torch.ones(2), torch.tensor([1, 1])
    with pytest.raises(ValueError, match="decision points"):
        ips(cost[:1], chosen[:1], half[:1], half[:1])
    with pytest.raises(ValueError, match="no chance"):
        ips(cost, chosen, zero, half)
    with pytest.raises(ValueError, match="overlap"):
        snips(cost, chosen, half, zero)
