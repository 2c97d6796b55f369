"""What every world model promises; a model's test class inherits these tests."""

from typing import Any

import torch

from opswm.model.world_model import WorldModel
from opswm.tensors import Futures
from opswm_schemas.vocabulary import MEANING_INDEX
from tests.core.model.situations import COURSES, ENTITIES, OBJECTIVES, POINTS, SLOTS, random_actions, random_situation


class WorldModelConformance:
    """Inherit, and return a model from :meth:`make`."""

    def make(self) -> WorldModel[Any]:
        """Return a fresh model."""
        raise NotImplementedError("a conformance class says which model it tests")

    def imagine(self, seed: int = 3, bands: bool = True) -> Futures:
        """Return futures of random courses in a random situation."""
        model = self.make()
        with torch.inference_mode():
            belief = model.observe(random_situation(1))
            return model.imagine(belief, random_actions(2), torch.Generator().manual_seed(seed), bands)

    def test_sizes(self) -> None:
        """Futures have one entry per point, course, tick, entity, slot and objective asked about."""
        model, futures = self.make(), self.imagine()
        assert futures.channel.shape[:-1] == (POINTS, COURSES, model.horizon_ticks, ENTITIES, SLOTS)
        assert futures.bad.shape[:2] == (POINTS, COURSES)
        assert futures.bad.shape[3:] == (model.horizon_ticks, OBJECTIVES)
        assert futures.effect.shape == (POINTS, COURSES, futures.bad.shape[2])
        assert futures.support.shape == (POINTS, COURSES)

    def test_bounds(self) -> None:
        """Bad shares lie in [0, 1], bands do not cross, support lies in [0, 1], and everything is finite."""
        futures = self.imagine()
        assert bool(((futures.bad >= 0.0) & (futures.bad <= 1.0)).all())
        assert bool((futures.channel.diff(dim=-1) >= 0.0).all())
        assert bool((futures.quantiles.diff() > 0.0).all())
        assert bool(((futures.support >= 0.0) & (futures.support <= 1.0)).all())
        assert all(bool(torch.isfinite(part).all()) for part in (futures.bad, futures.channel, futures.effect))

    def test_waiting_changes_nothing(self) -> None:
        """The effect of the no-op course is exactly zero in every sample."""
        assert bool((self.imagine().effect[:, 0] == 0.0).all())

    def test_effect_is_the_paired_difference(self) -> None:
        """Each sampled effect is the difference of its future's mean weighted bad share to that of its twin."""
        futures = self.imagine()
        weight = random_situation(1).structure.objective_weight
        cost = torch.einsum("bskho,bo->bsk", futures.bad, weight) / futures.bad.shape[3]
        torch.testing.assert_close(futures.effect, cost - cost[:, :1], atol=1e-6, rtol=0.0)

    def test_same_seed_same_futures(self) -> None:
        """The same generator seed gives the same futures, bit for bit."""
        first, second = self.imagine(seed=11), self.imagine(seed=11)
        assert torch.equal(first.bad, second.bad)
        assert torch.equal(first.effect, second.effect)
        assert torch.equal(first.channel, second.channel)

    def test_bands_can_be_left_out(self) -> None:
        """Without bands the channel tensor has no entities and everything else is the same."""
        full, lean = self.imagine(), self.imagine(bands=False)
        assert lean.channel.shape[3] == 0
        assert torch.equal(full.effect, lean.effect)

    def test_survives_seeing_nothing(self) -> None:
        """A system whose channels were never read, without relations or past actions, still has finite futures."""
        situation, model = random_situation(4), self.make()
        situation.history.seen.zero_()
        situation.history.value.fill_(float("nan"))
        situation.structure.relation_there.zero_()
        situation.past.there.zero_()
        with torch.inference_mode():
            futures = model.imagine(model.observe(situation), random_actions(5), torch.Generator().manual_seed(0))
        assert bool(torch.isfinite(futures.bad).all())
        assert bool(torch.isfinite(futures.channel).all())

    def test_survives_having_no_objective(self) -> None:
        """Without an objective no course has any effect."""
        situation, model = random_situation(6), self.make()
        situation.structure.objective_there.zero_()
        situation.structure.objective_weight.zero_()
        with torch.inference_mode():
            futures = model.imagine(model.observe(situation), random_actions(7), torch.Generator().manual_seed(0))
        assert bool((futures.effect == 0.0).all())

    def test_short_and_long_histories(self) -> None:
        """A history longer than the context is cut at its old end; one of a few ticks is as if padded as unseen."""
        model = self.make()
        long, generator = random_situation(8, ticks=model.context_ticks + 9), torch.Generator()
        cut = long.take(torch.arange(POINTS))
        cut.history.seen[:, :9] = False
        with torch.inference_mode():
            one, other = model.observe(long), model.observe(cut)
            few = model.observe(random_situation(9, ticks=3))
            courses = random_actions(10)
            futures = [model.imagine(belief, courses, generator.manual_seed(1)) for belief in (one, other, few)]
        assert torch.equal(futures[0].bad, futures[1].bad)
        assert bool(torch.isfinite(futures[2].bad).all())

    def test_reads_the_objective(self) -> None:
        """A system whose errors are seen to be at 90 % is not forecast like one without any."""
        model, forecasts = self.make(), []
        for errors in (0.0, 0.9):
            situation = random_situation(12)
            entity = int(situation.structure.objective_entity[0, 1])
            situation.structure.channel[0, entity] = True
            situation.structure.meaning[0, entity] = MEANING_INDEX["error_ratio"]
            situation.history.seen[0, :, entity] = True
            situation.history.value[0, :, entity] = errors
            with torch.inference_mode():
                belief = model.observe(situation)
                forecasts.append(
                    model.imagine(belief, random_actions(2), torch.Generator().manual_seed(0)).bad[0, 0, :, :, 1]
                )
        assert float((forecasts[0] - forecasts[1]).abs().mean()) > 1e-4
