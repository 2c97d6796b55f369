"""How good a model's choices and effects are on decision points whose truth is known."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from opswm.model.world_model import Belief, WorldModel
from opswm.tensors import Batch


@dataclass(frozen=True)
class Score:
    """Figures over a set of decision points; effects count as mean bad share over the horizon, without ``c(a)``.

    Attributes:
        regret: Normalised regret of the course with the lowest predicted effect: 0 is perfect, 1 is as good as waiting.
        regret_random: Of a uniformly random course.
        sign_agreement: Among true effects beyond 2 % and twice their standard error.
        effect_error: Mean absolute error of the effect.
        num_points: Decision points.
    """

    regret: float
    regret_random: float
    sign_agreement: float
    effect_error: float
    num_points: int


_CLEAR = 0.02


def validate(model: WorldModel[Belief], batches: Iterable[Batch], seed: int = 0) -> Score:
    """Return how well a model chooses among the candidates of known decision points.

    Args:
        model: Any world model.
        batches: With true effects of all arms.
        seed: Of the model's noise.
    """
    lost, random_lost, gain, signs, errors, points = 0.0, 0.0, 0.0, [], [], 0
    for batch in batches:
        with torch.inference_mode():
            belief = model.observe(batch.situation)
            futures = model.imagine(belief, batch.courses, torch.Generator().manual_seed(seed), bands=False)
        predicted = futures.effect.double().mean(-1).numpy()
        truth, arm, error = batch.effect.double().numpy(), batch.arm.numpy(), batch.effect_error.double().numpy()
        best = np.where(arm, truth, np.inf).min(axis=1)
        chosen = np.where(arm, predicted, np.inf).argmin(axis=1)
        lost += float((truth[np.arange(len(truth)), chosen] - best).sum())
        random_lost += float(((truth * arm).sum(axis=1) / arm.sum(axis=1) - best).sum())
        gain += float((truth[:, 0] - best).sum())
        clear = arm & (np.abs(truth) > _CLEAR + 2.0 * error)
        signs.append((np.sign(predicted) == np.sign(truth))[clear])
        errors.append(np.abs(predicted - truth)[arm])
        points += len(truth)
    agreed = np.concatenate(signs) if signs else np.zeros(0)
    return Score(
        regret=lost / gain if gain > 0 else float("nan"),
        regret_random=random_lost / gain if gain > 0 else float("nan"),
        sign_agreement=float(agreed.mean()) if agreed.size else float("nan"),
        effect_error=float(np.concatenate(errors).mean()) if errors else float("nan"),
        num_points=points,
    )
