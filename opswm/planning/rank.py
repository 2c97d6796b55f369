"""From estimated effects to an order, a verdict on each course and one over all.

A course is ranked by a pessimistic end of its paired effect plus what doing it costs: the lower quantile of its
benefit. Verdicts come from risk control on harm; the evidence grade then caps them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opswm.planning.evidence import EvidenceBook, may_recommend
from opswm.planning.guardrails import Candidate
from opswm.planning.outlook import Outlook
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm_schemas.answers import EvidenceGrade, Verdict


@dataclass(frozen=True)
class RankingPolicy:
    """How cautious a ranking is.

    Attributes:
        caution: Where between the central effect (0) and the upper end of its 90 % interval (1) courses are compared.
        harm_tolerance: Largest probability of harm of a recommendation.
        testing_harm: Largest probability of harm of a course worth testing.
        min_support: Less support than this is no evidence.
        cap_lifted: Whether ``recommend`` is allowed whatever the grade (simulated benchmark tracks only; reported).
    """

    caution: float = 0.5
    harm_tolerance: float = 0.05
    testing_harm: float = 0.3
    min_support: float = 0.05
    cap_lifted: bool = False

    def tolerating(self, harm_tolerance: float) -> "RankingPolicy":
        """Return the same policy with another tolerance of harm.

        Args:
            harm_tolerance: Largest probability of harm of a recommendation.
        """
        return replace(self, harm_tolerance=harm_tolerance)


@dataclass(frozen=True)
class Judged:
    """One course with all that was concluded about it; minutes are bad minutes and include the action's own cost.

    Attributes:
        scenario: Its position among the candidates, 0 being ``no_op``.
        score: What it was ranked by; lower is better.
        verdict: Against doing nothing.
        capped: Whether only its evidence grade stands between it and ``recommend``.
    """

    scenario: int
    candidate: Candidate
    value: float
    lower: float
    upper: float
    p_best: float
    p_harm: float
    support: float
    grade: EvidenceGrade
    score: float
    verdict: Verdict
    capped: bool


@dataclass(frozen=True)
class Judgement:
    """A ranking of one decision point.

    Attributes:
        verdict: Over all courses.
        ranked: Best first, blocked courses last.
    """

    verdict: Verdict
    ranked: tuple[Judged, ...]

    @property
    def advised(self) -> Judged:
        """The course to carry out or to test, which is ``no_op`` where the verdict names none."""
        wanted = [judged for judged in self.ranked if judged.scenario and judged.verdict == self.verdict]
        if wanted and self.verdict in ("recommend", "worth_testing"):
            return wanted[0]
        return next(judged for judged in self.ranked if judged.scenario == 0)


def judge(
    outlook: Outlook,
    candidates: Sequence[Candidate],
    floor: float,
    policy: RankingPolicy,
    evidence: EvidenceBook,
    seed: int,
) -> Judgement:
    """Rank the candidates of one decision point.

    Args:
        outlook: What is expected of each; scenario 0 is ``no_op``.
        candidates: In the order of the scenarios.
        floor: Noise floor, bad minutes: courses nearer than this are tied.
        policy: How cautious to be.
        evidence: What the estimates rest on.
        seed: Breaks equal scores, by a hash with the course id.
    """
    costs = np.array([candidate.cost_bad_minutes for candidate in candidates])
    with_costs = _among_open(_with_costs(outlook, costs, floor, seed), outlook, costs, candidates, floor, seed)
    judged = []
    for scenario, candidate in enumerate(candidates):
        value, lower, upper, p_harm, p_best, support = (
            float(getattr(with_costs, name)[0, scenario])
            for name in ("value", "lower", "upper", "p_harm", "p_best", "support")
        )
        grade = evidence.grade(candidate.course, 1.0 if scenario == 0 else support, policy.min_support)
        score = value + policy.caution * (upper - value)
        verdict, capped = _verdict(value, p_harm, support, grade, bool(candidate.blocked_by), floor, policy)
        judged.append(
            Judged(scenario, candidate, value, lower, upper, p_best, p_harm, support, grade, score, verdict, capped)
        )
    judged.sort(key=lambda one: (bool(one.candidate.blocked_by), one.score, _tiebreak(one, seed)))
    return Judgement(_overall(judged, floor), tuple(judged))


def _with_costs(outlook: Outlook, costs: NDArray[np.float64], floor: float, seed: int) -> Effects:
    """Add each course's own cost; ``no_op`` has none. Samples, where there are any, are counted anew."""
    effects = outlook.effects
    costs = np.where(np.arange(costs.size) == 0, 0.0, costs)
    if not costs.any():
        return effects
    shifted = effects_from_intervals(
        effects.value + costs,
        effects.lower + costs,
        effects.upper + costs,
        effects.support,
        effects.cost_no_op,
        np.array([floor]),
        seed,
    )
    if outlook.imagined is None:
        return shifted
    samples = outlook.imagined.effect + costs[:, None]
    best = samples.min(axis=0, keepdims=True)
    return replace(
        shifted,
        p_harm=(samples > floor).mean(axis=-1)[None],
        p_best=(samples <= best + floor).mean(axis=-1)[None],
    )


