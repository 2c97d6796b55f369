"""Worlds up to their decision, lived once for all tests of what they leave behind."""

import pytest

from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.scene import Scene, scene_of


@pytest.fixture(scope="session")
def odd_worlds() -> Lived:
    """Two random systems, whose telemetry has odd units and counters."""
    return live(EpisodePlan(system="random", context_ticks=30), (5, 21))


@pytest.fixture(scope="session")
def shops() -> Lived:
    """The web shop in three incidents, all of which are felt."""
    return live(EpisodePlan(system="web_shop", context_ticks=40, calm_share=0.0), (2, 3, 4))


@pytest.fixture(scope="session")
def scenes(odd_worlds: Lived, shops: Lived) -> list[Scene]:
    """All of them as their telemetry sees them."""
    return [scene_of(lived, row) for lived in (shops, odd_worlds) for row in range(len(lived.world_seeds))]


@pytest.fixture(scope="session")
def shop(scenes: list[Scene]) -> Scene:
    """The first web shop."""
    return scenes[0]
