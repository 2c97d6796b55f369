"""How far each part of a system is from its usual self, and whether that is its own doing.

Errors and latency travel from a part to its callers, so they count in full only where no callee shows as much;
resources (processor, memory, pools, queues, caches, replicas, versions) are a part's own. No model and no outcome is
involved: this only decides where candidates are looked for first.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.canonical import IS_LOG, from_feature, to_feature
from opswm.planning.readings import PRESENT_TICKS
from opswm.timeline.timeline import Timeline
from opswm.windows.layout import Layout, layout_of
from opswm_schemas.descriptor import Objective
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

HEARSAY: Final = 0.3
"""Weight of symptoms that a callee shows as much."""

NEIGHBOUR: Final = 0.4
"""Share of its heat that a part gives to those it is related to."""

_ALERTING, _PROMISED, _RENEWED, _FULL = 0.5, 0.3, 2.0, 2.0
_MOST: Final = 3.0
_SYMPTOMS: Final = frozenset(
    {
        MEANING_INDEX[name]
        for name in ("error_ratio", "timeout_rate", "retry_rate", "breaker_open_ratio", "alert_active")
    }
    | {index for index, meaning in enumerate(MEANINGS) if meaning.name.startswith("latency_")}
)
_LESS_IS_BAD: Final = ("pool_size", "cores_allocated", "memory_allocated", "task_slots")
_SIGN: Final = np.array(
    [
        -1.0 if meaning.name in _LESS_IS_BAD else {"bad": 1.0, "good": -1.0, "neutral": 0.0}[meaning.higher_is]
        for meaning in MEANINGS
    ]
)
_UNIT: Final = np.where(IS_LOG, np.log(2.0), 0.1)
"""One degree of heat: twice an amount, or a tenth more of a share."""


def heat(timeline: Timeline, objectives: Sequence[Objective]) -> dict[str, float]:
    """Return how suspect each entity looks, 0 and more.

    Args:
        timeline: Up to the decision.
        objectives: Those of the question; their entities are a little warmer.
    """
    descriptor, layout = timeline.descriptor, layout_of(timeline.descriptor)
    symptoms, own = _movements(timeline, layout)
    callees = [(layout.entity[relation.source], layout.entity[relation.target]) for relation in timeline.relations]
    explained = np.zeros(layout.num_entities)
    for caller, callee in callees:
        explained[caller] = max(explained[caller], symptoms[callee])
    total = own + np.maximum(symptoms - explained, 0.0) + HEARSAY * symptoms
    total += _ALERTING * timeline.alerting[-1:].any(axis=0)
    for objective in objectives:
        total[layout.entity[objective.entity_id]] += _PROMISED
    spread = total.copy()
    for first, second in callees:
        spread[first] = max(spread[first], NEIGHBOUR * total[second])
        spread[second] = max(spread[second], NEIGHBOUR * total[first])
    return {entity.entity_id: float(spread[index]) for index, entity in enumerate(descriptor.entities)}


def _movements(timeline: Timeline, layout: Layout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Worst symptom and sum of own resources out of order, per entity."""
    meaning, third = layout.channel_meaning, timeline.num_ticks // 3
    before = _mean(meaning, timeline.value[:third], timeline.seen[:third])
    lately = _mean(meaning, timeline.value[-PRESENT_TICKS // 2 :], timeline.seen[-PRESENT_TICKS // 2 :])
    moved = np.clip(np.nan_to_num(_SIGN[meaning] * (lately - before) / _UNIT[meaning]), 0.0, _MOST)
    now = from_feature(lately, meaning)
    age = meaning == MEANING_INDEX["version_age"]
    moved = np.where(age & (now < timeline.num_ticks * timeline.step_s), _RENEWED, moved)
    symptoms, own = np.zeros(layout.num_entities), np.zeros(layout.num_entities)
    for channel, entity in enumerate(layout.channel_entity):
        if meaning[channel] in _SYMPTOMS:
            symptoms[entity] = max(symptoms[entity], moved[channel])
        else:
            own[entity] += moved[channel]
    used, size = (_at(layout, now, MEANING_INDEX[name]) for name in ("pool_in_use", "pool_size"))
    own += _FULL * (used > 0.9 * size)
    return symptoms, own


def _at(layout: Layout, now: NDArray[np.float64], meaning: int) -> NDArray[np.float64]:
    """Sum of the present values of one meaning per entity, NaN where it is not measured."""
    found = np.full(layout.num_entities, np.nan)
    for channel in np.flatnonzero((layout.channel_meaning == meaning) & ~np.isnan(now)):
        entity = layout.channel_entity[channel]
        found[entity] = np.nan_to_num(found[entity]) + now[channel]
    return found


def _mean(meaning: NDArray[np.int64], value: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean feature of each channel; NaN where nothing was seen."""
    feature = np.where(seen, to_feature(np.where(seen, value, 0.0), meaning), 0.0)
    count = seen.sum(axis=0)
    return np.where(count > 0, feature.sum(axis=0) / np.maximum(count, 1), np.nan)
