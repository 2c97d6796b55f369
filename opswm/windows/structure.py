"""A descriptor as the model reads it: kinds, meanings, relations and objectives as tensors."""

from collections.abc import Sequence

import numpy as np
import torch

from opswm.tensors import Structure
from opswm.windows.layout import Layout
from opswm.windows.objectives import objective_meaning, objective_threshold
from opswm_schemas.descriptor import Objective, Relation, SystemDescriptor
from opswm_schemas.vocabulary import ENTITY_KINDS, RELATION_KINDS


def encode_structure(
    descriptor: SystemDescriptor,
    layout: Layout,
    relations: Sequence[Relation],
    objectives: Sequence[Objective],
    step_s: float,
) -> Structure:
    """Return the structure tensors of one system (``B`` = 1).

    Args:
        descriptor: The system.
        layout: Its layout.
        relations: Those that held at the decision and were known by then.
        objectives: From ``chosen_objectives``; may be empty where no cost is asked for.
        step_s: Length of a tick, seconds.
    """
    return Structure(
        entity=torch.ones(1, layout.num_entities, dtype=torch.bool),
        kind=torch.tensor([[ENTITY_KINDS.index(entity.kind) for entity in descriptor.entities]]),
        meaning=torch.from_numpy(layout.spread(layout.channel_meaning))[None],
        channel=torch.from_numpy(layout.spread(np.ones(len(descriptor.channels), dtype=np.bool_)))[None],
        **_relations(layout, relations),
        **_objectives(descriptor, layout, objectives),
        step_s=torch.tensor([step_s], dtype=torch.float32),
    )


def _relations(layout: Layout, relations: Sequence[Relation]) -> dict[str, torch.Tensor]:
    """At least one slot, masked where there is no relation."""
    ends = [[layout.entity[relation.source], layout.entity[relation.target]] for relation in relations]
    kinds = [RELATION_KINDS.index(relation.kind) for relation in relations]
    return {
        "relation": torch.tensor([ends or [[0, 0]]]),
        "relation_kind": torch.tensor([kinds or [0]]),
        "relation_there": torch.tensor([[True] * len(relations) or [False]]),
    }


def _objectives(
    descriptor: SystemDescriptor, layout: Layout, objectives: Sequence[Objective]
) -> dict[str, torch.Tensor]:
    """At least one slot, masked where there is no objective."""
    meanings = [objective_meaning(descriptor, objective) for objective in objectives]
    thresholds = [objective_threshold(o, meaning) for o, meaning in zip(objectives, meanings, strict=True)]
    return {
        "objective_entity": torch.tensor([[layout.entity[o.entity_id] for o in objectives] or [0]]),
        "objective_there": torch.tensor([[True] * len(objectives) or [False]]),
        "objective_weight": torch.tensor([[o.weight for o in objectives] or [0.0]], dtype=torch.float32),
        "objective_threshold": torch.tensor([thresholds or [0.0]], dtype=torch.float32),
        "objective_meaning": torch.tensor([meanings or [0]]),
    }
