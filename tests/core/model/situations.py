"""Random decision points in which every axis has a size of its own, and ways to rename what is in them."""

from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES
from opswm.tensors import ActionSlots, History, Situation, Structure
from opswm_schemas.vocabulary import ACTION_TYPES, ENTITY_KINDS, MEANING_INDEX, MEANINGS, RELATION_KINDS

POINTS, TICKS, ENTITIES, SLOTS, RELATIONS, OBJECTIVES, COURSES, ACTIONS = 2, 128, 5, 4, 6, 3, 7, 2

Record = TypeVar("Record", Structure, ActionSlots)


def random_situation(seed: int, points: int = POINTS, ticks: int = TICKS) -> Situation:
    """Return decision points with everything in them drawn at random."""
    g = torch.Generator().manual_seed(seed)
    there = torch.rand(points, ENTITIES, SLOTS, generator=g) < 0.8
    seen = (torch.rand(points, ticks, ENTITIES, SLOTS, generator=g) < 0.7) & there[:, None]
    value = torch.rand(points, ticks, ENTITIES, SLOTS, generator=g) * 3.0
    weight = torch.rand(points, OBJECTIVES, generator=g) + 0.1
    about = torch.tensor([MEANING_INDEX[name] for name in ("latency_p99", "error_ratio", "queue_depth")])
    structure = Structure(
        entity=torch.ones(points, ENTITIES, dtype=torch.bool),
        kind=torch.randint(0, len(ENTITY_KINDS), (points, ENTITIES), generator=g),
        meaning=torch.randint(0, len(MEANINGS), (points, ENTITIES, SLOTS), generator=g),
        channel=there,
        relation=torch.randint(0, ENTITIES, (points, RELATIONS, 2), generator=g),
        relation_kind=torch.randint(0, len(RELATION_KINDS), (points, RELATIONS), generator=g),
        relation_there=torch.rand(points, RELATIONS, generator=g) < 0.8,
        objective_entity=torch.randint(0, ENTITIES, (points, OBJECTIVES), generator=g),
        objective_there=torch.ones(points, OBJECTIVES, dtype=torch.bool),
        objective_weight=weight / weight.sum(1, keepdim=True),
        objective_threshold=torch.rand(points, OBJECTIVES, generator=g),
        objective_meaning=about.repeat(points, 1),
        step_s=torch.full((points,), 5.0),
    )
    past = random_actions(seed + 1, points, 1, 3)
    past = replace(past, tick=-past.tick - 1.0)
    return Situation(structure, History(torch.where(seen, value, 0.0), seen), past)


def random_actions(seed: int, points: int = POINTS, courses: int = COURSES, slots: int = ACTIONS) -> ActionSlots:
    """Return courses of random actions; the first waits, the others do at least one thing."""
    g = torch.Generator().manual_seed(seed)
    shape = (points, courses, slots)
    there = torch.rand(shape, generator=g) < 0.6
    there[:, :, 0] = True
    if courses > 1:
        there[:, 0] = False
    return ActionSlots(
        there=there,
        type=torch.randint(1, len(ACTION_TYPES), shape, generator=g),
        target=torch.nn.functional.one_hot(torch.randint(0, ENTITIES, shape, generator=g), ENTITIES).bool(),
        features=torch.randn(*shape, NUM_ACTION_FEATURES, generator=g),
        affects=torch.randint(-1, 2, (*shape, ENTITIES, NUM_RESOURCES), generator=g).float(),
        tick=torch.randint(0, 20, shape, generator=g).float(),
        finished=torch.zeros(shape, dtype=torch.bool),
        automatic=torch.zeros(shape, dtype=torch.bool),
    )


def permute(record: Record, axis: int, order: Tensor, *names: str) -> Record:
    """Return a record with the named fields reordered along one axis."""
    return replace(record, **{name: getattr(record, name).index_select(axis, order) for name in names})


def rename_entities(situation: Situation, courses: ActionSlots, order: Tensor) -> tuple[Situation, ActionSlots]:
    """Return the same systems with entity ``order[i]`` now in place ``i``."""
    place = torch.argsort(order)
    s = permute(situation.structure, 1, order, "entity", "kind", "meaning", "channel")
    s = replace(s, relation=place[s.relation], objective_entity=place[s.objective_entity])
    history = History(situation.history.value[:, :, order], situation.history.seen[:, :, order])
    past = permute(situation.past, 3, order, "target", "affects")
    return Situation(s, history, past), permute(courses, 3, order, "target", "affects")


def pad(situation: Situation, courses: ActionSlots) -> tuple[Situation, ActionSlots]:
    """Return the same systems with an empty slot more on every axis that can be padded, full of nonsense."""
    structure = Structure(
        **{
            field.name: _padded(getattr(situation.structure, field.name), field.name.endswith("weight"))
            for field in fields(Structure)
            if field.name not in ("step_s", "relation")
        },
        relation=torch.nn.functional.pad(situation.structure.relation, (0, 0, 0, 1)),
        step_s=situation.structure.step_s,
    )
    history = History(
        torch.nn.functional.pad(situation.history.value, (0, 1, 0, 1), value=7.0),
        torch.nn.functional.pad(situation.history.seen, (0, 1, 0, 1)),
    )
    return Situation(structure, history, _padded_actions(situation.past, 0)), _padded_actions(courses, 1)


def _padded(tensor: Tensor, weight: bool) -> Tensor:
    sizes = (0, 1) * (tensor.dim() - 1)
    return torch.nn.functional.pad(tensor, sizes, value=0 if tensor.dtype == torch.bool or weight else 1)


def _padded_actions(slots: ActionSlots, courses: int) -> ActionSlots:
    def filled(tensor: Tensor, extra: tuple[int, ...]) -> Tensor:
        return torch.nn.functional.pad(tensor, (*extra, 0, 1, 0, courses), value=0 if tensor.dtype == torch.bool else 1)

    return ActionSlots(
        there=filled(slots.there, ()),
        type=filled(slots.type, ()),
        target=torch.nn.functional.pad(slots.target, (0, 1, 0, 1, 0, courses)),
        features=filled(slots.features, (0, 0)),
        affects=torch.nn.functional.pad(slots.affects, (0, 0, 0, 1, 0, 1, 0, courses)),
        tick=filled(slots.tick, ()),
        finished=filled(slots.finished, ()),
        automatic=filled(slots.automatic, ()),
    )
