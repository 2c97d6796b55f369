"""A made-up world with effects in closed form: a chain of services, one of which may be overloaded.

Load flows down the chain; the bad share is what the tightest service cannot carry. Scaling helps if and only if
it is aimed at that service and the load exceeds its capacity; shedding always costs what it sheds, and helps
nowhere else. Sizes can all be different, so a swapped axis fails.
"""

from dataclasses import dataclass

import numpy as np
import torch

from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES, to_feature
from opswm.tensors import ActionSlots, Batch, History, Situation, Structure
from opswm_schemas.vocabulary import (
    ACTION_FEATURES,
    ACTION_INDEX,
    ENTITY_KINDS,
    MEANING_INDEX,
    RELATION_KINDS,
    RESOURCES,
)

MEANINGS = ("request_rate", "cpu_utilization", "error_ratio")
SCALE, SHED, RESTART = (ACTION_INDEX[name] for name in ("scale_horizontal", "load_shed", "restart"))


@dataclass(frozen=True)
class QueueWorld:
    """Sizes of the made-up world.

    Attributes:
        entities: Length of the chain, the last one a database.
        courses: no_op, one scaling and one restart per entity in turn, then sheds.
    """

    entities: int = 4
    context: int = 128
    horizon: int = 32

    @property
    def courses(self) -> int:
        """no_op, then scaling of each entity, restart of the first, shed at the first."""
        return self.entities + 3

    def batch(self, points: int, seed: int, noise: float = 0.02) -> Batch:
        """Return decision points with exact effects.

        Args:
            points: How many.
            seed: Of everything random.
            noise: Standard deviation of the readings' features.
        """
        rng = np.random.default_rng(seed)
        load = rng.uniform(50.0, 150.0, points)
        capacity = load[:, None] * rng.uniform(1.15, 2.0, (points, self.entities))
        tight = rng.integers(0, self.entities, points)
        capacity[np.arange(points), tight] = load * rng.uniform(0.5, 1.3, points)
        factor = np.ones((points, self.courses, self.entities))
        for entity in range(self.entities):
            factor[:, 1 + entity, entity] = 2.0
        offered = np.ones((points, self.courses))
        shed = np.zeros((points, self.courses))
        shed[:, -1] = 0.3
        carried = (capacity[:, None] * factor).min(axis=2) / (load[:, None] * offered * (1.0 - shed))
        bad = shed + (1.0 - shed) * np.clip(1.0 - carried, 0.0, 1.0)
        effect = bad - bad[:, :1]
        arrived = np.minimum.accumulate(np.minimum(load[:, None], capacity), axis=1)
        arrived = np.concatenate([load[:, None], arrived[:, :-1]], axis=1)
        readings = np.stack(
            [arrived, np.minimum(1.0, arrived / capacity), np.clip(1 - capacity / arrived, 0, 1)], axis=-1
        )
        errors = bad[:, 0]
        readings[:, 0, 2] = errors
        meaning = np.array([MEANING_INDEX[name] for name in MEANINGS])
        feature = to_feature(readings, meaning)
        value = feature[:, None] + noise * rng.standard_normal((points, self.context, *feature.shape[1:]))
        seen = rng.random(value.shape) > 0.05
        f32 = torch.float32
        channels = torch.tensor(np.repeat(feature[:, None, None], self.courses, axis=1), dtype=f32)
        return Batch(
            situation=Situation(
                structure=self.structure(points),
                history=History(torch.tensor(np.where(seen, value, 0.0), dtype=f32), torch.tensor(seen)),
                past=no_actions(points, 2, self.entities),
            ),
            courses=self.actions(points),
            arm=torch.ones(points, self.courses, dtype=torch.bool),
            bad=torch.tensor(bad, dtype=f32)[:, :, None, None].repeat(1, 1, self.horizon, 1),
            effect=torch.tensor(effect, dtype=f32),
            effect_error=torch.zeros(points, self.courses),
            channel=channels.expand(-1, -1, self.horizon, -1, -1),
            channel_seen=torch.ones(points, self.courses, self.horizon, *feature.shape[1:], dtype=torch.bool),
        )

    def structure(self, points: int) -> Structure:
        """Return the chain, repeated."""
        n = self.entities
        kind = [ENTITY_KINDS.index("service")] * (n - 1) + [ENTITY_KINDS.index("database")]
        meaning = torch.tensor([[MEANING_INDEX[name] for name in MEANINGS]] * n)
        return Structure(
            entity=torch.ones(points, n, dtype=torch.bool),
            kind=torch.tensor([kind]).repeat(points, 1),
            meaning=meaning[None].repeat(points, 1, 1),
            channel=torch.ones(points, n, len(MEANINGS), dtype=torch.bool),
            relation=torch.tensor([[[i, i + 1] for i in range(n - 1)]]).repeat(points, 1, 1),
            relation_kind=torch.full((points, n - 1), RELATION_KINDS.index("calls")),
            relation_there=torch.ones(points, n - 1, dtype=torch.bool),
            objective_entity=torch.zeros(points, 1, dtype=torch.long),
            objective_there=torch.ones(points, 1, dtype=torch.bool),
            objective_weight=torch.ones(points, 1),
            objective_threshold=torch.zeros(points, 1),
            objective_meaning=torch.full((points, 1), MEANING_INDEX["error_ratio"]),
            step_s=torch.full((points,), 5.0),
        )

    def actions(self, points: int) -> ActionSlots:
        """Return the courses, the same in every point."""
        slots = no_actions(points, 1, self.entities, self.courses)
        slots.there[:, 1:, 0] = True
        for entity in range(self.entities):
            slots.type[:, 1 + entity] = SCALE
            slots.target[:, 1 + entity, 0, entity] = True
            slots.features[:, 1 + entity, 0, ACTION_FEATURES.index("log_change")] = float(np.log(2.0))
            slots.affects[:, 1 + entity, 0, entity, RESOURCES.index("capacity")] = 1.0
        slots.type[:, -2], slots.type[:, -1] = RESTART, SHED
        slots.target[:, -2:, 0, 0] = True
        slots.features[:, -1, 0, ACTION_FEATURES.index("fraction")] = 0.3
        slots.affects[:, -1, 0, 0, RESOURCES.index("demand")] = -1.0
        return slots


def no_actions(points: int, slots: int, entities: int, courses: int = 1) -> ActionSlots:
    """Return empty action slots."""
    shape = (points, courses, slots)
    return ActionSlots(
        there=torch.zeros(shape, dtype=torch.bool),
        type=torch.zeros(shape, dtype=torch.long),
        target=torch.zeros(*shape, entities, dtype=torch.bool),
        features=torch.zeros(*shape, NUM_ACTION_FEATURES),
        affects=torch.zeros(*shape, entities, NUM_RESOURCES),
        tick=torch.zeros(shape),
        finished=torch.zeros(shape, dtype=torch.bool),
        automatic=torch.zeros(shape, dtype=torch.bool),
    )
