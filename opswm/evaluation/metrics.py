"""The benchmark's metrics, each as a ratio of two sums over decision points, so that points can be resampled.

A metric is ``sum(part) / sum(whole)``; resampling worlds means weighting both sums alike. Definitions are those
of the project's benchmark (decision points, SLO cost, noise floor, ties, harm, coverage).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.decisions import Decisions
from opswm.evaluation.outcomes import Outcomes

MISS_PENALTY: Final = 2.0 / 0.1
"""Weight of what lies outside a 90 % interval in its score (Gneiting and Raftery 2007, equation 43)."""


@dataclass(frozen=True)
class Ratio:
    """A metric point by point.

    Attributes:
        part: ``[P]`` what is summed above the line.
        whole: ``[P]`` what is summed below it.
    """

    part: NDArray[np.float64]
    whole: NDArray[np.float64]

    @property
    def value(self) -> float:
        """The metric over all points; NaN where nothing counts."""
        whole = self.whole.sum()
        return float(self.part.sum() / whole) if whole > 0 else float("nan")


def regret(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return regret over all points: what is lost to the best, against what waiting loses; 0 is perfect, 1 is waiting.

    Points at which waiting is best add to what is lost only. Nothing is clipped.
    """
    return Ratio(_lost(outcomes, decisions), outcomes.cost[:, 0] - outcomes.best_cost)


