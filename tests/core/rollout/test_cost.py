"""SLO cost and recovery, by hand."""

import numpy as np
import pytest

from opswm.rollout.cost import noise_floor, slo_cost
from opswm.rollout.recovery import recovery_minutes


def test_cost_of_everything_failing_is_the_length_of_the_horizon() -> None:
    """Every attempt bad over 24 ticks of 5 s costs two minutes, whatever the weights."""
    bad = np.ones((1, 3, 24, 2))
    assert slo_cost(bad, np.array([[0.3, 0.7]]), np.array([5.0])) == pytest.approx(np.full((1, 3), 2.0))


def test_cost_by_hand() -> None:
    """Two objectives weighted 1 to 3 over two ticks of 60 s and of 15 s."""
    bad = np.array([[[[0.5, 0.0], [0.5, 0.2]]]]).repeat(2, axis=0)
    cost = slo_cost(bad, np.array([[0.25, 0.75]] * 2), np.array([60.0, 15.0]))
    assert cost[:, 0] == pytest.approx([0.25 * 1.0 + 0.75 * 0.2, (0.25 * 1.0 + 0.75 * 0.2) / 4])


def test_noise_floor() -> None:
    """The floor is 0.05 bad minutes until 2 % of the horizon is more."""
    assert noise_floor(32, np.array([1.0, 5.0, 60.0])) == pytest.approx([0.05, 0.02 * 32 * 5 / 60, 0.64])


@pytest.mark.parametrize(
    ("bad", "ticks"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], 0),
        ([0.9, 0.9, 0.0, 0.0, 0.0], 2),
        ([0.9, 0.0, 0.9, 0.0, 0.0], 3),
        ([0.9, 0.9, 0.9, 0.9, 0.04], 4),
        ([0.9, 0.9, 0.9, 0.9, 0.9], 5),
        ([0.05, 0.05, 0.05, 0.9, 0.9], 0),
    ],
)
def test_recovery(bad: list[float], ticks: int) -> None:
    """Recovered means at most 5 % bad for three ticks, or to the end; never means the horizon."""
    found = recovery_minutes(np.array([[bad, [1.0] * 5]]), np.array([15.0]))
    assert found.tolist() == [[ticks * 0.25, 1.25]]
