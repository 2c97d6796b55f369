"""Which kinds of faults may befall a system, and the draw of one of them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from opswm.simulation.kernel import fault_draws, wider_faults
from opswm.simulation.kernel.blueprint import Blueprint, Breakage
from opswm.simulation.kernel.fault_draws import Draw
from opswm.simulation.kernel.sizing import Usual

MOST_DRAWS: Final = 1000
_DRAWS: Final[Mapping[str, tuple[Draw, float]]] = {**fault_draws.DRAWS, **wider_faults.DRAWS}
CLASSIC: Final = tuple(fault_draws.DRAWS)
"""The kinds of the demo system; its seeds mean what they mean for these and no others."""
EVERY: Final = tuple(_DRAWS)
"""All kinds that are drawn."""


def draw_fault(blueprint: Blueprint, known: Usual, onset_s: float, rng: np.random.Generator) -> Breakage:
    """Return one fault of a kind that the system can have.

    Args:
        blueprint: The system; its ``hazards`` say which kinds, where it names any.
        known: Its usual load.
        onset_s: When the fault sets in.
        rng: For everything that is left to chance.

    Raises:
        ValueError: When a hazard is no kind of fault that is drawn, or none of them can befall this system.
    """
    kinds = blueprint.hazards or EVERY
    unknown = [kind for kind in kinds if kind not in _DRAWS]
    if unknown:
        raise ValueError(
            f"{blueprint.name!r}: faults of kind {', '.join(unknown)} are not drawn; use {', '.join(EVERY)}"
        )
    weights = [_DRAWS[kind][1] for kind in kinds]
    shares = np.array(weights) / sum(weights)
    for _ in range(MOST_DRAWS):
        kind = str(rng.choice(list(kinds), p=shares))
        drawn = _DRAWS[kind][0](blueprint, known, rng)
        if drawn is not None:
            return replace(drawn, onset_s=float(math.floor(onset_s)))
    raise ValueError(f"{blueprint.name!r}: none of its hazards ({', '.join(kinds)}) can befall it; name others")