def _among_open(
    effects: Effects,
    outlook: Outlook,
    costs: NDArray[np.float64],
    candidates: Sequence[Candidate],
    floor: float,
    seed: int,
) -> Effects:
    """Let only courses that a guardrail leaves open compete for being best; a blocked one cannot be."""
    is_open = np.array([not candidate.blocked_by for candidate in candidates])
    if is_open.all():
        return effects
    if outlook.imagined is None:
        kept = (effects.value[:, is_open], effects.lower[:, is_open], effects.upper[:, is_open])
        support = effects.support[:, is_open]
        best = effects_from_intervals(*kept, support, effects.cost_no_op, np.array([floor]), seed).p_best[0]
    else:
        costs = np.where(np.arange(costs.size) == 0, 0.0, costs)
        samples = (outlook.imagined.effect + costs[:, None])[is_open]
        best = (samples <= samples.min(axis=0, keepdims=True) + floor).mean(axis=-1)
    p_best = np.zeros(effects.p_best.shape)
    p_best[0, is_open] = best
    return replace(effects, p_best=p_best)


def _verdict(
    value: float,
    p_harm: float,
    support: float,
    grade: EvidenceGrade,
    blocked: bool,
    floor: float,
    policy: RankingPolicy,
) -> tuple[Verdict, bool]:
    """Verdict on one course against ``no_op``, and whether its grade alone kept it from ``recommend``."""
    if value >= -floor:
        return "no_op_best", False
    unsupported = support < policy.min_support or (grade == "E0" and not policy.cap_lifted)
    if blocked or unsupported or p_harm > max(policy.testing_harm, policy.harm_tolerance):
        return "inconclusive", False
    if p_harm > policy.harm_tolerance:
        return "worth_testing", False
    if policy.cap_lifted or may_recommend(grade):
        return "recommend", False
    return "worth_testing", True


def _overall(judged: Sequence[Judged], floor: float) -> Verdict:
    open_to_us = [one for one in judged if one.scenario and not one.candidate.blocked_by]
    reached = {one.verdict for one in open_to_us}
    if "recommend" in reached:
        return "recommend"
    if "worth_testing" in reached:
        return "worth_testing"
    no_op = next(one for one in judged if one.scenario == 0)
    expected_to_help = any(one.value < -floor for one in open_to_us)
    return "no_op_best" if open_to_us and not expected_to_help and no_op.p_best >= 0.5 else "inconclusive"


def _tiebreak(judged: Judged, seed: int) -> str:
    return hashlib.blake2b(f"{seed}:{judged.candidate.course.course_id}".encode(), digest_size=8).hexdigest()
