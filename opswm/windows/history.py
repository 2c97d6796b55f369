"""What was measured, as features on a fixed number of context ticks."""

import numpy as np
import torch
from numpy.typing import NDArray

from opswm.action_features import current_state
from opswm.canonical import to_feature
from opswm.tensors import History
from opswm.windows.layout import Layout


def encode_history(layout: Layout, value: NDArray[np.float64], seen: NDArray[np.bool_], context_ticks: int) -> History:
    """Return the history tensors of one system (``B`` = 1).

    Args:
        layout: Of the descriptor whose channels the columns are.
        value: Canonical values ``[T, num_channels]``, oldest tick first; anything where unseen.
        seen: Which readings are there.
        context_ticks: Ticks wanted: older ones are cut, missing ones are padded as unseen.
    """
    kept = min(context_ticks, value.shape[0])
    recent, there = value[value.shape[0] - kept :], seen[seen.shape[0] - kept :]
    feature = to_feature(np.where(there, recent, 0.0), layout.channel_meaning)
    values = np.zeros((context_ticks, layout.channel_entity.size))
    mask = np.zeros(values.shape, dtype=np.bool_)
    values[context_ticks - kept :] = np.where(there, feature, 0.0)
    mask[context_ticks - kept :] = there
    return History(
        value=torch.from_numpy(layout.spread(values)).to(torch.float32)[None],
        seen=torch.from_numpy(layout.spread(mask))[None],
    )


def state_at(
    layout: Layout, value: NDArray[np.float64], seen: NDArray[np.bool_], targets: tuple[int, ...]
) -> dict[str, float]:
    """Return the latest readings of the first target of an action, by meaning, in canonical units.

    Args:
        layout: Of the descriptor whose channels the columns are.
        value: Canonical values ``[T, num_channels]`` up to the moment meant.
        seen: Which readings are there.
        targets: Entity indices; parameters are relative to the first, as one action has one set of them.
    """
    columns = layout.channels_at(targets[0]) if targets else np.zeros(0, dtype=np.int64)
    return current_state(value[:, columns], seen[:, columns], layout.channel_meaning[columns])
