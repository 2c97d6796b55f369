"""Probabilities from a centre and an interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.planning.spread import effects_from_intervals, exceedance


def one(value: float) -> np.ndarray:
    """Return an array of one number."""
    return np.array([value])


def test_the_ends_of_the_interval_are_exceeded_as_stated() -> None:
    """5 % lie above the upper end and 5 % below the lower one, with sides of different width."""
    value, lower, upper = one(1.0), one(0.5), one(4.0)
    assert exceedance(value, lower, upper, 4.0)[0] == pytest.approx(0.05)
    assert exceedance(value, lower, upper, 0.5)[0] == pytest.approx(0.95)
    assert exceedance(value, lower, upper, 1.0)[0] == pytest.approx(0.5)


def test_certainty_is_certain() -> None:
    """An interval without width is exceeded or not, and one with hardly any nearly so."""
    assert exceedance(one(0.0), one(0.0), one(1e-308), 2.0).tolist() == [0.0]
    assert exceedance(np.array([1.0, -1.0]), np.array([1.0, -1.0]), np.array([1.0, -1.0]), 0.0).tolist() == [1.0, 0.0]


@given(
    value=st.floats(-10, 10),
    down=st.floats(0, 5),
    up=st.floats(0, 5),
    limits=st.tuples(st.floats(-12, 12), st.floats(-12, 12)),
)
def test_a_higher_limit_is_exceeded_less_often(
    value: float, down: float, up: float, limits: tuple[float, float]
) -> None:
    """The probability falls with the limit and is one."""
    low, high = (exceedance(one(value), one(value - down), one(value + up), limit)[0] for limit in sorted(limits))
    assert 0.0 <= high <= low <= 1.0


def test_no_op_has_no_effect_and_no_harm() -> None:
    """Scenario 0 is zero whatever was put there, and probabilities lie where they must."""
    table = np.array([[5.0, -3.0, 2.0]])
    found = effects_from_intervals(table, table - 1.0, table + 1.0, np.ones((1, 3)), one(4.0), one(0.1), 0)
    assert [part[0, 0] for part in (found.value, found.lower, found.upper, found.p_harm)] == [0.0] * 4
    assert found.p_best[0, 1] > 0.99
    assert found.p_harm[0, 2] > 0.99
    again = effects_from_intervals(table, table - 1.0, table + 1.0, np.ones((1, 3)), one(4.0), one(0.1), 0)
    np.testing.assert_array_equal(found.p_best, again.p_best)
