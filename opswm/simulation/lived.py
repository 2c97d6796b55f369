"""Worlds up to their decision, as whoever records them needs them: whichever engine they were lived in."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.incidents import Incident
from opswm.simulation.kernel.past import Done


@dataclass(frozen=True)
class Witnessed:
    """What happened and what was seen of it; field by field as in ``kernel.episodes.Lived``, without its state.

    Attributes:
        world_seeds: One per world.
        blueprints: Systems, with their faults.
        incidents: What went wrong.
        decision_s: Second of the decision.
        value, seen: What monitoring stored, canonical units, signals in the order of ``kernel.signals.SIGNALS``.
        exact: The signals themselves.
        done: Past actions of people and autoscalers.
        bad_share: Bad share of first attempts per tick and objective.
    """

    world_seeds: tuple[int, ...]
    blueprints: tuple[Blueprint, ...]
    incidents: tuple[Incident, ...]
    decision_s: int
    value: Float[Tensor, "W T N C"]
    seen: Bool[Tensor, "W T N C"]
    exact: Float[Tensor, "W T N C"]
    done: tuple[tuple[Done, ...], ...]
    bad_share: Float[Tensor, "W T O"]
