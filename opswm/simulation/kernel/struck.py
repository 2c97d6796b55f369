"""The faults of a batch side by side: most of the room that it has for faults is empty, and nothing is done for it."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import faults
from opswm.simulation.kernel.parameters import Faults, WorldParameters


@dataclass(frozen=True)
class Struck:
    """Faults that are there, as those of one world that holds all entities of the batch; the same throughout a run.

    Attributes:
        slot: Where each is in the room ``[W, F]`` for faults, flattened.
        faults: The faults, targets and origins counted over the entities of all worlds.
        held_down: Those among them that take replicas away while they last, by position.
        onsets_s: Seconds in which one of them sets in.
    """

    slot: Int[Tensor, " J"]
    faults: Faults
    held_down: Int[Tensor, " L"]
    onsets_s: frozenset[int]

    def of_faults(self, room: Float[Tensor, "W F"]) -> Float[Tensor, "1 J"]:
        """Return what the faults that are there hold."""
        return room.reshape(-1).index_select(0, self.slot)[None]

    def in_room(self, each: Float[Tensor, "1 J"], like: Float[Tensor, "W F"]) -> Float[Tensor, "W F"]:
        """Return what faults hold in the room of their worlds, 0 where it is empty."""
        return like.new_zeros(like.numel()).index_copy_(0, self.slot, each[0]).view(like.shape)


def struck(parameters: WorldParameters) -> Struck:
    """Return the faults of a batch side by side.

    Args:
        parameters: The worlds.
    """
    room, (worlds, count) = parameters.faults, parameters.entities.kind.shape
    slot = (room.there.reshape(-1) > 0).nonzero()[:, 0]
    first = torch.arange(worlds, device=slot.device)[:, None] * count
    whole = {field.name: getattr(room, field.name) for field in fields(Faults)}
    whole |= {"target": room.target + first, "origin": room.origin + first}
    found = Faults(**{name: field.reshape(-1)[slot][None] for name, field in whole.items()})
    onsets_s = frozenset(int(second) for second in found.onset_s[0].floor().tolist() if abs(second) < 2**31)
    return Struck(slot, found, faults.hold_down(found)[0].nonzero()[:, 0], onsets_s)
