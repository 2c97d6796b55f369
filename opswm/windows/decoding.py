"""Predicted features back in canonical units, as bands per channel."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.canonical import from_feature
from opswm.errors import BadInputError
from opswm.windows.layout import layout_of
from opswm_schemas.answers import ChannelBand
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

_SHARES: Final = (
    "error_ratio",
    "memory_ratio",
    "pool_utilization",
    "cache_hit_ratio",
    "disk_utilization",
    "network_loss_ratio",
    "breaker_open_ratio",
    "alert_active",
)
_UPPER: Final = np.array([1.0 if meaning.name in _SHARES else np.inf for meaning in MEANINGS])
_LOWER: Final = np.array([-np.inf if meaning.name == "other" else 0.0 for meaning in MEANINGS])


def to_canonical(features: NDArray[np.float64], meaning: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return features in canonical units, held within what the meaning can be (no rate is below 0, no share above 1).

    Args:
        features: Any shape.
        meaning: Vocabulary index of each, broadcastable to ``features``.
    """
    return np.clip(from_feature(features, meaning), _LOWER[meaning], _UPPER[meaning])


def channel_bands(
    descriptor: SystemDescriptor,
    quantiles: Sequence[float],
    features: NDArray[np.float64],
    entities: Sequence[str] | None = None,
) -> list[ChannelBand]:
    """Return the quantile band of each channel of one course.

    Args:
        descriptor: The system.
        quantiles: Levels, increasing.
        features: Predicted features ``[H, N, C, Q]``, not decreasing along ``Q``.
        entities: Only channels of these; all where left out.

    Raises:
        BadInputError: When an entity is unknown.
    """
    layout = layout_of(descriptor)
    for identifier in entities or ():
        if identifier not in layout.entity:
            raise BadInputError(
                f"entity {identifier!r} is not part of system {descriptor.system_id!r}; use one of its entity ids"
            )
    wanted = None if entities is None else set(entities)
    per_channel = np.moveaxis(features, (1, 2), (-2, -1))  # [H, Q, N, C]
    values = to_canonical(layout.gather(per_channel), layout.channel_meaning)  # [H, Q, num_channels]
    return [
        ChannelBand(
            channel_id=channel.channel_id,
            entity_id=channel.entity_id,
            meaning=channel.meaning,
            unit=MEANINGS[MEANING_INDEX[channel.meaning]].unit,
            quantiles=list(quantiles),
            values=values[:, :, position].tolist(),
        )
        for position, channel in enumerate(descriptor.channels)
        if wanted is None or channel.entity_id in wanted
    ]
