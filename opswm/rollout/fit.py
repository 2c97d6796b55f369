"""Fits the calibration of a world model on decision points whose true effects are known."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from opswm.model.world_model import Belief, WorldModel
from opswm.rollout.calibration import Calibration, fit_growth, scores, sized
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
    groups: dict[int, list[str]] = {ticks: [] for ticks in horizons}
    found: dict[int, list[np.ndarray]] = {ticks: [] for ticks in horizons}
    for batch in batches:
        situation = batch.situation
        structure = situation.structure
        futures = imagine_futures(model, situation, batch.courses, seed, bands=False)
        asked = batch.arm & (torch.arange(batch.arm.shape[1]) > 0)
        rows = asked.numpy()
        named = courses_groups(batch.courses)
        step_s = structure.step_s.double().numpy()
        weight = (structure.objective_weight * structure.objective_there).double().numpy()
        for ticks in horizons:
            cost = slo_cost(futures.bad[:, :, :, :ticks].double().numpy(), weight, step_s)
            true_cost = slo_cost(batch.bad[:, :, :ticks].double().numpy(), weight, step_s)
            truth = true_cost - true_cost[:, :1]
            ends = stated_interval(cost - cost[:, :1], level)
            floor = noise_floor(ticks, step_s)
            width = np.broadcast_to(smallest_width(floor)[:, None], truth.shape)
            found[ticks].append(scores(*ends, truth, width)[rows])
            for point, kinds in enumerate(named):
                told = sized(kinds, ends[1][point], float(floor[point]))
                groups[ticks] += [group for group, wanted in zip(told, rows[point], strict=True) if wanted]
    return fit_growth({ticks: (groups[ticks], np.concatenate(found[ticks])) for ticks in horizons}, source, level)
