"""Waits, percentiles and losses of the whole kernel against closed forms and ciw."""

import pytest

from tests.core.simulation.validation.checks import broken
from tests.core.simulation.validation.comparisons import losses, networks, variability, waiting


def test_waits_are_those_of_mmc() -> None:
    """At three loads with 1, 4 and 16 servers, mean wait and p95 of the response are within tolerance of M/M/c."""
    checks = waiting(worlds=250, seconds=60)
    assert len(checks) == 18
    assert broken(checks) == []


def test_service_that_varies_otherwise_waits_as_long_as_it_should() -> None:
    """Service steadier and wilder than exponential waits as Pollaczek-Khinchine and Allen-Cunneen say."""
    assert broken(variability(worlds=300, seconds=30)) == []


def test_losses_are_those_of_the_closed_forms() -> None:
    """Lines of 5 and 20 places and a patience of two services lose as many as they should, at load and overload."""
    checks = losses(worlds=60, seconds=30)
    assert len(checks) == 27
    assert broken(checks) == []


@pytest.mark.slow
def test_networks_agree_with_ciw() -> None:
    """Calls in a row and calls that fan out take users as long as in the discrete-event library."""
    assert broken(networks(worlds=150, seconds=80, customers=40_000)) == []
