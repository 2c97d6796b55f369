"""Where each entity and channel of a descriptor sits in the tensors.

Slots have no sense of their own: a model reads ``meaning``, never the position, so any layout would do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.vocabulary import MEANING_INDEX


@dataclass(frozen=True)
class Layout:
    """Positions of a descriptor's parts in tensors of one system.

    Attributes:
        entity: Index of each entity id along ``N``.
        channel_entity: Entity index of each descriptor channel.
        channel_slot: Slot of each descriptor channel along ``C`` at its entity.
        channel_meaning: Vocabulary index of each descriptor channel's meaning.
        num_entities, num_slots: Sizes of ``N`` and ``C``; at least one slot, so that no axis is empty.
    """

    entity: dict[str, int]
    channel_entity: NDArray[np.int64]
    channel_slot: NDArray[np.int64]
    channel_meaning: NDArray[np.int64]
    num_entities: int
    num_slots: int

    def channels_at(self, entity: int) -> NDArray[np.int64]:
        """Return the positions of an entity's channels among the descriptor's channels."""
        return np.flatnonzero(self.channel_entity == entity)

    def spread(self, per_channel: NDArray[np.generic]) -> NDArray[np.generic]:
        """Move ``[..., num_channels]`` to ``[..., N, C]``; slots without a channel are zero.

        Args:
            per_channel: Values in the order of the descriptor's channels.
        """
        spread = np.zeros((*per_channel.shape[:-1], self.num_entities, self.num_slots), dtype=per_channel.dtype)
        spread[..., self.channel_entity, self.channel_slot] = per_channel
        return spread

    def gather(self, per_slot: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo :meth:`spread`: ``[..., N, C]`` to ``[..., num_channels]``.

        Args:
            per_slot: Values per entity and slot.
        """
        return per_slot[..., self.channel_entity, self.channel_slot]


def layout_of(descriptor: SystemDescriptor) -> Layout:
    """Return the layout of a descriptor's entities and channels.

    Args:
        descriptor: Any valid descriptor; one without channels has one empty slot per entity.
    """
    entity = descriptor.entity_index()
    taken = [0] * len(entity)
    slots: list[int] = []
    for channel in descriptor.channels:
        index = entity[channel.entity_id]
        slots.append(taken[index])
        taken[index] += 1
    return Layout(
        entity=entity,
        channel_entity=_integers([entity[channel.entity_id] for channel in descriptor.channels]),
        channel_slot=_integers(slots),
        channel_meaning=_integers([MEANING_INDEX[channel.meaning] for channel in descriptor.channels]),
        num_entities=len(entity),
        num_slots=max(1, *taken) if taken else 1,
    )


def _integers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
