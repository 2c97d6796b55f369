"""What a ranker decides at each point: the planner's own rule of risk control, the same for every ranker."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.evaluation.outcomes import Outcomes
from opswm.planning.rank import RankingPolicy
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals


@dataclass(frozen=True)
class Decisions:
    """Decisions at ``P`` points over ``S`` candidates; effects include each course's own cost, in bad minutes.

    Attributes:
        value, lower, upper: ``[P, S]`` estimated effect with its 90 % interval.
        score: ``[P, S]`` what courses are ranked by, lower is better; infinite where there is no candidate.
        preferred: ``[P]`` the course it would carry out if it acts, never ``no_op`` where there is another.
        recommended: ``[P]`` whether it says to carry that out.
        abstained: ``[P]`` whether it says neither that nor that ``no_op`` is best.
    """

    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    score: NDArray[np.float64]
    preferred: NDArray[np.int64]
    recommended: NDArray[np.bool_]
    abstained: NDArray[np.bool_]

    @property
    def executed(self) -> NDArray[np.int64]:
        """``[P]`` the course that is carried out; ``no_op`` where none is recommended."""
        return np.where(self.recommended, self.preferred, 0)


def decide(
    effects: Effects,
    own_cost: NDArray[np.float64],
    outcomes: Outcomes,
    policy: RankingPolicy,
    seed: int,
    samples: NDArray[np.float64] | None = None,
) -> Decisions:
    """Return what follows from estimated effects under the planner's rule, without any cap by evidence grade.

    A course is recommended when it is expected to help by more than the noise floor, its probability of harm is
    tolerated and its support suffices; of several, the one with the best pessimistic effect. ``no_op`` is called
    best when nothing is expected to help and it is more likely than not within the floor of the best. Everything
    else is abstention. Costs of the outcomes are not read, only which candidates exist and the noise floor.

    Args:
        effects: From any ranker, without the courses' own cost.
        own_cost: ``[P, S]`` what doing each course costs in itself.
        outcomes: The decision points.
        policy: How cautious to be.
        seed: Breaks equal scores.
        samples: ``[P, S, K]`` sampled effects, where the ranker has them.

    Raises:
        BadInputError: When the effects are of other points or candidates than the outcomes.
    """
    shapes = {effects.value.shape, own_cost.shape, outcomes.cost.shape}
    if len(shapes) > 1 or (samples is not None and samples.shape[:2] != outcomes.cost.shape):
        raise BadInputError(
            f"effects, own costs and samples must be of the outcomes' {outcomes.cost.shape}, not {shapes}"
        )
    effects = _with_costs(effects, np.where(outcomes.arms, own_cost, 0.0), outcomes, seed, samples)
    arms, floor = outcomes.arms, outcomes.floor[:, None]
    score = np.where(outcomes.there, effects.value + policy.caution * (effects.upper - effects.value), np.inf)
    helps: NDArray[np.bool_] = arms & (effects.value < -floor)
    allowed = helps & (effects.p_harm <= policy.harm_tolerance) & (effects.support >= policy.min_support)
    recommended = np.asarray(allowed.any(axis=1))
    eligible = np.where(recommended[:, None], allowed, arms)
    eligible[:, 0] = ~eligible.any(axis=1)
    no_op_best = ~recommended & arms.any(axis=1) & ~helps.any(axis=1) & (effects.p_best[:, 0] >= 0.5)
    return Decisions(
        value=effects.value,
        lower=effects.lower,
        upper=effects.upper,
        score=score,
        preferred=_lowest(np.where(eligible, score, np.inf), seed),
        recommended=recommended,
        abstained=~recommended & ~no_op_best,
    )


def _with_costs(
    effects: Effects,
    own: NDArray[np.float64],
    outcomes: Outcomes,
    seed: int,
    samples: NDArray[np.float64] | None,
) -> Effects:
    """Add each course's own cost; a course that is not there does nothing.

    Probabilities are the ranker's own where no course of the point costs anything, else counted in the samples, or
    derived from the intervals where there are none.
    """
    value, lower, upper = (
        np.where(outcomes.there, part + own, 0.0) for part in (effects.value, effects.lower, effects.upper)
    )
    unchanged = replace(effects, value=value, lower=lower, upper=upper)
    if not own.any():
        return unchanged
    if samples is None:
        support, cost_no_op = effects.support, effects.cost_no_op
        shifted = effects_from_intervals(value, lower, upper, support, cost_no_op, outcomes.floor, seed)
        p_harm, p_best = shifted.p_harm, shifted.p_best
    else:
        drawn = np.where(outcomes.there[..., None], samples + own[..., None], 0.0)
        floor = outcomes.floor[:, None, None]
        p_harm = (drawn > floor).mean(axis=-1)
        p_best = (drawn <= drawn.min(axis=1, keepdims=True) + floor).mean(axis=-1)
    costs = np.any(own != 0.0, axis=1, keepdims=True)
    return replace(
        unchanged, p_harm=np.where(costs, p_harm, effects.p_harm), p_best=np.where(costs, p_best, effects.p_best)
    )


def at_coverage(decisions: Decisions, outcomes: Outcomes, share: float, seed: int) -> Decisions:
    """Return decisions that act at a given share of the points, where they are surest, and abstain elsewhere.

    Harm, abstention and regret of two rankers compare only when both act equally often. Sureness is the
    pessimistic benefit of the preferred course in noise floors.

    Args:
        decisions: Of one ranker.
        outcomes: The decision points.
        share: Of points to act at, 0 to 1.
        seed: Breaks equal sureness.

    Raises:
        BadInputError: When the share is none.
    """
    if not 0.0 <= share <= 1.0:
        raise BadInputError(f"coverage {share} is no share; give a number from 0 to 1")
    rows = np.arange(outcomes.num_points)
    sureness = np.where(decisions.preferred > 0, -decisions.score[rows, decisions.preferred] / outcomes.floor, -np.inf)
    order = np.lexsort((np.random.default_rng([seed, 2]).permutation(rows.size), -sureness))
    acts = np.zeros(rows.size, dtype=bool)
    acts[order[: round(share * rows.size)]] = True
    acts &= decisions.preferred > 0
    return replace(decisions, recommended=acts, abstained=~acts)


def _lowest(score: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return the position of the lowest score per row; equal ones are settled by seeded chance."""
    ticket = np.random.default_rng([seed, 3]).random(score.shape)
    lowest = score == score.min(axis=1, keepdims=True)
    return np.asarray(np.argmin(np.where(lowest, ticket, np.inf), axis=1), dtype=np.int64)
