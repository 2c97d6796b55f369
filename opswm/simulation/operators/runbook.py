"""The score of the logging policies: how strongly the runbook advises each course.

The score is that of the runbook baseline, read from a simulated world's telemetry instead of a model's
tensors (a test holds the two together). They are part of the benchmark's definition.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from opswm.action_features import action_features, current_state
from opswm.canonical import from_feature, to_feature
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.courses import plain_parameters
from opswm.simulation.kernel.episodes import Course, Lived
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.relations import relations_of
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.operators.rules import RULES, Rule
from opswm_schemas.vocabulary import ACTION_FEATURES, MEANING_INDEX

RECENT_TICKS: Final = 4
"""Ticks averaged, as features, for what a target shows."""

_MEANINGS: Final = np.array([MEANING_INDEX[name] for name in SIGNALS])
_POOL: Final = "pool_utilization"
_DIRECTION: Final = ACTION_FEATURES.index("direction")


def runbook_score(lived: Lived, courses: Sequence[Sequence[Course]]) -> Float[Tensor, "W S"]:
    """Return how strongly the runbook advises each course, in [0, 1]; 0 where no rule speaks, as for a wait.

    Args:
        lived: Worlds at their decision.
        courses: Courses of each world; all worlds have the same number.
    """
    return torch.tensor(
        [
            scores_in_world(lived.blueprints[row], lived.value[row], lived.seen[row], world)
            for row, world in enumerate(courses)
        ],
        dtype=torch.float64,
    ).float()


def scores_in_world(
    blueprint: Blueprint, value: Float[Tensor, "T N C"], seen: Bool[Tensor, "T N C"], courses: Sequence[Course]
) -> list[float]:
    """Return the score of each course of one world.

    Args:
        blueprint: The system.
        value: What was stored of it so far, canonical units, signals in the order of ``SIGNALS``.
        seen: Which readings are there.
        courses: What might be done.
    """
    read, there = value.numpy().astype(np.float64), seen.numpy()
    shown = readings_shown(read, there)
    fired = [_fires(rule, shown, blueprint) for rule in RULES]
    return [
        max((_score(request, fired, blueprint, read, there) for request in course), default=0.0) for course in courses
    ]


def readings_shown(value: NDArray[np.float64], seen: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return what each entity shows per signal over the last ticks, and how full its pool is; NaN where unread.

    Args:
        value: Canonical readings ``[T, N, C]``, oldest tick first.
        seen: Which of them are there.
    """
    recent, there = value[-RECENT_TICKS:], seen[-RECENT_TICKS:]
    feature = np.where(there, to_feature(np.where(there, recent, 0.0), _MEANINGS), 0.0).astype(np.float32)
    count = there.sum(0)
    mean = np.where(count > 0, feature.sum(0, dtype=np.float64) / np.maximum(count, 1), np.nan)
    level = from_feature(mean, _MEANINGS)
    shown = {name: level[:, column] for column, name in enumerate(SIGNALS)}
    return shown | {_POOL: shown["pool_in_use"] / np.maximum(shown["pool_size"], 1.0)}


def _fires(rule: Rule, shown: dict[str, NDArray[np.float64]], blueprint: Blueprint) -> NDArray[np.bool_]:
    value = shown[rule.meaning]
    fires = ~np.isnan(value) & (value > rule.above) & (value < rule.below)
    if not rule.by_callers:
        return np.asarray(fires)
    spread = fires.copy()
    for edge in relations_of(blueprint):
        spread[blueprint.index(edge.target)] |= fires[blueprint.index(edge.source)]
    return np.asarray(spread)


def _score(
    request: Request,
    fired: Sequence[NDArray[np.bool_]],
    blueprint: Blueprint,
    value: NDArray[np.float64],
    seen: NDArray[np.bool_],
) -> float:
    ability = request.ability
    target = blueprint.index(ability.target)
    meant = [
        rule for rule, fires in zip(RULES, fired, strict=True) if rule.action_type == ability.type and fires[target]
    ]
    if not meant:
        return 0.0
    current = current_state(value[:, target], seen[:, target], _MEANINGS)
    features = action_features(ability.type, plain_parameters(blueprint, ability, request.level), current)
    direction = np.sign(np.float32(features[_DIRECTION]))
    return max((rule.score for rule in meant if rule.direction in (None, direction)), default=0.0)
