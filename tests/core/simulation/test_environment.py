"""The Gymnasium environment: it passes the checker, is reproducible, and pays for what users suffer."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from opswm.simulation.environment import EnvironmentConfig, OperationsEnvironment
from opswm.simulation.kernel.signals import SIGNALS

CONFIG = EnvironmentConfig(context_ticks=4, window_ticks=4, horizon_ticks=3, calm_share=1.0)


@pytest.fixture(scope="module")
def environment() -> OperationsEnvironment:
    """The web shop with short episodes."""
    return OperationsEnvironment(CONFIG)


def _rewards(environment: OperationsEnvironment, seed: int, action: int) -> list[float]:
    environment.reset(seed=seed)
    found = [environment.step(np.int64(action))]
    found += [environment.step(np.int64(0)) for _ in range(CONFIG.horizon_ticks - 1)]
    assert [step[3] for step in found] == [False, False, True]
    assert not any(step[2] for step in found)
    return [float(step[1]) for step in found]


def test_gymnasiums_checker_is_content(environment: OperationsEnvironment) -> None:
    """Spaces, seeding, types and bounds are as Gymnasium wants them, without a single warning."""
    check_env(environment, skip_render_check=True)


def test_a_seed_is_an_episode(environment: OperationsEnvironment) -> None:
    """The same seed and actions give the same rewards and observations, another seed another incident."""
    first, _ = environment.reset(seed=5)
    rewards = _rewards(environment, 5, 3)
    again, _ = environment.reset(seed=5)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert _rewards(environment, 5, 3) == rewards
    assert _rewards(environment, 6, 3) != rewards


def test_only_what_monitoring_stored_is_shown(environment: OperationsEnvironment) -> None:
    """Unread channels are 0, most existing ones are read, and the mask knows the system's sensors."""
    shown, _ = environment.reset(seed=7)
    assert shown["channels"].shape == (4, len(environment.blueprint.parts), len(SIGNALS))
    assert not shown["channels"][shown["seen"] == 0].any()
    there = {(environment.blueprint.index(s.part), SIGNALS.index(s.signal)) for s in environment.blueprint.sensors}
    read = {(int(entity), int(column)) for _, entity, column in zip(*shown["seen"].nonzero(), strict=True)}
    assert read <= there
    assert len(read) > 0.6 * len(there)


def test_structure_is_the_descriptors(environment: OperationsEnvironment) -> None:
    """Each entity has one kind, and objective weights sum to 1."""
    shown, _ = environment.reset(seed=8)
    assert (shown["structure"][:, :-2].sum(1) == 1).all()
    assert shown["structure"][:, -2].sum() == pytest.approx(1.0)


def test_a_reward_is_minus_bad_minutes_and_own_cost(environment: OperationsEnvironment) -> None:
    """A tick of five seconds costs at most a twelfth of a minute, and an action its price at once."""
    environment.reset(seed=9)
    choice = environment.choices[1]
    assert choice is not None
    _, reward, _, _, told = environment.step(np.int64(1))
    assert told["action_cost_bad_minutes"] == choice[0].cost > 0
    assert reward == pytest.approx(-(told["bad_minutes"] + choice[0].cost))
    assert 0.0 <= told["bad_minutes"] <= 5.0 / 60.0 + 1e-6
    _, reward, _, _, told = environment.step(np.int64(0))
    assert told["action_cost_bad_minutes"] == 0.0
    assert reward == -told["bad_minutes"]


def test_actions_change_what_happens(environment: OperationsEnvironment) -> None:
    """Refusing half of all requests is felt within the episode; the shared noise is the same with and without it."""
    numbers = [n for n, c in enumerate(environment.choices) if c and c[0].type == "load_shed" and c[1].amount == 0.5]
    environment.reset(seed=10)
    shed = [environment.step(np.int64(action))[4]["bad_minutes"] for action in (numbers[0], 0, 0, 0)]
    environment.reset(seed=10)
    wait = [environment.step(np.int64(0))[4]["bad_minutes"] for _ in range(4)]
    assert shed[0] >= wait[0]
    assert sum(shed) > sum(wait) + 0.01


def test_an_episode_needs_a_reset_and_a_known_action(environment: OperationsEnvironment) -> None:
    """Both mistakes are answered in Gymnasium's own errors."""
    environment.reset(seed=1)
    with pytest.raises(gymnasium.error.InvalidAction, match="must be one of 0 to"):
        environment.step(np.int64(len(environment.choices)))
    environment._episode = None
    with pytest.raises(gymnasium.error.ResetNeeded):
        environment.step(np.int64(0))


@pytest.mark.parametrize("wrong", [{"window_ticks": 0}, {"window_ticks": 9}, {"horizon_ticks": 0}, {"calm_share": 2.0}])
def test_configurations_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    """The message names the values."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EnvironmentConfig(**({"context_ticks": 8, **wrong}))  # type: ignore[arg-type]
