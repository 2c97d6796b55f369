"""Tells a trained model what it has learned from, so that it can say how near a question is to that."""

from collections.abc import Iterable

import torch

from opswm.model.forcings import effective
from opswm.model.graph_world_model import GraphWorldModel
from opswm.tensors import Batch
from opswm_schemas.vocabulary import ACTION_TYPES


def fit_support(model: GraphWorldModel, batches: Iterable[Batch]) -> None:
    """Remember the spread of the training beliefs, and how often each action type was tried with an outcome.

    Args:
        model: Trained; changed in place.
        batches: What it was trained on.
    """
    summaries, tried = [], torch.zeros(len(ACTION_TYPES))
    for batch in batches:
        with torch.no_grad():
            summaries.append(model.observe(batch.situation).summary)
        there = effective(batch.courses, float(model.horizon_ticks)) & batch.arm[..., None]
        tried += torch.bincount(batch.courses.type[there], minlength=len(ACTION_TYPES))
    model.familiarity.fit(torch.cat(summaries), tried)