def regret_raw(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the mean of what is lost to the best, bad minutes."""
    return _mean(_lost(outcomes, decisions))


def top1(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often the executed course is tied with the best."""
    return _mean(_lost(outcomes, decisions) <= outcomes.floor)


def kendall_tau_b(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the mean rank correlation (Kendall 1945, tau-b) of scores with costs, over pairs more than a floor apart.

    Equal scores count as ties; where all are equal the correlation is 0. Points without such a pair do not count.
    """
    later = np.triu(np.ones((outcomes.cost.shape[1],) * 2, dtype=bool), 1)
    both = outcomes.there[:, :, None] & outcomes.there[:, None, :] & later
    cost = outcomes.cost[:, :, None] - outcomes.cost[:, None, :]
    clear = both & (np.abs(cost) > outcomes.floor[:, None, None])
    finite = np.where(outcomes.there, decisions.score, 0.0)
    agreement = np.sign(finite[:, :, None] - finite[:, None, :]) * np.sign(cost)
    balance = (agreement * clear).sum((1, 2))
    num_pairs, num_told_apart = clear.sum((1, 2)), (clear & (agreement != 0)).sum((1, 2))
    scale = np.sqrt(num_pairs.astype(float) * num_told_apart)
    tau = np.divide(balance, scale, out=np.zeros(outcomes.num_points), where=scale > 0)
    return Ratio(tau, (num_pairs > 0).astype(float))


def sign_agreement(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often the sign of the estimated effect is right, over effects clearly beyond the floor."""
    clear = _clear(outcomes)
    right = np.sign(decisions.value) == np.sign(outcomes.effect)
    return Ratio(_count(clear & right), _count(clear))


def sign_share(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the share of candidates whose effect lies beyond the floor by more than two standard errors."""
    return Ratio(_count(_clear(outcomes)), _count(outcomes.arms))


def false_effect_rate(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often the interval lies wholly beyond the floor, over candidates whose true effect lies within it."""
    null = outcomes.arms & (np.abs(outcomes.effect) <= outcomes.floor[:, None])
    claimed = (decisions.lower > outcomes.floor[:, None]) | (decisions.upper < -outcomes.floor[:, None])
    return Ratio(_count(null & claimed), _count(null))


def harm_rate(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often a recommended course is worse than waiting by more than the floor, among recommendations."""
    return Ratio(_harmed(outcomes, decisions).astype(float), decisions.recommended.astype(float))


def harm_rate_all(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the same over all decision points."""
    return _mean(_harmed(outcomes, decisions))


def harm_mean(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the mean effect of harmful recommendations, bad minutes."""
    harmed = _harmed(outcomes, decisions)
    return Ratio(np.where(harmed, _effect_of_executed(outcomes, decisions), 0.0), harmed.astype(float))


def abstention(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often the ranker abstained."""
    return _mean(decisions.abstained)


def false_abstention(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often it abstained, among points where some action helps by more than two floors."""
    worth_it = outcomes.effect.min(axis=1) < -2.0 * outcomes.floor
    return Ratio((worth_it & decisions.abstained).astype(float), worth_it.astype(float))


def coverage90(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return how often the 90 % interval holds the true effect, over every candidate, abstained or not."""
    return _coverage(outcomes, decisions, outcomes.arms)


def coverage90_beyond_floor(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the same over candidates whose true effect lies beyond the floor."""
    return _coverage(outcomes, decisions, outcomes.arms & (np.abs(outcomes.effect) > outcomes.floor[:, None]))


def coverage90_within_floor(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the same over candidates whose true effect lies within the floor."""
    return _coverage(outcomes, decisions, outcomes.arms & (np.abs(outcomes.effect) <= outcomes.floor[:, None]))


def interval_score90(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the mean interval score of every candidate, bad minutes: width, and twenty times what lies outside."""
    below = np.maximum(decisions.lower - outcomes.effect, 0.0)
    above = np.maximum(outcomes.effect - decisions.upper, 0.0)
    score = decisions.upper - decisions.lower + MISS_PENALTY * (below + above)
    return Ratio(np.where(outcomes.arms, score, 0.0).sum(axis=1), _count(outcomes.arms))


def interval_width90(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the mean width of the 90 % interval in noise floors."""
    width = np.where(outcomes.arms, decisions.upper - decisions.lower, 0.0) / outcomes.floor[:, None]
    return Ratio(width.sum(axis=1), _count(outcomes.arms))


def unsettled_share(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the share of points whose truth kept a standard error above a quarter of the floor."""
    loose = outcomes.there & (outcomes.effect_error > outcomes.floor[:, None] / 4.0)
    return _mean(np.asarray(loose.any(axis=1)))


def no_op_tied_share(outcomes: Outcomes, decisions: Decisions) -> Ratio:
    """Return the share of points at which waiting is tied with the best."""
    return _mean(outcomes.cost[:, 0] - outcomes.best_cost <= outcomes.floor)


Metric = Callable[[Outcomes, Decisions], Ratio]

METRICS: Final[dict[str, Metric]] = {
    metric.__name__: metric
    for metric in (
        regret, regret_raw, top1, kendall_tau_b, sign_agreement, sign_share, false_effect_rate, harm_rate,
        harm_rate_all, harm_mean, abstention, false_abstention, coverage90, coverage90_beyond_floor,
        coverage90_within_floor, interval_score90, interval_width90, unsettled_share, no_op_tied_share,
    )
}  # fmt: skip
"""Every metric of decisions by its name in result files."""


def _mean(part: NDArray[np.float64] | NDArray[np.bool_]) -> Ratio:
    return Ratio(part.astype(float), np.ones(part.shape))


def _lost(outcomes: Outcomes, decisions: Decisions) -> NDArray[np.float64]:
    return outcomes.cost_of(decisions.executed) - outcomes.best_cost


def _effect_of_executed(outcomes: Outcomes, decisions: Decisions) -> NDArray[np.float64]:
    return outcomes.cost_of(decisions.executed) - outcomes.cost[:, 0]


def _harmed(outcomes: Outcomes, decisions: Decisions) -> NDArray[np.bool_]:
    return decisions.recommended & (_effect_of_executed(outcomes, decisions) > outcomes.floor)


def _clear(outcomes: Outcomes) -> NDArray[np.bool_]:
    return outcomes.arms & (np.abs(outcomes.effect) > outcomes.floor[:, None] + 2.0 * outcomes.effect_error)


def _coverage(outcomes: Outcomes, decisions: Decisions, over: NDArray[np.bool_]) -> Ratio:
    held = (decisions.lower <= outcomes.effect) & (outcomes.effect <= decisions.upper)
    return Ratio(_count(over & held), _count(over))


def _count(marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(marked.sum(axis=1), dtype=np.float64)
