"""Draws that belong to requests are as good as independent ones."""

import numpy as np
import pytest

from opswm.simulation.events.randomness import Draw, Stream, generator, service_factors, uniform


def test_draws_of_neighbouring_keys_and_purposes_are_even_and_unrelated() -> None:
    """Sixteen bins fill evenly, and neither the next key nor the next purpose tells anything."""
    keys = generator(1, 0, Stream.ARRIVALS, 0, 0).integers(0, 2**62, 20_000).tolist()
    one = np.array([uniform(key, Draw.SERVICE) for key in keys])
    other = np.array([uniform(key, Draw.ADMISSION) for key in keys])
    children = np.array([uniform(hash((key, 5, 0)), Draw.SERVICE) for key in keys])
    for draws in (one, other, children):
        counts = np.histogram(draws, 16, (0.0, 1.0))[0]
        assert float(((counts - 1250) ** 2 / 1250).sum()) < 45.0  # chi-square with 15 degrees: one in ten thousand
    for pair in ((one, other), (one, children), (one[1:], one[:-1])):
        assert abs(float(np.corrcoef(*pair)[0, 1])) < 0.03


@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0, 1.8])
def test_service_factors_have_the_moments_asked_for(scv: float) -> None:
    """The mean is one and the squared coefficient of variation as asked."""
    factors = np.array(service_factors(scv))
    assert factors.mean() == pytest.approx(1.0)
    assert factors.var() == pytest.approx(scv, abs=0.03 * max(scv, 0.1))


def test_no_two_purposes_share_their_draws() -> None:
    """One key decides something else for each purpose."""
    assert len({uniform(12_345, draw) for draw in Draw}) == len(Draw)


def test_streams_are_apart() -> None:
    """Another seed, future, purpose or number is another stream; the same one comes again."""
    first = generator(1, 0, Stream.ARRIVALS, 0, 7).random(4)
    assert np.array_equal(first, generator(1, 0, Stream.ARRIVALS, 0, 7).random(4))
    for other in ((2, 0, Stream.ARRIVALS, 0, 7), (1, 1, Stream.ARRIVALS, 0, 7), (1, 0, Stream.ACTIONS, 0, 7)):
        assert not np.array_equal(first, generator(*other).random(4))
