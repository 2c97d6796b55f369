"""Typed action parameters as eight numbers relative to the state that the action meets.

Needs numpy alone: the simulator's direct training path and the descriptor path call the same functions, so
one action has bit-equal features on either. ``ACTION_FEATURES`` names the columns; what is not stated is 0.

``params`` are the plain numbers of ``opswm_schemas.actions.parameters`` under their own names;
``previous_<name>`` may carry a logged earlier value, and ``target_weight_ratio`` what a traffic shift leaves on its
target. ``current`` holds the target's latest readings by canonical meaning (:func:`current_state`). A change whose
reference nobody knows is 0, and ``log_amount`` still says the absolute size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opswm.action_encodings import ENCODERS, Current, Params, operation_code
from opswm.canonical import NUM_RESOURCES
from opswm.errors import BadInputError
from opswm_schemas.vocabulary import ACTION_FEATURES, ACTION_INDEX, MEANINGS


@dataclass(frozen=True)
class Touch:
    """One stated sign of a capability (``affects``), by entity index.

    Attributes:
        entities: Entities it touches; empty means the action's own targets. A relation touches both its ends.
        resource: Index into ``RESOURCES``.
        sign: -1, 0 or +1.
    """

    entities: tuple[int, ...]
    resource: int
    sign: int


def action_features(action_type: str, params: Params, current: Current) -> NDArray[np.float64]:
    """Return the ``ACTION_FEATURES`` of one action.

    Args:
        action_type: One of ``ACTION_TYPES``.
        params: Plain parameters by name.
        current: Latest canonical readings at the target, by meaning; may be empty.

    Returns:
        ``[len(ACTION_FEATURES)]``; all zero for ``no_op`` whatever its parameters, since a wait changes nothing.

    Raises:
        BadInputError: When the type is not in the vocabulary, or a parameter is NaN or infinite.
    """
    if action_type not in ACTION_INDEX:
        raise BadInputError(f"action type {action_type!r} is not known; use one of {', '.join(ACTION_INDEX)}")
    for name, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInputError(f"parameter {name!r} of {action_type!r} is {value}; give a finite number")
    named = {"operation": operation_code(action_type, params)}
    if action_type in ENCODERS:
        named |= ENCODERS[action_type](params, current)
    return np.array([named.get(name, 0.0) for name in ACTION_FEATURES], dtype=np.float64)


def current_state(value: NDArray[np.float64], seen: NDArray[np.bool_], meaning: NDArray[np.int64]) -> dict[str, float]:
    """Return the latest reading of each meaning at one entity; channels of one meaning are averaged.

    Channel order does not matter, not even in the last bit.

    Args:
        value: Canonical values ``[T, C]``, oldest tick first.
        seen: Which readings are there ``[T, C]``.
        meaning: Vocabulary index of each channel ``[C]``; ``other`` is left out.
    """
    readings: dict[str, list[float]] = {}
    for channel, index in enumerate(meaning):
        ticks = np.flatnonzero(seen[:, channel])
        if index and ticks.size:
            readings.setdefault(MEANINGS[index].name, []).append(float(value[ticks[-1], channel]))
    return {name: math.fsum(values) / len(values) for name, values in readings.items()}


def affects_matrix(touches: Sequence[Touch], targets: Sequence[int], num_entities: int) -> NDArray[np.float64]:
    """Return the signs of one action per entity and resource, ``[N, R]`` in {-1, 0, +1}.

    Args:
        touches: What the capability states; opposite signs for one cell cancel.
        targets: Entities that the action is aimed at.
        num_entities: ``N``.
    """
    signs = np.zeros((num_entities, NUM_RESOURCES))
    for touch in touches:
        signs[list(touch.entities or targets), touch.resource] += touch.sign
    return np.sign(signs)
