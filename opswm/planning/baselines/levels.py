"""What each entity shows, per canonical meaning, whatever its channels are called and however many there are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from opswm.tensors import Situation
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

RECENT_TICKS: Final = 4
"""Ticks averaged for a level; enough to smooth arrival noise, few enough to follow an incident."""


@dataclass(frozen=True)
class Levels:
    """What each entity shows, per canonical meaning, as features; NaN where it is not measured.

    Attributes:
        level: Mean of the last ticks ``[B, N, V]``.
        trend: Level minus the mean of the four times as many ticks before.
        shift: Level minus the mean of the older half of the context.
    """

    level: NDArray[np.float64]
    trend: NDArray[np.float64]
    shift: NDArray[np.float64]


def entity_levels(situation: Situation) -> Levels:
    """Return levels, trends and shifts per entity and meaning.

    Args:
        situation: Any batch.
    """
    ticks = situation.history.value.shape[1]
    recent = _by_meaning(situation, max(0, ticks - RECENT_TICKS), ticks)
    before = _by_meaning(situation, max(0, ticks - 5 * RECENT_TICKS), max(0, ticks - RECENT_TICKS))
    older = _by_meaning(situation, 0, ticks // 2)
    return Levels(recent, recent - before, recent - older)


def at_objectives(situation: Situation, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return levels at the objective entities, ``[B, O, V]``.

    Args:
        situation: Any batch.
        levels: ``[B, N, V]``.
    """
    rows = np.arange(levels.shape[0])[:, None]
    return np.asarray(levels[rows, situation.structure.objective_entity.numpy()], dtype=np.float64)


def objective_margin(situation: Situation, levels: Levels) -> NDArray[np.float64]:
    """Return the present feature minus the threshold's, ``[B, O]``; NaN where it is not measured.

    Args:
        situation: Any batch.
        levels: From :func:`entity_levels`.
    """
    at = at_objectives(situation, levels.level)
    meaning = situation.structure.objective_meaning.numpy()
    present = np.take_along_axis(at, meaning[..., None], axis=2)[..., 0]
    return np.asarray(present - situation.structure.objective_threshold.numpy(), dtype=np.float64)


def present_bad_share(situation: Situation) -> NDArray[np.float64]:
    """Return a rough present bad share per decision point ``[B]``: errors, or how far latency is over its threshold.

    Args:
        situation: Any batch.
    """
    levels, structure = entity_levels(situation), situation.structure
    margin = objective_margin(situation, levels)
    errors = np.nan_to_num(at_objectives(situation, levels.level)[..., MEANING_INDEX["error_ratio"]])
    slow = np.clip(0.5 + margin, 0.0, 1.0) * (structure.objective_threshold.numpy() != 0.0)
    weight = structure.objective_weight.numpy() * structure.objective_there.numpy()
    return np.asarray((weight * np.clip(errors + (1.0 - errors) * np.nan_to_num(slow), 0.0, 1.0)).sum(axis=1))


def _by_meaning(situation: Situation, since: int, until: int) -> NDArray[np.float64]:
    """Mean feature per entity and meaning over some ticks, ``[B, N, V]``."""
    seen = situation.history.seen[:, since:until] & situation.structure.channel[:, None]
    count = seen.sum(dim=1).to(torch.float64)
    total = torch.where(seen, situation.history.value[:, since:until], 0.0).sum(dim=1, dtype=torch.float64)
    shape = (*total.shape[:2], len(MEANINGS))
    summed, counted = total.new_zeros(shape), total.new_zeros(shape)
    summed.scatter_add_(2, situation.structure.meaning, total)
    counted.scatter_add_(2, situation.structure.meaning, count)
    return torch.where(counted > 0, summed / counted, torch.nan).numpy()
