"""Logging policies: how likely a simulated operator is to choose each candidate, and which one is drawn.

``pi(a | s)`` is proportional to ``exp(gamma * u(a, s))``, mixed with a uniform choice. With gamma 0 it is a randomised
experiment; the larger gamma, the more what is done answers what was seen, which confounds the two. A policy may also
read a variable that telemetry lacks, and then no adjustment by what was seen can undo it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

UNIFORM_SHARE: Final = 0.05
HIDDEN_WEIGHT: Final = 0.5
_STREAM: Final = 7  # draws of the kernel are keyed by the seed with numbers below this one


@dataclass(frozen=True)
class Policy:
    """How an operator chooses.

    Attributes:
        gamma: How closely the runbook is followed; 0 is a uniform choice.
        uniform_share: Chance of choosing uniformly all the same, which keeps every propensity above zero.
        hidden_weight: How far what the operator knows from elsewhere moves the score of doing anything at all: by this
            much up when the trouble will stay for the whole horizon, down when it is about to pass; 0 where nothing
            is known from elsewhere.

    Raises:
        ValueError: When gamma is negative or the uniform share is outside (0, 1].
    """

    gamma: float = 1.0
    uniform_share: float = UNIFORM_SHARE
    hidden_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.gamma < float("inf"):
            raise ValueError(f"gamma is {self.gamma}; it must be a finite number from 0 on")
        if not 0.0 < self.uniform_share <= 1.0:
            raise ValueError(
                f"uniform_share is {self.uniform_share}; it must lie above 0, so that every candidate may be chosen,"
                " and be at most 1"
            )

    @property
    def policy_id(self) -> str:
        """The name under which choices are logged."""
        return f"runbook-gamma-{self.gamma:g}{'-hidden' if self.hidden_weight else ''}"


def regime_policy(gamma: float, hidden: bool = False) -> Policy:
    """Return the policy of a benchmark regime: ``logged``, or ``logged-hidden`` where ``hidden`` is set."""
    return Policy(gamma, hidden_weight=HIDDEN_WEIGHT if hidden else 0.0)


def propensities(policy: Policy, score: Float[Tensor, "W S"], staying: Float[Tensor, " W"]) -> Float[Tensor, "W S"]:
    """Return the chance of each candidate, in double precision; rows sum to 1 and none is 0.

    Args:
        policy: How the operator chooses.
        score: How strongly the runbook advises each; the first candidate waits.
        staying: The hidden variable in [0, 1].
    """
    acts = torch.ones(score.shape[1], dtype=torch.float64)
    acts[0] = 0.0
    known = policy.hidden_weight * (2.0 * staying.double() - 1.0)
    chosen = torch.softmax(policy.gamma * (score.double() + known[:, None] * acts), 1)
    return (1.0 - policy.uniform_share) * chosen + policy.uniform_share / score.shape[1]


def apparent_propensities(
    policy: Policy, score: Float[Tensor, "W S"], staying: Float[Tensor, " W"]
) -> Float[Tensor, "W S"]:
    """Return the chance of each candidate as it looks to somebody who sees the score alone.

    It is the best that can be fitted to any number of logs without the hidden variable: the true chance, averaged over
    how that variable is distributed. Without a hidden variable it is the true chance.

    Args:
        policy: How the operator chooses.
        score: How strongly the runbook advises each; the first candidate waits.
        staying: The hidden variable, whose distribution over these worlds is averaged over.
    """
    if not policy.hidden_weight:
        return propensities(policy, score, staying)
    every = [propensities(policy, score, value.expand(score.shape[0])) for value in staying]
    return torch.stack(every).mean(0)


def choose(propensity: Float[Tensor, "W S"], world_seeds: Sequence[int], occasion: int = 0) -> Int[Tensor, " W"]:
    """Return the candidate that each world's operator picks.

    The draw is keyed by world and occasion alone: policies meet the same luck, and a batch changes nothing.

    Args:
        propensity: Chance of each candidate.
        world_seeds: One per world.
        occasion: Which decision of the episode this is.
    """
    luck = [np.random.default_rng([seed, occasion, _STREAM]).random() for seed in world_seeds]
    below = propensity.cumsum(1) <= torch.tensor(luck, dtype=torch.float64)[:, None]
    return below.sum(1).clamp(max=propensity.shape[1] - 1)
