"""Regret and sign agreement against cases worked out by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from opswm.model.baselines import NaiveBelief, Persistence
from opswm.tensors import ActionSlots, Futures
from opswm.training.validate import validate
from tests.core.model.queue_world import QueueWorld


class Oracle(Persistence):
    """Says what it is told, scaled."""

    def __init__(self, effect: Tensor, factor: float) -> None:
        super().__init__()
        self.effect, self.factor = effect, factor

    def imagine(
        self, belief: NaiveBelief, courses: ActionSlots, generator: torch.Generator, bands: bool = True
    ) -> Futures:
        """Return the told effects."""
        futures = super().imagine(belief, courses, generator, bands)
        return replace(futures, effect=self.factor * self.effect[..., None])


def test_a_perfect_model_has_no_regret_and_an_anti_model_the_worst() -> None:
    """Knowing the truth gives regret 0 and full agreement; believing the opposite gives the worst choice everywhere."""
    batch = QueueWorld(entities=3).batch(40, seed=1)
    right, wrong = validate(Oracle(batch.effect, 1.0), [batch]), validate(Oracle(batch.effect, -1.0), [batch])
    worst = float((batch.effect.amax(1) - batch.effect.amin(1)).sum() / -batch.effect.amin(1).sum())
    assert (right.regret, right.sign_agreement, right.effect_error) == (0.0, 1.0, 0.0)
    assert wrong.regret == pytest.approx(worst, rel=1e-6)
    assert wrong.sign_agreement == 0.0


def test_waiting_has_regret_one() -> None:
    """A model that finds every course alike waits, and waiting has regret 1 by definition."""
    batch = QueueWorld(entities=3).batch(40, seed=1)
    assert validate(Persistence(), [batch]).regret == pytest.approx(1.0)


def test_arms_without_outcome_are_not_chosen() -> None:
    """An arm that was not run is neither chosen nor the best."""
    batch = QueueWorld(entities=3).batch(40, seed=1)
    batch.arm[:, 1:4] = False
    score = validate(Oracle(torch.where(batch.arm, batch.effect, -torch.ones(())), 1.0), [batch])
    assert score.regret == 0.0 or score.regret != score.regret
