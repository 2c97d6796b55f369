"""Every world model keeps the promises of the seam."""

from typing import Any

import pytest
import torch

from opswm.errors import BadInputError
from opswm.model.baselines import Persistence, SeasonalNaive
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.model.world_model import WorldModel
from opswm.tensors import Batch
from tests.core.model.conformance import WorldModelConformance
from tests.core.model.queue_world import QueueWorld
from tests.core.model.situations import random_actions, random_situation

SMALL = GraphWorldModelConfig(width=20, message_width=10, hidden=28, rounds=2, samples=16, members=2)


def trained_looking(config: GraphWorldModelConfig = SMALL) -> GraphWorldModel:
    """Return a model whose weights are random everywhere, zero-initialised ones included."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = GraphWorldModel(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.25)
    return model.eval()


class TestGraphWorldModel(WorldModelConformance):
    """The graph world model."""

    def make(self) -> WorldModel[Any]:
        """Return a model that acts as if it were trained."""
        return trained_looking()


class TestPersistence(WorldModelConformance):
    """The persistence forecast."""

    def make(self) -> WorldModel[Any]:
        """Return the baseline."""
        return Persistence()

    def test_goes_on_as_seen(self) -> None:
        """The middle of each band is the last reading, at every tick."""
        situation = random_situation(1)
        futures = self.imagine()
        seen = situation.history.seen[0, :, 2, 1]
        last = situation.history.value[0, seen, 2, 1][-1]
        assert bool((futures.channel[0, :, :, 2, 1, 3] == last).all())


class TestSeasonalNaive(WorldModelConformance):
    """The seasonal naive forecast."""

    def make(self) -> WorldModel[Any]:
        """Return the baseline with a season shorter than the horizon."""
        return SeasonalNaive(season_ticks=20)

    def test_repeats_the_season(self) -> None:
        """A square wave whose period is the season is forecast without error."""
        situation = random_situation(1)
        wave = (torch.arange(128 + 32) % 20 < 7).float()
        situation.history.value[:] = wave[None, :128, None, None]
        situation.history.seen[:] = True
        model = self.make()
        futures = model.imagine(model.observe(situation), random_actions(2), torch.Generator())
        assert torch.equal(futures.channel[0, 3, :, 1, 2, 3], wave[128:])

    def test_refuses_a_season_longer_than_the_context(self) -> None:
        """A season that does not fit the context is refused with both numbers."""
        with pytest.raises(BadInputError, match=r"200.*128"):
            SeasonalNaive(season_ticks=200)


@pytest.mark.parametrize("model", [trained_looking(), Persistence(), SeasonalNaive()])
def test_loss_has_a_finite_total(model: WorldModel[Any]) -> None:
    """Every world model can be scored on branched data."""
    terms = model.loss(QueueWorld(entities=3).batch(5, seed=1))
    assert bool(torch.isfinite(terms["total"]))
    assert set(terms) > {"total"}


def test_masked_arms_do_not_count() -> None:
    """What is written where an arm has no outcome leaves the loss as it is."""
    batch, model = QueueWorld(entities=3).batch(5, seed=2), trained_looking()
    batch.arm[:, 3] = False
    before = float(model.loss(batch)["total"].detach())
    nonsense = Batch(**{**vars(batch), "bad": batch.bad.clone(), "effect": batch.effect.clone()})
    nonsense.bad[:, 3], nonsense.effect[:, 3] = 0.77, -0.5
    assert float(model.loss(nonsense)["total"].detach()) == pytest.approx(before, abs=1e-6)
