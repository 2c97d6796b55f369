"""The score of the logging policies: published rules from what an action's target shows to how strongly it is advised.

The rules and the score are those of the runbook baseline, read from a simulated world's telemetry instead of a model's
tensors (a test holds the two together). They are part of the benchmark's definition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from opswm_schemas.vocabulary import ACTION_FEATURES, MEANING_INDEX

RECENT_TICKS: Final = 4
"""Ticks averaged, as features, for what a target shows."""


@dataclass(frozen=True)
class Rule:
    """One line of the runbook.

    Attributes:
        action_type: What it advises.
        score: How strongly, in (0, 1].
        meaning: What the target must show...
        above, below: ...beyond one of these, in canonical units.
        direction: Required sign of the action's ``direction`` feature; None for any.
        by_callers: Whether what the target's callers show counts as well.
    """

    action_type: str
    score: float
    meaning: str
    above: float = -np.inf
    below: float = np.inf
    direction: int | None = None
    by_callers: bool = False


RULES: Final[tuple[Rule, ...]] = (
    Rule("rollback", 0.9, "version_age", below=900.0),
    Rule("pool_resize", 0.8, "pool_utilization", above=0.9, direction=1),
    Rule("scale_horizontal", 0.7, "cpu_utilization", above=0.8, direction=1),
    Rule("scale_horizontal", 0.5, "queue_depth", above=10.0, direction=1),
    Rule("scale_vertical", 0.6, "cpu_utilization", above=0.8, direction=1),
    Rule("restart", 0.7, "memory_ratio", above=0.9),
    Rule("restart", 0.3, "error_ratio", above=0.2),
    Rule("kill_instance", 0.3, "error_ratio", above=0.1),
    Rule("timeout_retry", 0.7, "retry_rate", above=5.0, direction=-1, by_callers=True),
    Rule("circuit_break", 0.5, "error_ratio", above=0.3),
    Rule("load_shed", 0.5, "cpu_utilization", above=0.9, direction=-1),
    Rule("load_shed", 0.4, "queue_depth", above=50.0, direction=-1),
    Rule("rate_limit", 0.4, "cpu_utilization", above=0.9, direction=-1),
    Rule("feature_flag", 0.4, "error_ratio", above=0.1, direction=-1),
    Rule("cache_op", 0.6, "cache_hit_ratio", below=0.5, direction=1),
    Rule("traffic_shift", 0.5, "error_ratio", above=0.2),
    Rule("failover", 0.5, "error_ratio", above=0.2),
    Rule("db_op", 0.7, "lock_wait", above=0.1),
)
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
