"""Selecting and thinning training batches."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from opswm.tensors import Batch, History, Situation


def take(batch: Batch, rows: Int[Tensor, " R"]) -> Batch:
    """Return the decision points named by an index tensor."""
    return Batch(
        situation=batch.situation.take(rows),
        courses=batch.courses.take(rows),  # type: ignore[arg-type]
        arm=batch.arm[rows],
        bad=batch.bad[rows],
        effect=batch.effect[rows],
        effect_error=batch.effect_error[rows],
        channel=batch.channel[rows],
        channel_seen=batch.channel_seen[rows],
    )


def thin(batch: Batch, channel_share: float, cut_share: float, generator: torch.Generator) -> Batch:
    """Return a batch with some channels and some early history hidden, so that a model learns to do without them.

    Args:
        batch: Decision points.
        channel_share: Share of channel slots that are hidden altogether.
        cut_share: Share of decision points of which only the latest 12 to 64 ticks are left.
        generator: Of the choice.
    """
    history = batch.situation.history
    points, ticks, entities, slots = history.seen.shape
    kept = torch.rand(points, 1, entities, slots, generator=generator) >= channel_share
    length = torch.randint(12, 65, (points,), generator=generator)
    length = torch.where(torch.rand(points, generator=generator) < cut_share, length, torch.full_like(length, ticks))
    recent = torch.arange(ticks)[None] >= ticks - length[:, None]
    seen = history.seen & kept & recent[:, :, None, None]
    structure = replace(batch.situation.structure, channel=batch.situation.structure.channel & kept[:, 0])
    hidden = History(value=torch.where(seen, history.value, torch.zeros_like(history.value)), seen=seen)
    there = batch.situation.past.there & (batch.situation.past.tick >= -length[:, None, None])
    past = replace(batch.situation.past, there=there)
    return replace(batch, situation=Situation(structure, hidden, past))
