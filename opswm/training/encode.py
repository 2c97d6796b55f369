"""Simulated worlds as the model reads them: the same features, from the same functions, as a descriptor gives.

The direct training path. ``opswm.windows`` makes the same tensors from a descriptor and a timeline; a system that
is recorded and read back meets the model as it was trained.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from opswm.action_features import Touch, action_features, affects_matrix, current_state
from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES, to_feature
from opswm.simulation.kernel.blueprint import Ability, Blueprint
from opswm.simulation.kernel.courses import plain_parameters
from opswm.simulation.kernel.episodes import Course, Lived
from opswm.simulation.kernel.relations import relations_of
from opswm.simulation.kernel.signals import SIGNALS
from opswm.tensors import ActionSlots, History, Situation, Structure
from opswm_schemas.vocabulary import ACTION_INDEX, ENTITY_KINDS, MEANING_INDEX, RELATION_KINDS, RESOURCES

MEANING_OF_SIGNAL: Final = np.array([MEANING_INDEX[name] for name in SIGNALS])
MAX_PAST_ACTIONS: Final = 32


def signal_features(value: Float[Tensor, "*sizes"], seen: Bool[Tensor, "*sizes"]) -> Float[Tensor, "*sizes"]:
    """Return features of canonical readings whose last axis is ``SIGNALS``, 0 where unseen."""
    features = torch.zeros_like(value)
    for row, stored, feature in zip(value.numpy(), seen.numpy(), features.numpy(), strict=True):
        canonical = np.where(stored, row.astype(np.float64), 0.0)
        np.copyto(feature, to_feature(canonical, MEANING_OF_SIGNAL), where=stored, casting="same_kind")
    return features


def encode_structure(blueprints: Sequence[Blueprint], there: Bool[Tensor, "B N C"]) -> Structure:
    """Return what descriptors of these systems would say.

    Args:
        blueprints: The systems.
        there: Which signals each entity has a channel for.
    """
    points, entities = there.shape[:2]
    relations = [_relations(blueprint) for blueprint in blueprints]
    num_relations = max(1, *(len(rows) for rows in relations))
    num_objectives = max(1, *(len(blueprint.goals) for blueprint in blueprints))
    ends, kinds = torch.zeros(points, num_relations, 2, dtype=torch.long), torch.zeros(points, num_relations).long()
    held = torch.zeros(points, num_relations, dtype=torch.bool)
    kind, entity = torch.zeros(points, entities).long(), torch.zeros(points, entities, dtype=torch.bool)
    about, promised = torch.zeros(points, num_objectives).long(), torch.zeros(points, num_objectives, dtype=torch.bool)
    weight, threshold = torch.zeros(points, num_objectives), torch.zeros(points, num_objectives)
    meaning = torch.zeros(points, num_objectives, dtype=torch.long)
    for row, blueprint in enumerate(blueprints):
        for position, part in enumerate(blueprint.parts):
            kind[row, position], entity[row, position] = ENTITY_KINDS.index(part.kind), True
        for position, (source, target, name) in enumerate(relations[row]):
            ends[row, position], held[row, position] = torch.tensor([source, target]), True
            kinds[row, position] = RELATION_KINDS.index(name)
        for position, goal in enumerate(blueprint.goals):
            about[row, position], promised[row, position] = blueprint.index(goal.entity), True
            weight[row, position] = goal.weight
            meaning[row, position] = MEANING_INDEX["latency_p99"]
            limit = to_feature(np.array([goal.threshold_s]), meaning[row, position : position + 1].numpy())
            threshold[row, position] = float(limit[0])
    return Structure(
        entity=entity,
        kind=kind,
        meaning=torch.from_numpy(MEANING_OF_SIGNAL).expand(there.shape).clone(),
        channel=there,
        relation=ends,
        relation_kind=kinds,
        relation_there=held,
        objective_entity=about,
        objective_there=promised,
        objective_weight=weight,
        objective_threshold=threshold,
        objective_meaning=meaning,
        step_s=torch.tensor([float(blueprint.step_s) for blueprint in blueprints]),
    )


def _relations(blueprint: Blueprint) -> list[tuple[int, int, str]]:
    return [(blueprint.index(edge.source), blueprint.index(edge.target), edge.kind) for edge in relations_of(blueprint)]


def encode_lived(lived: Lived, there: Bool[Tensor, "B N C"]) -> Situation:
    """Return the decision points of simulated worlds.

    Args:
        lived: Worlds up to their decision.
        there: Which signals each entity has a channel for.
    """
    points, entities = there.shape[:2]
    logged = [_logged(lived, row, entities) for row in range(points)]
    past = _empty(points, 1, max(1, *(len(rows) for rows in logged)), entities)
    for row, actions in enumerate(logged):
        for slot, (action_type, target, features, affects, tick, finished, automatic) in enumerate(actions):
            _fill(past, (row, 0, slot), action_type, target, features, affects, tick)
            past.finished[row, 0, slot], past.automatic[row, 0, slot] = finished, automatic
    return Situation(
        structure=encode_structure(lived.blueprints, there),
        history=History(value=signal_features(lived.value, lived.seen), seen=lived.seen),
        past=past,
    )


def encode_courses(lived: Lived, courses: Sequence[Sequence[Course]], entities: int) -> ActionSlots:
    """Return candidate courses, with parameters relative to the present state of their targets.

    Args:
        lived: Worlds at their decision.
        courses: Of each world, the first of which waits; shorter lists are padded with further waits.
        entities: ``N``.
    """
    most = max(len(world) for world in courses)
    slots = max(1, *(len(course) for world in courses for course in world))
    encoded = _empty(len(courses), most, slots, entities)
    step_s = lived.blueprints[0].step_s
    for row, world in enumerate(courses):
        blueprint = lived.blueprints[row]
        states: dict[int, dict[str, float]] = {}
        for number, course in enumerate(world):
            for slot, request in enumerate(course):
                target = blueprint.index(request.ability.target)
                if target not in states:
                    states[target] = _state(lived, row, target, lived.value.shape[1])
                plain = plain_parameters(blueprint, request.ability, request.level)
                features = action_features(request.ability.type, plain, states[target])
                affects = affects_matrix(_touches(blueprint, request.ability), [target], entities)
                tick = (request.requested_s - lived.decision_s) / step_s
                _fill(encoded, (row, number, slot), request.ability.type, target, features, affects, tick)
    return encoded


def _logged(
    lived: Lived, row: int, entities: int
) -> list[tuple[str, int, NDArray[np.float64], NDArray[np.float64], float, bool, bool]]:
    blueprint, ticks = lived.blueprints[row], lived.value.shape[1]
    found = []
    for done in lived.done[row]:
        tick = (done.requested_s - lived.decision_s) / blueprint.step_s
        if tick < -ticks or tick > 0 or not done.was_asked_of_system:
            continue
        target = blueprint.index(done.ability.target)
        met = max(0, ticks - math.ceil(-tick))
        features = action_features(done.ability.type, done.params, _state(lived, row, target, met))
        affects = affects_matrix(_touches(blueprint, done.ability), [target], entities)
        finished = done.succeeds and done.effect_s <= lived.decision_s
        found.append((done.ability.type, target, features, affects, tick, finished, done.automatic))
    return found[-MAX_PAST_ACTIONS:]


def _state(lived: Lived, row: int, entity: int, ticks: int) -> dict[str, float]:
    value, seen = lived.value[row, :ticks, entity].numpy(), lived.seen[row, :ticks, entity].numpy()
    return current_state(value.astype(np.float64), seen, MEANING_OF_SIGNAL)


def _touches(blueprint: Blueprint, ability: Ability) -> list[Touch]:
    found = []
    for touch in ability.affects:
        named = touch.relation if touch.relation is not None else (touch.entity,) if touch.entity else ()
        entities = tuple(blueprint.index(name) for name in named)
        found.append(Touch(entities, RESOURCES.index(touch.resource), touch.sign))
    return found


def _empty(points: int, courses: int, slots: int, entities: int) -> ActionSlots:
    shape = (points, courses, slots)
    there, finished, automatic = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    return ActionSlots(
        there=there,
        type=torch.zeros(shape, dtype=torch.long),
        target=torch.zeros(*shape, entities, dtype=torch.bool),
        features=torch.zeros(*shape, NUM_ACTION_FEATURES),
        affects=torch.zeros(*shape, entities, NUM_RESOURCES),
        tick=torch.zeros(shape),
        finished=finished,
        automatic=automatic,
    )


def _fill(
    slots: ActionSlots,
    at: tuple[int, int, int],
    action_type: str,
    target: int,
    features: NDArray[np.float64],
    affects: NDArray[np.float64],
    tick: float,
) -> None:
    slots.there[at] = True
    slots.type[at] = ACTION_INDEX[action_type]
    slots.target[(*at, target)] = True
    slots.features[at] = torch.from_numpy(features)
    slots.affects[at] = torch.from_numpy(affects)
    slots.tick[at] = tick
