"""The training loop learns, repeats itself exactly, and goes on after a kill."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from opswm.errors import BadInputError, CheckpointError, OpswmError
from opswm.model.config import GraphWorldModelConfig
from opswm.training.recipes import FIRST_TRAINING_SEED, DataPlan, Recipe, demo, recipe_named
from opswm.training.train import LAST, learning_rate, train
from opswm.training.validate import validate
from tests.core.model.queue_world import QueueWorld
from tests.core.training.memory import InMemory

SMALL = Recipe(
    name="test",
    model=GraphWorldModelConfig(width=24, message_width=12, hidden=32, rounds=2, history_rounds=1, samples=16),
    batch_size=32,
    epochs=8,
    average=0.9,
    validations=4,
    threads=1,
)
WORLD = QueueWorld(entities=3)


class Killed(Exception):
    """Stands for a process that ends in the middle."""


def test_learns_the_sign_of_effects() -> None:
    """In a world where scaling helps if and only if it meets the overload, the model learns where it helps."""
    trained = train(SMALL, InMemory(WORLD.batch(384, seed=1)), [WORLD.batch(64, seed=2)])
    fresh = validate(trained.model, [WORLD.batch(128, seed=3)])
    assert fresh.sign_agreement > 0.95
    assert fresh.regret < 0.1 < fresh.regret_random
    assert not trained.model.training


def test_the_same_recipe_gives_the_same_model() -> None:
    """Two runs of one recipe on the same data end with equal weights; another seed ends elsewhere."""
    short = replace(SMALL, epochs=1)
    data, validation = InMemory(WORLD.batch(48, seed=1)), [WORLD.batch(16, seed=2)]
    first, second, other = (train(recipe, data, validation) for recipe in (short, short, replace(short, seed=1)))
    assert weights_equal(first.model, second.model)
    assert not weights_equal(first.model, other.model)


def test_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A run that is killed and started again ends with the weights of one that never was."""
    recipe = replace(SMALL, epochs=3, validations=6)
    data, validation = InMemory(WORLD.batch(80, seed=1)), [WORLD.batch(16, seed=2)]
    whole = train(recipe, data, validation)

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, data, validation, tmp_path, kill)
    assert (tmp_path / LAST).exists()
    seen: list[int] = []
    again = train(recipe, data, validation, tmp_path, lambda stage, done, total, note: seen.append(done))
    assert seen[0] > 1
    assert weights_equal(whole.model, again.model)
    assert whole.log == again.log


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    """A state left by another recipe, or a broken file, raises CheckpointError and says to remove it."""
    data, validation = InMemory(WORLD.batch(32, seed=1)), [WORLD.batch(16, seed=2)]
    train(replace(SMALL, epochs=1), data, validation, tmp_path)
    with pytest.raises(CheckpointError, match="another recipe; remove"):
        train(replace(SMALL, epochs=2), data, validation, tmp_path)
    (tmp_path / LAST).write_bytes(b"\x80\x04broken")
    with pytest.raises(CheckpointError, match=r"cannot be read.*remove"):
        train(SMALL, data, validation, tmp_path)


def test_divergence_is_said() -> None:
    """A loss that is not finite ends the run with its step."""
    batch = WORLD.batch(32, seed=1)
    batch.effect[3, 2] = torch.inf
    with pytest.raises(OpswmError, match="step 0"):
        train(replace(SMALL, epochs=1, hide_channels=0.0), InMemory(batch), [WORLD.batch(8, seed=2)])


def test_early_stopping() -> None:
    """Without patience the run ends at the first validation that is no better, with the best weights."""
    recipe = replace(SMALL, epochs=6, validations=18, patience=0, learning_rate=1e-9, warmup_share=0.0)
    trained = train(recipe, InMemory(WORLD.batch(96, seed=1)), [WORLD.batch(16, seed=2)])
    assert len(trained.log) < 18
    assert trained.score.regret == pytest.approx(min(entry["regret"] for entry in trained.log))


def test_learning_rate_rises_and_falls() -> None:
    """The rate warms up linearly, peaks at its highest and ends at a fiftieth."""
    recipe = replace(SMALL, warmup_share=0.1)
    rates = [learning_rate(step, 100, recipe) for step in range(101)]
    assert rates.index(max(rates)) in (9, 10)
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates[100] == pytest.approx(recipe.learning_rate / 50)


def test_training_seeds_are_none_of_evaluation() -> None:
    """A plan whose worlds could be those of an evaluation is refused."""
    assert demo().data.seed >= FIRST_TRAINING_SEED
    with pytest.raises(BadInputError, match="larger"):
        DataPlan(seed=19)


def test_unknown_recipe() -> None:
    """A recipe that does not exist is refused with those that do."""
    with pytest.raises(BadInputError, match="debug, demo"):
        recipe_named("huge")


def weights_equal(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Return whether two models have the same weights, bit for bit."""
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
