"""Fits the calibration of a world model on decision points whose true effects are known."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from opswm.model.world_model import Belief, WorldModel
from opswm.rollout.calibration import Calibration, fit_growth, scores
from opswm.rollout.cost import noise_floor, slo_cost
from opswm.rollout.imagine import courses_groups, imagine_futures, smallest_width, stated_interval
from opswm.tensors import Batch


def fit_calibration(
    model: WorldModel[Belief],
    batches: Iterable[Batch],
    horizons: Sequence[int],
    seed: int,
    source: str,
    level: float = 0.9,
) -> Calibration:
    """Return the calibration of a model's effect intervals.

    Args:
        model: Any world model.
        batches: Decision points of worlds that neither training nor any test has seen.
        horizons: Horizons in ticks to fit, none longer than the model's.
        seed: Of the noise.
        source: What the batches are, in words; kept with the calibration.
        level: Coverage aimed at.
    """
    groups: list[str] = []
    found: dict[int, list[np.ndarray]] = {ticks: [] for ticks in horizons}
    for batch in batches:
        situation = batch.situation
        structure = situation.structure
        futures = imagine_futures(model, situation, batch.courses, seed, bands=False)
        asked = batch.arm & (torch.arange(batch.arm.shape[1]) > 0)
        rows = asked.numpy()
        named = courses_groups(batch.courses)
        groups += [named[b][s] for b, s in zip(*np.nonzero(rows), strict=True)]
        step_s = structure.step_s.double().numpy()
        weight = (structure.objective_weight * structure.objective_there).double().numpy()
        for ticks in horizons:
            cost = slo_cost(futures.bad[:, :, :, :ticks].double().numpy(), weight, step_s)
            true_cost = slo_cost(batch.bad[:, :, :ticks].double().numpy(), weight, step_s)
            truth = true_cost - true_cost[:, :1]
            ends = stated_interval(cost - cost[:, :1], level)
            floor = np.broadcast_to(smallest_width(noise_floor(ticks, step_s))[:, None], truth.shape)
            found[ticks].append(scores(*ends, truth, floor)[rows])
    return fit_growth({ticks: (groups, np.concatenate(found[ticks])) for ticks in horizons}, source, level)
