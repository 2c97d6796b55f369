"""What the tests of the per-request engine share: runs of scenarios, readings by name."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.events.world import Observed, World
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.signals import SIGNALS


def started(blueprint: Blueprint, seed: int = 0, settle_s: int = 0) -> World:
    """Return a world with its blueprint's faults, after some time."""
    world = World(blueprint, seed)
    world.break_down(blueprint.breakages)
    if settle_s:
        world.run(settle_s // blueprint.step_s, record=False)
    return world


def reading(seen: Observed, blueprint: Blueprint, part: str, signal: str) -> NDArray[np.float32]:
    """Return one signal of one part per tick."""
    return seen.signals[:, blueprint.index(part), SIGNALS.index(signal)]


def bad_share(seen: Observed) -> float:
    """Return the bad share of all first attempts."""
    return float(seen.bad.sum() / seen.offered.sum())


def effect(blueprint: Blueprint, requests: Sequence[Request], settle_s: int, ticks: int, seed: int = 0) -> float:
    """Return what actions change in the bad share, against waiting in the same future."""
    world = started(blueprint, seed, settle_s)
    other = world.branch(0)
    for request in requests:
        other.request(replace(request, requested_s=request.requested_s + settle_s))
    return bad_share(other.run(ticks, record=False)) - bad_share(world.run(ticks, record=False))
