"""What a person at the telephone knows and no channel shows: how much longer the trouble will last.

A supplier says when it will be repaired, a colleague when the batch job ends. In the kernel that is the end of a
fault, a parameter that no signal depends on before it is reached, so nothing in the telemetry can stand in for it;
and it decides what waiting costs.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.faults import FAULT_INDEX

_HARMLESS: Final = tuple(FAULT_INDEX[name] for name in ("none", "harmless_deploy"))


def staying(lived: Lived, horizon_ticks: int) -> Float[Tensor, " W"]:
    """Return the share of the horizon for which the longest fault that is under way will last, 0 where none is.

    Args:
        lived: Worlds at their decision.
        horizon_ticks: How far a decision looks ahead.
    """
    faults, horizon_s = lived.parameters.faults, float(horizon_ticks * lived.parameters.step_s)
    real = faults.there.bool() & (faults.onset_s <= lived.decision_s) & (lived.state.fault_left > 0)
    for kind in _HARMLESS:
        real = real & (faults.kind != kind)
    left_s = (faults.onset_s + faults.duration_s - lived.decision_s).clamp(0.0, horizon_s)
    return (torch.where(real, left_s, torch.zeros_like(left_s)) / horizon_s).amax(1)
