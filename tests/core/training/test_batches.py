"""Selecting and thinning batches."""

import torch

from opswm.training.batches import take, thin
from tests.core.model.queue_world import QueueWorld


def test_take_keeps_rows_together() -> None:
    """Every part of a decision point moves with it."""
    batch, rows = QueueWorld(entities=3).batch(6, seed=1), torch.tensor([4, 1])
    found = take(batch, rows)
    assert torch.equal(found.effect, batch.effect[rows])
    assert torch.equal(found.situation.history.value, batch.situation.history.value[rows])
    assert torch.equal(found.courses.target, batch.courses.target[rows])


def test_thin_hides_whole_channels_and_early_history() -> None:
    """Hidden channels are gone from structure and history alike; a cut history has 12 to 64 ticks left."""
    batch = QueueWorld(entities=4).batch(200, seed=3)
    found = thin(batch, 0.3, 0.5, torch.Generator().manual_seed(0))
    channel, seen = found.situation.structure.channel, found.situation.history.seen
    assert 0.65 < float(channel.float().mean()) < 0.75
    assert not (seen & ~channel[:, None]).any()
    assert not found.situation.history.value[~seen].any()
    first = 128 - seen.flatten(2).any(-1).int().argmax(1)
    cut = first < 120
    assert 70 < int(cut.sum()) < 130
    assert bool(((first[cut] <= 64) & (first[cut] >= 10)).all())


def test_thin_without_shares_changes_nothing() -> None:
    """With nothing to hide the batch is as it was."""
    batch = QueueWorld(entities=4).batch(5, seed=3)
    found = thin(batch, 0.0, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(found.situation.history.value, batch.situation.history.value)
    assert torch.equal(found.situation.structure.channel, batch.situation.structure.channel)
