"""Single actions as rows, and rows as the padded tensors of ``ActionSlots``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES
from opswm.tensors import ActionSlots
from opswm_schemas.vocabulary import ACTION_INDEX


@dataclass(frozen=True)
class ActionRow:
    """One action, encoded.

    Attributes:
        type: One of ``ACTION_TYPES``.
        targets: Entity indices aimed at.
        features: ``[A]``.
        affects: ``[N, R]``.
        tick: Requested tick relative to the decision.
        finished: Whether success was known at the decision.
        automatic: Whether a controller acted rather than a person.
    """

    type: str
    targets: tuple[int, ...]
    features: NDArray[np.float64]
    affects: NDArray[np.float64]
    tick: float
    finished: bool = False
    automatic: bool = False


def pack(scenarios: Sequence[Sequence[ActionRow]], num_entities: int) -> ActionSlots:
    """Return the tensors of one system's courses, or of one history (``B`` = 1).

    Args:
        scenarios: The actions of each course; a history is a single one. There is at least one slot.
        num_entities: ``N``.
    """
    num_slots = max(1, *(len(rows) for rows in scenarios)) if scenarios else 1
    shape = (1, len(scenarios), num_slots)
    there, finished, automatic = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    types = torch.zeros(shape, dtype=torch.long)
    target = torch.zeros((*shape, num_entities), dtype=torch.bool)
    features = torch.zeros((*shape, NUM_ACTION_FEATURES))
    affects = torch.zeros((*shape, num_entities, NUM_RESOURCES))
    tick = torch.zeros(shape)
    for scenario, rows in enumerate(scenarios):
        for slot, row in enumerate(rows):
            at = (0, scenario, slot)
            there[at] = True
            types[at] = ACTION_INDEX[row.type]
            target[at][list(row.targets)] = True
            features[at] = torch.from_numpy(row.features)
            affects[at] = torch.from_numpy(row.affects)
            tick[at] = row.tick
            finished[at] = row.finished
            automatic[at] = row.automatic
    return ActionSlots(there, types, target, features, affects, tick, finished, automatic)
