"""A synthetic world in tensors: scaling helps where the target is busy, a restart hurts, the rest does nothing."""

import numpy as np
import torch
from torch import Tensor

from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES
from opswm.tensors import ActionSlots, Batch, History, Situation, Structure
from opswm_schemas.vocabulary import (
    ACTION_FEATURES,
    ACTION_INDEX,
    ENTITY_KINDS,
    MEANING_INDEX,
    RELATION_KINDS,
    RESOURCES,
)

HORIZON, TICKS, ENTITIES, SLOTS, COURSES, PAST = 12, 20, 3, 4, 5, 2
STEP_S = 10.0
MEANINGS = ("request_rate", "cpu_utilization", "error_ratio", "latency_p99")


def queue_world(size: int, seed: int) -> Batch:
    """Return decision points: entity 0 calls 1, entity 2 stands apart, the objective is at 0; courses act on 0 or 1.

    Courses: no_op, scale 0, scale 1, restart 0, load_shed on 2 (which nothing depends on).
    """
    rng = np.random.default_rng(seed)
    busy = torch.from_numpy(rng.uniform(0.3, 1.0, (size, ENTITIES))).float()
    errors = ((busy[:, :2] - 0.8).clamp(min=0.0) * 4.0).amax(dim=1)
    level = torch.zeros(size, ENTITIES, SLOTS)
    level[:, :, 0], level[:, :, 1], level[:, 0, 2] = 4.0, busy, errors
    value = level[:, None].expand(size, TICKS, ENTITIES, SLOTS).clone()
    value += 0.01 * torch.from_numpy(rng.standard_normal(value.shape)).float()
    seen = torch.from_numpy(rng.random(value.shape) < 0.95)
    meaning = torch.tensor([MEANING_INDEX[name] for name in MEANINGS]).expand(size, ENTITIES, SLOTS).clone()
    structure = Structure(
        entity=torch.ones(size, ENTITIES, dtype=torch.bool),
        kind=torch.full((size, ENTITIES), ENTITY_KINDS.index("service")),
        meaning=meaning,
        channel=torch.ones(size, ENTITIES, SLOTS, dtype=torch.bool),
        relation=torch.tensor([[[0, 1]]]).expand(size, 1, 2).clone(),
        relation_kind=torch.full((size, 1), RELATION_KINDS.index("calls")),
        relation_there=torch.ones(size, 1, dtype=torch.bool),
        objective_entity=torch.zeros(size, 1, dtype=torch.long),
        objective_there=torch.ones(size, 1, dtype=torch.bool),
        objective_weight=torch.ones(size, 1),
        objective_threshold=torch.zeros(size, 1),
        objective_meaning=torch.full((size, 1), MEANING_INDEX["error_ratio"]),
        step_s=torch.full((size,), STEP_S),
    )
    kinds = ["no_op", "scale_horizontal", "scale_horizontal", "restart", "load_shed"]
    courses = slots(size, kinds, [0, 0, 1, 0, 2])
    effect = torch.zeros(size, COURSES)
    effect[:, 1] = torch.where(busy[:, 0] >= busy[:, 1], -0.8 * errors, torch.zeros(size))
    effect[:, 2] = torch.where(busy[:, 1] > busy[:, 0], -0.8 * errors, torch.zeros(size))
    effect[:, 3] = 0.2
    bad = (errors[:, None] + effect).clamp(0.0, 1.0)[:, :, None, None].expand(size, COURSES, HORIZON, 1)
    return Batch(
        situation=Situation(structure, History(torch.where(seen, value, 0.0), seen), empty(size)),
        courses=courses,
        arm=torch.ones(size, COURSES, dtype=torch.bool),
        bad=bad,
        effect=effect,
        effect_error=torch.full((size, COURSES), 0.01),
        channel=torch.zeros(size, COURSES, HORIZON, ENTITIES, SLOTS),
        channel_seen=torch.zeros(size, COURSES, HORIZON, ENTITIES, SLOTS, dtype=torch.bool),
    )


def slots(size: int, kinds: list[str], targets: list[int]) -> ActionSlots:
    """Return one single-action course per kind, the same in every row."""
    shape = (size, len(kinds), 1)
    types = torch.tensor([ACTION_INDEX[kind] for kind in kinds])[None, :, None].expand(shape).clone()
    features = torch.zeros(*shape, NUM_ACTION_FEATURES)
    features[..., ACTION_FEATURES.index("direction")] = torch.where(types == ACTION_INDEX["load_shed"], -1.0, 1.0)
    affects = torch.zeros(*shape, ENTITIES, NUM_RESOURCES)
    target = torch.zeros(*shape, ENTITIES, dtype=torch.bool)
    for course, aimed in enumerate(targets):
        target[:, course, :, aimed] = True
        affects[:, course, :, aimed, RESOURCES.index("capacity")] = 1.0
    there = (types != 0).expand(shape)
    return ActionSlots(
        there, types, target & there[..., None], features, affects, zeros(shape), none(shape), none(shape)
    )


def empty(size: int) -> ActionSlots:
    """Return a past in which nothing was done."""
    shape = (size, 1, PAST)
    return ActionSlots(
        there=none(shape),
        type=torch.zeros(shape, dtype=torch.long),
        target=none((*shape, ENTITIES)),
        features=torch.zeros(*shape, NUM_ACTION_FEATURES),
        affects=torch.zeros(*shape, ENTITIES, NUM_RESOURCES),
        tick=zeros(shape),
        finished=none(shape),
        automatic=none(shape),
    )


def zeros(shape: tuple[int, ...]) -> Tensor:
    """Return zeros."""
    return torch.zeros(shape)


def none(shape: tuple[int, ...]) -> Tensor:
    """Return a mask of nothing."""
    return torch.zeros(shape, dtype=torch.bool)
