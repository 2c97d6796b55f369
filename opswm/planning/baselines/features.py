"""Engineered features of (situation, course) pairs for tabular rankers, from the same tensors a model sees.

A table of levels per entity and canonical meaning makes systems comparable; what an action is aimed at, what
lies up and down its call graph and what the objectives see are looked up in it. NaN stands for "not measured",
which boosted trees treat as a value of its own.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opswm.planning.baselines.levels import Levels, at_objectives, entity_levels, objective_margin
from opswm.tensors import ActionSlots, Situation
from opswm_schemas.vocabulary import ACTION_FEATURES, MEANINGS, RESOURCES

_BAD: Final = [index for index, meaning in enumerate(MEANINGS) if meaning.higher_is == "bad"]


def pair_features(situation: Situation, courses: ActionSlots) -> NDArray[np.float64]:
    """Return ``[B, S, F]`` features; the columns are named by :func:`feature_names`.

    Args:
        situation: ``B`` decision points.
        courses: Their candidate courses.
    """
    levels = entity_levels(situation)
    there = courses.there.numpy()
    aimed = (courses.target.numpy() & there[..., None]).any(axis=2)  # [B, S, N]
    flow = adjacency(situation)
    down = np.einsum("bsn,bnm->bsm", aimed, flow) > 0
    up = np.einsum("bsn,bmn->bsm", aimed, flow) > 0
    objective = _objective_features(situation, levels)
    return np.concatenate(
        [
            _first_type(courses)[..., None],
            there.sum(axis=2)[..., None],
            np.where(there[..., None], courses.features.numpy(), 0.0).sum(axis=2),
            np.where(there[..., None, None], courses.affects.numpy(), 0.0).sum(axis=(2, 3)),
            np.where(there, courses.tick.numpy(), 0.0).max(axis=2)[..., None],
            _pick(situation.structure.kind.numpy()[..., None].astype(np.float64), aimed),
            _pick(levels.level, aimed),
            _pick(levels.trend, aimed),
            _pick(levels.shift, aimed),
            _pick(levels.level[..., _BAD], down),
            _pick(levels.level[..., _BAD], up),
            _spread_over_courses(_worst(levels.level[..., _BAD], situation.structure.entity.numpy()), courses),
            _spread_over_courses(objective, courses),
            _past_features(situation, aimed, courses),
        ],
        axis=-1,
    )


def feature_names() -> list[str]:
    """Return the column names of :func:`pair_features`, in order."""
    meanings = [meaning.name for meaning in MEANINGS]
    bad = [meanings[index] for index in _BAD]
    return [
        "type",
        "num_actions",
        *ACTION_FEATURES,
        *(f"affects_{resource}" for resource in RESOURCES),
        "delay_ticks",
        "target_kind",
        *(f"target_level_{name}" for name in meanings),
        *(f"target_trend_{name}" for name in meanings),
        *(f"target_shift_{name}" for name in meanings),
        *(f"downstream_{name}" for name in bad),
        *(f"upstream_{name}" for name in bad),
        *(f"worst_{name}" for name in bad),
        *(f"objective_{name}" for name in meanings),
        *(f"objective_shift_{name}" for name in meanings),
        "objective_margin",
        "past_num_actions",
        "past_same_type",
        "past_ticks_since",
    ]


def adjacency(situation: Situation) -> NDArray[np.float64]:
    """Return 1 where load flows from one entity to another, ``[B, N, N]``.

    Args:
        situation: Any batch.
    """
    structure = situation.structure
    batch, entities = structure.entity.shape
    flow = torch.zeros(batch, entities, entities, dtype=torch.float64)
    rows = torch.arange(batch)[:, None].expand_as(structure.relation_there)
    flow.index_put_(
        (rows, structure.relation[..., 0], structure.relation[..., 1]),
        structure.relation_there.to(torch.float64),
        accumulate=True,
    )
    return (flow > 0).to(torch.float64).numpy()


def _first_type(courses: ActionSlots) -> NDArray[np.float64]:
    types = torch.where(courses.there, courses.type, 0)
    return types[..., 0].to(torch.float64).numpy()


def _pick(levels: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Largest value over the chosen entities, ``[B, S, V]``; NaN where none is measured."""
    held = np.where(chosen[..., None], levels[:, None], np.nan)
    largest = np.where(np.isnan(held), -np.inf, held).max(axis=2)
    return np.where(np.isinf(largest), np.nan, largest)


def _worst(levels: NDArray[np.float64], entity: NDArray[np.bool_]) -> NDArray[np.float64]:
    return _pick(levels, entity[:, None])[:, 0]


def _spread_over_courses(per_point: NDArray[np.float64], courses: ActionSlots) -> NDArray[np.float64]:
    shape = (per_point.shape[0], courses.there.shape[1], per_point.shape[1])
    return np.broadcast_to(per_point[:, None], shape)


def _objective_features(situation: Situation, levels: Levels) -> NDArray[np.float64]:
    weight = situation.structure.objective_weight.numpy() * situation.structure.objective_there.numpy()
    parts = [at_objectives(situation, levels.level), at_objectives(situation, levels.shift)]
    parts.append(objective_margin(situation, levels)[..., None])
    table = np.concatenate(parts, axis=2)  # [B, O, V]
    known = ~np.isnan(table) * weight[..., None]
    total = known.sum(axis=1)
    mean = (np.nan_to_num(table) * known).sum(axis=1) / np.maximum(total, 1e-12)
    return np.where(total > 0.0, mean, np.nan)


def _past_features(situation: Situation, aimed: NDArray[np.bool_], courses: ActionSlots) -> NDArray[np.float64]:
    past = situation.past
    there: Tensor = past.there[:, 0]
    same_target = torch.from_numpy(np.einsum("bsn,bpn->bsp", aimed, past.target[:, 0].numpy()) > 0) & there[:, None]
    first = torch.from_numpy(_first_type(courses)).to(torch.long)
    same_type = same_target & (past.type[:, 0][:, None] == first[..., None])
    since = torch.where(same_target, -past.tick[:, 0][:, None], torch.inf).amin(dim=2)
    return np.stack(
        [
            same_target.sum(dim=2).to(torch.float64).numpy(),
            same_type.sum(dim=2).to(torch.float64).numpy(),
            torch.where(torch.isinf(since), torch.nan, since.to(torch.float64)).numpy(),
        ],
        axis=-1,
    )
