"""Worlds at their decision, with what every candidate does, shared by the tests of operators."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.operators.logged import REALISED_FUTURE, LoggedPoints, decide
from opswm.simulation.operators.policies import Policy

PLAN = EpisodePlan(system="random", context_ticks=24)
SEEDS = tuple(range(2000, 2056))
CANDIDATES = 10
HORIZON = 16


@dataclass(frozen=True)
class Known:
    """Decisions of which everything is known.

    Attributes:
        points: Taken with gamma 1.
        cost: What each candidate would have cost in the future that was lived ``[W, S]``.
    """

    points: LoggedPoints
    cost: Tensor


@pytest.fixture(scope="session")
def lived() -> Lived:
    """Random worlds at their decision."""
    return live(PLAN, SEEDS)


@pytest.fixture(scope="session")
def known(lived: Lived) -> Known:
    """Their decisions, and what the other candidates would have done in the very same future."""
    points = decide(lived, Policy(1.0), CANDIDATES, HORIZON, [REALISED_FUTURE])
    assert points.branches is not None
    return Known(points, torch.as_tensor(points.branches.cost[:, :, 0]).double())
