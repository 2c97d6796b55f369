"""Logging policies: chances that are what they claim, the same luck for all, and refusal of what makes no sense."""

import math

import pytest
import torch

from opswm.simulation.operators.policies import (
    Policy,
    apparent_propensities,
    choose,
    propensities,
    regime_policy,
)

SCORE = torch.tensor([[0.0, 0.9, 0.0], [0.0, 0.0, 0.4]])
STAYING = torch.tensor([1.0, 0.0])


def test_chances_follow_the_formula() -> None:
    """A hand-computed row: exp(gamma * u), normalised, with 5 % spread evenly."""
    weights = [1.0, math.exp(3.6), 1.0]
    expected = [0.95 * weight / sum(weights) + 0.05 / 3 for weight in weights]
    assert propensities(Policy(4.0), SCORE, STAYING)[0].tolist() == pytest.approx(expected)


def test_gamma_zero_is_a_uniform_choice() -> None:
    """Whatever the score or the hidden variable says, every candidate is as likely."""
    for hidden in (False, True):
        assert torch.allclose(
            propensities(regime_policy(0.0, hidden), SCORE, STAYING), torch.full((2, 3), 1 / 3).double()
        )


@pytest.mark.parametrize("policy", [Policy(1.0), Policy(4.0), regime_policy(4.0, hidden=True), Policy(50.0)])
def test_chances_sum_to_one_and_nothing_is_ruled_out(policy: Policy) -> None:
    """Every candidate keeps at least its part of the uniform share."""
    found = propensities(policy, SCORE, STAYING)
    assert torch.allclose(found.sum(1), torch.ones(2).double())
    assert float(found.min()) >= 0.05 / 3 - 1e-12


def test_what_is_known_from_elsewhere_moves_only_whether_to_act() -> None:
    """Trouble that stays makes waiting less likely, trouble that passes more; among actions the odds stay the same."""
    plain = propensities(Policy(4.0, 1e-9), SCORE, STAYING)
    informed = propensities(Policy(4.0, 1e-9, hidden_weight=0.5), SCORE, STAYING)
    assert informed[0, 0] < 0.3 * plain[0, 0]
    assert informed[1, 0] > 1.5 * plain[1, 0]
    assert torch.allclose(informed[:, 1] / informed[:, 2], plain[:, 1] / plain[:, 2])


def test_what_choices_look_like_without_the_hidden_variable() -> None:
    """Its average, which is the truth where there is none and nobody's chance where there is one."""
    assert torch.equal(apparent_propensities(Policy(4.0), SCORE, STAYING), propensities(Policy(4.0), SCORE, STAYING))
    policy = regime_policy(4.0, hidden=True)
    either = [propensities(policy, SCORE, torch.full((2,), value)) for value in (1.0, 0.0)]
    assert torch.allclose(apparent_propensities(policy, SCORE, STAYING), (either[0] + either[1]) / 2)


def test_choices_come_as_often_as_their_chance_says() -> None:
    """Over 2,000 occasions each candidate is taken within four standard errors of its propensity."""
    chance = propensities(Policy(4.0), SCORE, STAYING)
    occasions = 2000
    taken = torch.stack([choose(chance, (11, 12), occasion) for occasion in range(occasions)])
    for world in range(2):
        share = torch.bincount(taken[:, world], minlength=3).double() / occasions
        error = torch.sqrt(chance[world] * (1 - chance[world]) / occasions)
        assert bool(((share - chance[world]).abs() < 4 * error).all())


def test_a_choice_is_a_function_of_seed_and_occasion() -> None:
    """The batch does not matter, and worlds do not share their luck."""
    chance = torch.full((6, 40), 1 / 40).double()
    together = choose(chance, range(6))
    assert [int(choose(chance[:1], [seed])) for seed in range(6)] == together.tolist()
    assert len(set(together.tolist())) > 2
    assert not torch.equal(together, choose(chance, range(6), occasion=1))


@pytest.mark.parametrize(("gamma", "uniform"), [(-1.0, 0.05), (float("nan"), 0.05), (1.0, 0.0), (1.0, 1.5)])
def test_policies_that_make_no_sense_are_refused(gamma: float, uniform: float) -> None:
    """Negative or undefined gamma, and uniform shares outside (0, 1]."""
    with pytest.raises(ValueError, match=r"gamma|uniform_share"):
        Policy(gamma, uniform)


def test_policies_have_names_that_tell_them_apart() -> None:
    """Six regimes, six ids."""
    names = {regime_policy(gamma, hidden).policy_id for gamma in (0.0, 1.0, 4.0) for hidden in (False, True)}
    assert len(names) == 6
