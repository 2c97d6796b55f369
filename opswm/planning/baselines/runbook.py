"""A runbook: published rules from what an action's target shows to how strongly the action is advised.

The score of a course is the largest over its actions and rules, in [0, 1]. The same score is the behaviour
policy of logged benchmark data, so it is part of the benchmark's definition: change it only with a new version.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.canonical import from_feature
from opswm.planning.baselines.features import adjacency
from opswm.planning.baselines.levels import entity_levels, present_bad_share
from opswm.planning.horizon import floors, whole_horizon
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm.simulation.operators.rules import RULES
from opswm.tensors import ActionSlots, Batch, Situation
from opswm_schemas.vocabulary import ACTION_FEATURES, ACTION_INDEX, MEANING_INDEX, MEANINGS

_DIRECTION: Final = ACTION_FEATURES.index("direction")


def runbook_score(situation: Situation, courses: ActionSlots) -> NDArray[np.float64]:
    """Return how strongly the runbook advises each course ``[B, S]``; 0 where no rule speaks.

    Args:
        situation: ``B`` decision points.
        courses: Their candidate courses.
    """
    meaning = np.arange(len(MEANINGS))
    shown = _with_pool_utilization(from_feature(entity_levels(situation).level, meaning))  # [B, N, V]
    calls = adjacency(situation)
    target, there, kind = courses.target.numpy(), courses.there.numpy(), courses.type.numpy()
    direction = np.sign(courses.features.numpy()[..., _DIRECTION])
    score = np.zeros(there.shape)
    for rule in RULES:
        value = shown[..., MEANING_INDEX[rule.meaning]]
        fires = ~np.isnan(value) & (value > rule.above) & (value < rule.below)  # [B, N]
        if rule.by_callers:
            fires |= np.einsum("bnm,bn->bm", calls, fires) > 0
        meant = there & (kind == ACTION_INDEX[rule.action_type]) & (target & fires[:, None, None]).any(axis=-1)
        if rule.direction is not None:
            meant &= direction == rule.direction
        score = np.maximum(score, meant * rule.score)
    return np.asarray(score.max(axis=2))


def _with_pool_utilization(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill in the utilization of a pool where only its size and use are measured."""
    used, size = shown[..., MEANING_INDEX["pool_in_use"]], shown[..., MEANING_INDEX["pool_size"]]
    column = MEANING_INDEX["pool_utilization"]
    filled = shown.copy()
    filled[..., column] = np.where(np.isnan(shown[..., column]), used / np.maximum(size, 1.0), shown[..., column])
    return filled


class RunbookRanker:
    """Turns the runbook's score into an effect so that courses rank by it; it states no uncertainty.

    Rules are written for every system alike, so no question is unfamiliar to them: support is 1.

    A rule scored 1 is held to save the whole horizon; a course that no rule names is held to cost a tenth of it.

    Args:
        horizon_ticks: How far ahead is looked.
    """

    name = "runbook"

    def __init__(self, horizon_ticks: int) -> None:
        self.horizon_ticks = horizon_ticks

    def fit(self, batches: Iterable[Batch]) -> "RunbookRanker":
        """Return itself: the rules are written, not learned."""
        return self

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return minus the score, scaled to the horizon."""
        score = runbook_score(situation, courses)
        minutes = whole_horizon(situation, self.horizon_ticks)
        value = np.where(score > 0.0, -score, 0.1) * minutes[:, None]
        cost = present_bad_share(situation) * minutes
        support = np.ones(score.shape)
        return effects_from_intervals(value, value, value, support, cost, floors(situation, self.horizon_ticks), seed)
