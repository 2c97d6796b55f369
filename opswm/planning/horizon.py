"""How long is looked ahead, on the SLO cost scale."""

import numpy as np
from numpy.typing import NDArray

from opswm.rollout.cost import noise_floor
from opswm.tensors import Situation


def floors(situation: Situation, horizon_ticks: int) -> NDArray[np.float64]:
    """Return the noise floor of each decision point ``[B]``, bad minutes.

    Args:
        situation: ``B`` decision points.
        horizon_ticks: How far ahead is looked.
    """
    return noise_floor(horizon_ticks, situation.structure.step_s.double().numpy())


def whole_horizon(situation: Situation, horizon_ticks: int) -> NDArray[np.float64]:
    """Return the horizon of each decision point in minutes ``[B]``: turns mean bad shares into bad minutes.

    Args:
        situation: ``B`` decision points.
        horizon_ticks: How far ahead is looked.
    """
    return horizon_ticks * np.asarray(situation.structure.step_s.double().numpy(), dtype=np.float64) / 60.0
