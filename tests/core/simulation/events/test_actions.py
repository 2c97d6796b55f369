"""Every action has a situation in which it helps, one in which it does nothing and one in which it harms, here too."""

from typing import Any

import pytest

from opswm.simulation.events.compare import Measured, spread
from opswm.simulation.events.scenarios import Scenario, scenarios
from opswm.simulation.events.wider_scenarios import wider_scenarios
from opswm.simulation.kernel.courses import FORMS

HELPS, NOTHING, HARMS = -0.04, 0.015, 0.02
SETTLED_S = 60
EVERY = (*scenarios(), *wider_scenarios())


def named(case: str, actions: set[str] | None = None) -> list[Any]:
    """Return the scenarios of one case, of some actions or of all, as parameters of a test."""
    wanted = [one for one in EVERY if one.case == case and (actions is None or one.action in actions)]
    return [pytest.param(one, id=one.action.replace(" ", "-")) for one in wanted]


@pytest.mark.parametrize("scenario", named("helps", {"rollback", "kill_instance", "deploy recreate"}))
def test_some_help_where_they_should_soon(lab: Any, scenario: Scenario) -> None:
    """In one situation the action lowers the share of bad requests clearly, in a minute."""
    assert lab.effect(scenario.blueprint, scenario.requests, settle_s=20, ticks=12) < HELPS


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("helps"))
def test_it_helps_where_it_should(lab: Any, scenario: Scenario) -> None:
    """In one situation the action lowers the share of bad requests clearly, in 80 s."""
    assert lab.effect(scenario.blueprint, scenario.requests, SETTLED_S, ticks=16) < HELPS


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("nothing"))
def test_it_does_nothing_where_nothing_is_wrong(lab: Any, scenario: Scenario) -> None:
    """In another situation the same action changes next to nothing."""
    assert abs(lab.effect(scenario.blueprint, scenario.requests, SETTLED_S, ticks=16)) < NOTHING


@pytest.mark.slow
@pytest.mark.parametrize("scenario", named("harms"))
def test_it_harms_where_it_should(lab: Any, scenario: Scenario) -> None:
    """In a third situation the same action raises the share of bad requests clearly."""
    assert lab.effect(scenario.blueprint, scenario.requests, SETTLED_S, ticks=16) > HARMS


def test_every_action_of_a_simulated_system_is_tried() -> None:
    """Each type is tried in all three situations; what a flag switches off is missed nowhere here."""
    found = {(one.action.split()[0], one.case) for one in EVERY}
    wanted = {(action, case) for action in FORMS for case in ("helps", "nothing", "harms")}
    assert found == wanted - {("feature_flag", "harms")}


def test_an_interval_is_as_wide_as_the_seeds_say() -> None:
    """Two runs that differ by 0.2 have a mean in between and an interval of Student's t with one degree."""
    found = spread([Measured(1.0, 2.0, 0.5, 0.1), Measured(1.0, 2.0, 0.5, 0.3)])
    assert found.mean.effect == pytest.approx(0.2)
    assert found.half.effect == pytest.approx(12.706 * 0.1)
    assert found.half.mean_s == 0.0
    with pytest.raises(ValueError, match="two seeds"):
        spread([Measured(1.0, 2.0, 0.5, 0.1)])
