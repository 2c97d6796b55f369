"""What a world model is trained on: bad shares, paired effects, the choice they lead to, and channels."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

_HUBER = 0.05
_RESPONSE_HUBER = 1.0
_DOUBT = 0.02


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts.

    Attributes:
        bad: Cross-entropy of the bad share per tick.
        effect: Huber loss of the mean effect, by member.
        spread: CRPS and energy score of the sampled effects.
        choice: Expected regret of choosing a course by its mean effect, softly.
        channel: Pinball loss of the channel bands.
        response: Huber loss of how the centre of each band moves against ``no_op``; without it the few readings that
            an action moves are lost among the many that it does not.
        temperature: Of the soft choice, in mean bad share.
        channel_courses: How many courses' channels are decoded in training (all cost more than they tell).
        channel_points: Share of the decision points of a batch whose channels are decoded.
        noise_per_member: Samples per member that the spread is judged by.
    """

    bad: float = 1.0
    effect: float = 10.0
    spread: float = 10.0
    choice: float = 10.0
    channel: float = 0.3
    response: float = 3.0
    temperature: float = 0.02
    channel_courses: int = 4
    channel_points: float = 0.25
    noise_per_member: int = 4


def over_arms(value: Float[Tensor, "B S"], arm: Bool[Tensor, "B S"]) -> Float[Tensor, ""]:
    """Return the mean over the arms that have an outcome, 0 where none has."""
    weight = arm.to(value.dtype)
    return (value * weight).sum() / weight.sum().clamp(min=1.0)


def bad_cross_entropy(
    log_odds: Float[Tensor, "B S M H O"],
    target: Float[Tensor, "B S H O"],
    weight: Float[Tensor, "B O"],
    arm: Bool[Tensor, "B S"],
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the bad share per tick, mean over members and ticks, weighted by objective.

    Args:
        log_odds: Of each member.
        target: Shares in [0, 1].
        weight: Objective weights, 0 for empty slots.
        arm: Which courses have an outcome.
    """
    expected = target[:, :, None].expand_as(log_odds)
    loss = nn.functional.binary_cross_entropy_with_logits(log_odds, expected, reduction="none").mean(dim=(2, 3))
    return over_arms(torch.einsum("bso,bo->bs", loss, weight), arm)


def effect_huber(
    by_member: Float[Tensor, "B S M"],
    truth: Float[Tensor, "B S"],
    standard_error: Float[Tensor, "B S"],
    arm: Bool[Tensor, "B S"],
) -> Float[Tensor, ""]:
    """Return the Huber loss of each member's mean effect; a noisy truth counts less.

    Args:
        by_member: Mean effect by member.
        truth: True or estimated mean effect.
        standard_error: Of ``truth``; its weight is halved at 0.02.
        arm: Which courses have an outcome.
    """
    expected = truth[..., None].expand_as(by_member)
    loss = nn.functional.huber_loss(by_member, expected, reduction="none", delta=_HUBER).mean(dim=-1) / _HUBER
    return over_arms(loss / (1.0 + (standard_error / _DOUBT) ** 2), arm)


def effect_score(
    sampled: Float[Tensor, "B S K"], truth: Float[Tensor, "B S"], arm: Bool[Tensor, "B S"]
) -> Float[Tensor, ""]:
    """Return the CRPS of each effect plus the energy score of all effects of a point together.

    Both are proper, so the spread of the samples and how courses err together are learned
    (Gneiting & Raftery 2007; unbiased in the number of samples).

    Args:
        sampled: Paired effects.
        truth: True effects.
        arm: Which courses have an outcome.
    """
    samples = sampled.shape[2]
    pairs = 2.0 * samples * (samples - 1)
    kept = arm.to(sampled.dtype)[..., None]
    error = (sampled - truth[..., None]) * kept
    between = (sampled[..., :, None] - sampled[..., None, :]) * kept[..., None]
    crps: Tensor = error.abs().mean(-1) - between.abs().sum((-1, -2)) / pairs
    distance: Tensor = torch.sqrt((error**2).sum(1) + 1e-8).mean(-1)
    together: Tensor = torch.sqrt((between**2).sum(1) + 1e-8).sum((-1, -2)) / pairs
    return over_arms(crps, arm) + (distance - together).mean() / math.sqrt(sampled.shape[1])


def soft_regret(
    effect: Float[Tensor, "B S"], truth: Float[Tensor, "B S"], arm: Bool[Tensor, "B S"], temperature: float
) -> Float[Tensor, ""]:
    """Return the expected regret of a soft choice by predicted effect; 0 where fewer than two arms have an outcome.

    Args:
        effect: Predicted mean effects.
        truth: True effects.
        arm: Which courses have an outcome.
        temperature: Of the choice, in mean bad share.
    """
    score: Tensor = torch.where(arm, -effect / temperature, torch.full_like(effect, -1e4))
    best = torch.where(arm, truth, torch.full_like(truth, torch.inf)).amin(dim=1, keepdim=True)
    regret = torch.where(arm, truth - best, torch.zeros_like(truth))
    choice: Tensor = torch.softmax(score, dim=1)
    return (choice * regret).sum(dim=1).mean()


def channel_pinball(
    quantiles: Float[Tensor, "B S H N C Q"],
    levels: Float[Tensor, "Q"],
    target: Float[Tensor, "B S H N C"],
    seen: Bool[Tensor, "B S H N C"],
) -> Float[Tensor, ""]:
    """Return the mean pinball loss over levels and readings that are there (Koenker & Bassett 1978).

    Args:
        quantiles: Predicted, along ``Q``.
        levels: Of the quantiles.
        target: Features; anything where unseen.
        seen: Which are there.
    """
    error = torch.where(seen, target, torch.zeros_like(target))[..., None] - quantiles
    loss = torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=-1)
    weight = seen.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)


def channel_response(
    quantiles: Float[Tensor, "B S H N C Q"], target: Float[Tensor, "B S H N C"], seen: Bool[Tensor, "B S H N C"]
) -> Float[Tensor, ""]:
    """Return the Huber loss of what each course changes in the middle quantile of each reading, against course 0.

    Courses share their exogenous future, so the target is a paired difference with little noise of its own.

    Args:
        quantiles: Predicted, along ``Q``, an odd number of levels around the median.
        target: Features; anything where unseen.
        seen: Which are there.
    """
    both = seen[:, 1:] & seen[:, :1]
    middle = quantiles[..., quantiles.shape[-1] // 2]
    expected = torch.where(both, target[:, 1:] - target[:, :1], torch.zeros_like(target[:, 1:]))
    loss = nn.functional.huber_loss(middle[:, 1:] - middle[:, :1], expected, reduction="none", delta=_RESPONSE_HUBER)
    weight = both.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)
