"""Every action has a situation in which it helps, one in which it does nothing and one in which it harms, here too."""

from typing import Any

import pytest

from opswm.simulation.events.actions import DOINGS
from opswm.simulation.events.scenarios import Scenario, scenarios
from opswm.simulation.kernel.courses import FORMS

HELPS, NOTHING, HARMS = -0.04, 0.015, 0.02
BY_NAME = {(scenario.action, scenario.case): scenario for scenario in scenarios()}


def named(case: str) -> list[Any]:
    """Return the scenarios of one case, as parameters of a test."""
    return [pytest.param(found, id=action) for (action, kind), found in BY_NAME.items() if kind == case]


@pytest.mark.parametrize("scenario", named("helps"))
def test_it_helps_where_it_should(lab: Any, scenario: Scenario) -> None:
    """In one situation the action lowers the share of bad requests clearly, in 80 s."""
    assert lab.effect(scenario.blueprint, scenario.requests, settle_s=45, ticks=16) < HELPS


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("nothing"))
def test_it_does_nothing_where_nothing_is_wrong(lab: Any, scenario: Scenario) -> None:
    """In another situation the same action changes next to nothing."""
    assert abs(lab.effect(scenario.blueprint, scenario.requests, settle_s=60, ticks=30)) < NOTHING


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("harms"))
def test_it_harms_where_it_should(lab: Any, scenario: Scenario) -> None:
    """In a third situation the same action raises the share of bad requests clearly."""
    assert lab.effect(scenario.blueprint, scenario.requests, settle_s=60, ticks=30) > HARMS


def test_every_action_of_a_simulated_system_is_tried() -> None:
    """Whatever courses can ask for is carried out here, and tried in all its situations."""
    assert set(DOINGS) == set(FORMS)
    for action in DOINGS:
        cases = {kind for name, kind in BY_NAME if name == action}
        assert cases == {"helps", "nothing", "harms"} - ({"harms"} if action == "feature_flag" else set())
