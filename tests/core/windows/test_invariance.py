"""Names and order mean nothing: permuting and renaming a system permutes its tensors."""

import dataclasses

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.actions.parameters import PoolResize, ScaleHorizontal
from opswm_schemas.questions import CandidateAction, Course
from tests.core.windows.diner import READINGS, diner, logged, timeline

CONTEXT = 17


def renamed(text: str) -> str:
    """Return another name for a part."""
    return "".join(chr(ord("a") + (ord(letter) * 7) % 26) if letter.isalpha() else letter for letter in text) + "-x"


@settings(max_examples=25)
@given(entities=st.permutations(range(4)), channels=st.permutations(range(9)), rename=st.booleans())
def test_permuting_and_renaming_permutes_the_tensors(entities: list[int], channels: list[int], rename: bool) -> None:
    """Every tensor of the shuffled system is the tensor of the first with its entities and slots moved."""
    name = renamed if rename else str
    one = diner()
    moved = one.model_copy(
        update={
            "entities": [
                one.entities[i].model_copy(update={"entity_id": name(one.entities[i].entity_id)}) for i in entities
            ],
            "channels": [
                one.channels[i].model_copy(
                    update={
                        "channel_id": name(one.channels[i].channel_id),
                        "entity_id": name(one.channels[i].entity_id),
                    }
                )
                for i in channels
            ],
            "relations": [
                relation.model_copy(update={"source": name(relation.source), "target": name(relation.target)})
                for relation in one.relations
            ],
            "capabilities": [
                capability.model_copy(
                    update={
                        "targets": [name(target) for target in capability.targets],
                        "affects": [
                            affect.model_copy(
                                update={"relation": affect.relation and tuple(name(end) for end in affect.relation)}
                            )
                            for affect in capability.affects
                        ],
                    }
                )
                for capability in one.capabilities
            ],
            "objectives": [
                objective.model_copy(
                    update={
                        "entity_id": name(objective.entity_id),
                        "channel_id": objective.channel_id and name(objective.channel_id),
                    }
                )
                for objective in one.objectives
            ],
        }
    )
    first_past = timeline(one, actions=[logged("p", "web")])
    second_past = dataclasses.replace(
        timeline(moved, {name(key): value for key, value in READINGS.items()}, [logged("p", name("web"))]),
        value=first_past.value[:, channels],
        seen=first_past.seen[:, channels],
    )
    courses = [
        [
            NO_OP,
            Course(
                course_id="s", actions=[CandidateAction(target=label("web"), params=ScaleHorizontal(to_replicas=5))]
            ),
            Course(
                course_id="p", actions=[CandidateAction(target=label("db"), params=PoolResize(size_connections=30))]
            ),
        ]
        for label in (str, name)
    ]
    first, second = encode_situation(one, first_past, CONTEXT), encode_situation(moved, second_past, CONTEXT)
    first_slots = encode_courses(one, first_past, courses[0], 8)
    second_slots = encode_courses(moved, second_past, courses[1], 8)

    where = torch.tensor(entities)  # new position -> old position
    assert torch.equal(second.structure.kind, first.structure.kind[:, where])
    assert torch.equal(where[second.structure.relation], first.structure.relation)
    assert torch.equal(where[second.structure.objective_entity], first.structure.objective_entity)
    assert torch.equal(second.structure.objective_threshold, first.structure.objective_threshold)
    for got, wanted in ((second_slots, first_slots), (second.past, first.past)):
        assert torch.equal(got.target, wanted.target[..., where])
        assert torch.equal(got.affects, wanted.affects[..., where, :])
        for field in ("there", "type", "features", "tick", "finished", "automatic"):
            assert torch.equal(getattr(got, field), getattr(wanted, field))
    for entity in range(4):
        old = entities[entity]
        assert _series(second, entity) == _series(first, old)


def _series(situation: object, entity: int) -> list[tuple[int, tuple[float, ...], tuple[bool, ...]]]:
    """Return the filled slots of an entity as an unordered collection."""
    structure, history = situation.structure, situation.history  # type: ignore[attr-defined]
    slots = np.flatnonzero(structure.channel[0, entity].numpy())
    return sorted(
        (
            int(structure.meaning[0, entity, slot]),
            tuple(history.value[0, :, entity, slot].tolist()),
            tuple(history.seen[0, :, entity, slot].tolist()),
        )
        for slot in slots
    )
