"""The objectives a question is about: the descriptor's own or a caller's, and how a model reads them."""

from collections.abc import Sequence

import numpy as np

from opswm.canonical import to_feature
from opswm.errors import BadInputError
from opswm_schemas.descriptor import Objective, SystemDescriptor
from opswm_schemas.vocabulary import MEANING_INDEX


def required_objectives(descriptor: SystemDescriptor, objectives: Sequence[Objective] | None) -> list[Objective]:
    """Return the objectives to judge courses by; as :func:`chosen_objectives`, but there must be one.

    Args:
        descriptor: The system.
        objectives: A caller's own, instead of the descriptor's.

    Raises:
        BadInputError: When there are none, or they do not fit the system.
    """
    chosen = chosen_objectives(descriptor, objectives)
    if not chosen:
        raise BadInputError(
            f"system {descriptor.system_id!r} has no objectives, so no course can be better than another: add one to "
            "the descriptor or to the request"
        )
    return chosen


def chosen_objectives(descriptor: SystemDescriptor, objectives: Sequence[Objective] | None) -> list[Objective]:
    """Return the objectives to use, perhaps none, checked against the descriptor.

    Args:
        descriptor: The system.
        objectives: A caller's own, instead of the descriptor's.

    Raises:
        BadInputError: When one names an unknown entity or channel, or ids repeat, or weights do not sum to 1.
    """
    chosen = list(descriptor.objectives if objectives is None else objectives)
    entities = {entity.entity_id for entity in descriptor.entities}
    channels = {channel.channel_id for channel in descriptor.channels}
    for objective in chosen:
        if objective.entity_id not in entities:
            raise BadInputError(_unknown(objective, "entity", objective.entity_id, entities))
        if objective.channel_id is not None and objective.channel_id not in channels:
            raise BadInputError(_unknown(objective, "channel", objective.channel_id, channels))
    if len({objective.objective_id for objective in chosen}) < len(chosen):
        raise BadInputError("two objectives have the same objective_id; give each its own")
    total = sum(objective.weight for objective in chosen)
    if chosen and abs(total - 1.0) > 1e-6:
        raise BadInputError(f"objective weights sum to {total:g}; they must sum to 1")
    return chosen


def objective_meaning(descriptor: SystemDescriptor, objective: Objective) -> int:
    """Return the vocabulary index of what an objective's threshold is about.

    Args:
        descriptor: The system.
        objective: One of its objectives.
    """
    if objective.channel_id is not None:
        return next(
            MEANING_INDEX[channel.meaning]
            for channel in descriptor.channels
            if channel.channel_id == objective.channel_id
        )
    return MEANING_INDEX["error_ratio" if objective.latency_threshold_s is None else "latency_p99"]


def objective_threshold(objective: Objective, meaning: int) -> float:
    """Return an objective's threshold as a feature of its meaning, 0 where it has none.

    Args:
        objective: Any objective.
        meaning: From :func:`objective_meaning`.
    """
    threshold = objective.threshold if objective.kind == "gauge" else objective.latency_threshold_s
    if threshold is None:
        return 0.0
    return float(to_feature(np.array([threshold], dtype=np.float64), np.array([meaning]))[0])


def _unknown(objective: Objective, what: str, given: str, allowed: set[str]) -> str:
    shown = ", ".join(sorted(allowed)[:12]) + (", ..." if len(allowed) > 12 else "")
    return (
        f"objective {objective.objective_id!r} names {what} {given!r}, which the system lacks; it has {shown or 'none'}"
    )
