"""What a log says about a policy that did not write it: importance weighting, and the plain means it corrects.

Inverse propensity scoring (Horvitz and Thompson 1952) and its self-normalised form (Swaminathan and Joachims 2015),
with the effective sample size (Kish 1965) as the sign of how much overlap there is. Plain means by what was done are
here to be wrong: they show how far choices that answer the situation mislead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Estimate:
    """A value read off a log.

    Attributes:
        value: Mean cost, bad minutes.
        error: Its standard error, over decision points.
        effective_samples: How many equally weighted points the weights are worth.
    """

    value: float
    error: float
    effective_samples: float


def ips(
    cost: Float[Tensor, " W"], chosen: Int[Tensor, " W"], logged: Float[Tensor, "W S"], wanted: Float[Tensor, "W S"]
) -> Estimate:
    """Return the value of another policy by inverse propensity scoring: unbiased where ``logged`` is true.

    Args:
        cost: What followed each decision.
        chosen: Which candidate was taken.
        logged: Chance of each candidate under the policy that chose.
        wanted: Chance of each under the policy that is asked about.

    Raises:
        ValueError: When there are fewer than two decision points, or something was chosen that had no chance.
    """
    weight = _weights(chosen, logged, wanted)
    terms = weight * cost.double()
    return Estimate(float(terms.mean()), float(terms.std() / len(terms) ** 0.5), _effective(weight))


def snips(
    cost: Float[Tensor, " W"], chosen: Int[Tensor, " W"], logged: Float[Tensor, "W S"], wanted: Float[Tensor, "W S"]
) -> Estimate:
    """Return the same by weights that are scaled to sum to one: a little biased, and steadier.

    The standard error is that of a ratio, by linearisation.

    Args:
        cost: What followed each decision.
        chosen: Which candidate was taken.
        logged: Chance of each candidate under the policy that chose.
        wanted: Chance of each under the policy that is asked about.

    Raises:
        ValueError: As for :func:`ips`, or when no decision has any weight.
    """
    weight = _weights(chosen, logged, wanted)
    total = weight.sum()
    if not float(total) > 0.0:
        raise ValueError("no logged choice has a chance under the wanted policy: there is no overlap to estimate from")
    value = (weight * cost.double()).sum() / total
    error = torch.sqrt((weight * (cost.double() - value)).square().sum()) / total
    return Estimate(float(value), float(error), _effective(weight))


def plain_means(cost: Float[Tensor, " W"], done: Sequence[str]) -> dict[str, float]:
    """Return the mean of what followed, by what was done, as if it had been done at random.

    Args:
        cost: What followed each decision.
        done: What was done, such as the action's type.
    """
    by_kind: dict[str, list[float]] = {}
    for name, value in zip(done, cost.tolist(), strict=True):
        by_kind.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sorted(by_kind.items())}


def _weights(
    chosen: Int[Tensor, " W"], logged: Float[Tensor, "W S"], wanted: Float[Tensor, "W S"]
) -> Float[Tensor, " W"]:
    if len(chosen) < 2:
        raise ValueError(f"{len(chosen)} decision points: two are the least that have a standard error")
    had, wants = (chance.double().gather(1, chosen[:, None])[:, 0] for chance in (logged, wanted))
    if not bool((had > 0).all()):
        raise ValueError("a choice is logged that had no chance of being made: propensities must be above 0")
    return wants / had


def _effective(weight: Float[Tensor, " W"]) -> float:
    return float(weight.sum() ** 2 / weight.square().sum().clamp(min=1e-300))
