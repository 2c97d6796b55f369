"""A system after the people who run it gave more to the parts that could not do their usual work."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.abilities import abilities_of
from opswm.simulation.kernel.blueprint import Blueprint, Part
from opswm.simulation.kernel.picking import altered
from opswm.simulation.kernel.signals import SIGNALS

FACTOR: Final = 1.6
BUSY: Final = 0.7
REFUSED: Final = 0.003


def strengthened(blueprint: Blueprint, usual: Float[Tensor, "N C"], rng: np.random.Generator) -> Blueprint:
    """Return the system with more replicas, cores and connections where parts were busy or turned requests away.

    Args:
        blueprint: The system.
        usual: Mean signals of each part in what should have been good health.
        rng: For what actions cost afterwards.
    """
    column = {name: index for index, name in enumerate(SIGNALS)}
    parts: list[Part] = []
    for at, part in enumerate(blueprint.parts):
        cpu, rate, refused = (
            float(usual[at, column[name]]) for name in ("cpu_utilization", "request_rate", "shed_rate")
        )
        short = cpu > BUSY or refused > REFUSED * rate
        parts.append(_more(part) if short else part)
    abilities = abilities_of(parts, blueprint.links, blueprint.inlets, rng)
    return replace(blueprint, parts=tuple(parts), abilities=abilities)


def _more(part: Part) -> Part:
    def up(value: float) -> float:
        return float(math.ceil(value * FACTOR))

    if part.kind == "host":
        return altered(part, host_cores=up(part.host_cores))
    if part.kind in ("database", "cache", "external", "queue"):
        pool, knee = up(part.pool_size) if part.pool_size else 0.0, round(part.contention_knee * FACTOR, 1)
        return altered(part, cores=up(part.cores), slots=up(part.slots), pool_size=pool, contention_knee=knee)
    most = up(part.replicas_max)
    low, high = up(part.scaler_min), up(part.scaler_max)
    return altered(part, replicas=up(part.replicas), replicas_max=most, scaler_min=low, scaler_max=high)
