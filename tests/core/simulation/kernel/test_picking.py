"""Drawing one out of few and altering parts: the same as numpy and dataclasses do, draw for draw, field for field."""

from dataclasses import replace

import numpy as np
import pytest

from opswm.simulation.kernel.blueprint import Link, Part
from opswm.simulation.kernel.picking import altered, pick

OPTIONS = (0.0, 1.0, 2.0, 3.0)


@pytest.mark.parametrize("shares", [(), (0.6, 0.25, 0.12, 0.03), (0.0, 0.5, 0.0, 0.5)])
def test_picking_draws_what_choice_draws(shares: tuple[float, ...]) -> None:
    """Systems of a seed stay the same: a pick takes the same option from the same stream, and as much of it."""
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(500):
        assert pick(one, OPTIONS, shares) == other.choice(OPTIONS, p=shares or None)
    assert one.random() == other.random()


def test_an_altered_piece_is_a_changed_copy() -> None:
    """Parts and calls are copied with the fields that are named changed, and the original stays."""
    part, link = Part("api", "service", cores=3.0), Link("api", "db", retries=2.0)
    assert altered(part, cores=4.0, host="host-1") == replace(part, cores=4.0, host="host-1")
    assert altered(link, timeout_s=0.5) == replace(link, timeout_s=0.5)
    assert part == Part("api", "service", cores=3.0)


def test_a_field_that_no_piece_has_is_refused() -> None:
    """A misspelt field is named instead of being carried along unnoticed."""
    with pytest.raises(TypeError, match="Part has no core"):
        altered(Part("api", "service"), core=4.0)
