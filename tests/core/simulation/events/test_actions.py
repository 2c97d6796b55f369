"""Every action has a situation in which it helps, one in which it does nothing and one in which it harms, here too."""

from typing import Any

import pytest

from opswm.simulation.events.actions import DOINGS
from opswm.simulation.events.scenarios import Scenario, scenarios
from opswm.simulation.kernel.courses import FORMS

HELPS, NOTHING, HARMS = -0.04, 0.015, 0.02
BY_NAME = {(scenario.action, scenario.case): scenario for scenario in scenarios()}


LATER = {"autoscaler_policy", "config_change", "quarantine", "queue_op", "deploy", "rollout_control", "cordon"}
BUSY = {"timeout_retry", "cache_op", "pool_resize", "rate_limit", "traffic_shift", "load_shed", "feature_flag", "db_op"}
"""Actions whose scenarios have many requests to simulate."""


def named(case: str, actions: set[str] | None = None) -> list[Any]:
    """Return the scenarios of one case, of some actions or of all, as parameters of a test."""
    wanted = set(DOINGS) if actions is None else actions
    return [pytest.param(found, id=name) for (name, kind), found in BY_NAME.items() if kind == case and name in wanted]


@pytest.mark.parametrize("scenario", named("helps", set(DOINGS) - BUSY))
def test_it_helps_where_it_should_soon(lab: Any, scenario: Scenario) -> None:
    """In one situation the action lowers the share of bad requests clearly, in 80 s."""
    assert lab.effect(scenario.blueprint, scenario.requests, settle_s=45, ticks=16) < HELPS


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("helps", BUSY))
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
    assert set(FORMS) == set(DOINGS)
    for action in set(DOINGS) - LATER:
        cases = {kind for name, kind in BY_NAME if name == action}
        assert cases == {"helps", "nothing", "harms"} - ({"harms"} if action == "feature_flag" else set())
