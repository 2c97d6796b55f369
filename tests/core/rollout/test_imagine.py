"""Paired counterfactuals over any world model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opswm.errors import BadInputError
from opswm.model.baselines import Persistence
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.rollout.calibration import POOLED, Calibration
from opswm.rollout.fit import fit_calibration
from opswm.rollout.imagine import ImaginedEffects, courses_groups, imagine_effects, imagine_futures
from tests.core.model.queue_world import QueueWorld
from tests.core.model.situations import COURSES, OBJECTIVES, POINTS, random_actions, random_situation

HORIZON_MINUTES = 32 * 5 / 60


@pytest.fixture(scope="module")
def model() -> GraphWorldModel:
    """A model whose weights are random everywhere."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        made = GraphWorldModel(GraphWorldModelConfig(width=16, message_width=8, hidden=20, rounds=2, samples=24))
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.25)
    return made.eval()


def ask(
    model: GraphWorldModel, seed: int = 0, calibration: Calibration | None = None, ticks: int | None = None
) -> ImaginedEffects:
    """Return the effects of random courses."""
    return imagine_effects(model, random_situation(1), random_actions(2), seed, calibration or Calibration(), ticks)


def test_sizes_and_scale(model: GraphWorldModel) -> None:
    """Everything has one entry per point and course, in bad minutes that no horizon exceeds."""
    found = ask(model)
    for part in (found.value, found.lower, found.upper, found.p_harm, found.p_best, found.support):
        assert part.shape == (POINTS, COURSES)
    assert found.bad.shape == (POINTS, COURSES, 24, 32, OBJECTIVES)
    assert bool((found.lower <= found.value).all() and (found.value <= found.upper).all())
    assert float(found.cost.max()) <= HORIZON_MINUTES
    assert float(np.abs(found.value).max()) > 1e-3
    assert bool((found.recovery <= HORIZON_MINUTES + 1e-9).all())


def test_value_is_the_difference_of_costs(model: GraphWorldModel) -> None:
    """Without calibration a value is the mean cost of its course minus that of no_op."""
    found = ask(model)
    assert found.value == pytest.approx(found.cost.mean(-1) - found.cost_no_op[:, None], abs=1e-9)


def test_no_op_is_certain(model: GraphWorldModel) -> None:
    """The effect of waiting is exactly 0 with certainty, and never a harm."""
    found = ask(model, calibration=Calibration(growth={POOLED: {32: 1.0}}))
    assert not np.stack([found.value, found.lower, found.upper, found.p_harm])[:, :, 0].any()


def test_same_seed_same_answer(model: GraphWorldModel) -> None:
    """The same seed gives the same effects bit for bit; another seed gives others."""
    first, second, other = ask(model, 3), ask(model, 3), ask(model, 4)
    assert np.array_equal(first.effect, second.effect)
    assert np.array_equal(first.p_best, second.p_best)
    assert not np.array_equal(first.effect, other.effect)


def test_p_best_counts_ties(model: GraphWorldModel) -> None:
    """In every sample at least one course is best, so the probabilities sum to at least 1."""
    assert bool((ask(model).p_best.sum(axis=1) >= 1.0 - 1e-9).all())


def test_calibration_widens(model: GraphWorldModel) -> None:
    """A growth of 1 doubles every interval around its middle and leaves central values inside."""
    plain, wide = ask(model), ask(model, calibration=Calibration(growth={POOLED: {32: 1.0}}))
    wider = (wide.upper - wide.lower)[:, 1:] / (plain.upper - plain.lower)[:, 1:]
    assert bool((wider >= 2.0 - 1e-6).all())
    assert bool(((wide.lower <= wide.value) & (wide.value <= wide.upper)).all())


def test_a_nearer_horizon_costs_what_its_ticks_cost(model: GraphWorldModel) -> None:
    """Asked for 12 ticks, cost and trajectory end there."""
    near, far = ask(model, ticks=12), ask(model)
    assert near.bad.shape[3] == 12
    assert np.array_equal(near.bad, far.bad[:, :, :, :12])
    assert float(near.cost.max()) <= 12 * 5 / 60


@pytest.mark.parametrize("ticks", [0, 33, 128])
def test_a_horizon_beyond_the_model_is_refused(model: GraphWorldModel, ticks: int) -> None:
    """A horizon that the model does not know raises BadInputError with the allowed range."""
    with pytest.raises(BadInputError, match="1 to 32"):
        ask(model, ticks=ticks)


def test_persistence_has_no_effects() -> None:
    """The persistence forecast finds every course as good as any other."""
    found = imagine_effects(Persistence(), random_situation(1), random_actions(2), 0, Calibration())
    assert not found.value.any()
    assert bool((found.p_best == 1.0).all())


def test_bands_come_with_futures(model: GraphWorldModel) -> None:
    """Futures for a forecast carry the channel bands of every entity."""
    situation = random_situation(1)
    futures = imagine_futures(model, situation, random_actions(2), 0)
    assert futures.channel.shape[3] == situation.structure.entity.shape[1]


def test_groups_of_courses() -> None:
    """Courses are grouped by the type of their only action; empty slots and no_op do not count."""
    world = QueueWorld(entities=3)
    named = courses_groups(world.actions(2))
    assert named[1] == [POOLED, "scale_horizontal", "scale_horizontal", "scale_horizontal", "restart", "load_shed"]


def test_calibration_fitted_on_known_effects_covers_them(model: GraphWorldModel) -> None:
    """After fitting on 60 made-up worlds, intervals cover about nine in ten true effects of 60 others."""
    world = QueueWorld(entities=3)
    fitted = fit_calibration(model, [world.batch(30, seed=1), world.batch(30, seed=2)], (16, 32), 0, "made up")
    fresh = world.batch(60, seed=3)
    found = imagine_effects(model, fresh.situation, fresh.courses, 0, fitted)
    truth = fresh.effect.double().numpy()[:, 1:] * HORIZON_MINUTES
    covered = (truth >= found.lower[:, 1:] - 1e-6) & (truth <= found.upper[:, 1:] + 1e-6)
    assert 0.8 < covered.mean() <= 1.0
    assert set(fitted.growth[POOLED]) == {16, 32}


def test_calibration_skips_arms_without_outcome(model: GraphWorldModel) -> None:
    """Arms that were not run give no scores."""
    batch = QueueWorld(entities=3).batch(30, seed=4)
    batch.arm[:, 2:] = False
    fitted = fit_calibration(model, [replace(batch)], (32,), 0, "made up")
    assert fitted.counts[POOLED] == 30
