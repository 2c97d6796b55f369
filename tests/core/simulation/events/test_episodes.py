"""Decision points of the per-request engine take the same path as those of the other one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from opswm.simulation.branch import true_outcomes
from opswm.simulation.events.episodes import EventLived, branch_one, live, recovery_ticks
from opswm.simulation.events.scenarios import act
from opswm.simulation.events.systems import lowered, total_rps
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.kernel.web_shop import web_shop
from opswm.simulation.recorder import write_recording
from opswm_schemas.actions.parameters import LoadShed
from opswm_schemas.questions import CandidateAction, Course
from opswm_schemas.recordings.validation import validate_recording

PLAN = EpisodePlan(system="random", context_ticks=12, calm_share=1.0, entities=4)
MOST_RPS = 50.0


@pytest.fixture(scope="module")
def lived() -> EventLived:
    """A small random system in trouble, at low demand."""
    return live(PLAN, (7,), MOST_RPS)


def test_a_world_of_a_seed_is_the_same_in_every_batch(lived: EventLived) -> None:
    """Lived again beside another, a world has the same system, incident, readings and past."""
    again = live(PLAN, (8, 7), MOST_RPS)
    entities = len(lived.blueprints[0].parts)
    assert again.blueprints[1] == lived.blueprints[0]
    assert again.incidents[1] == lived.incidents[0]
    assert again.done[1] == lived.done[0]
    assert torch.equal(again.exact[1, :, :entities], lived.exact[0])
    assert torch.equal(again.value[1, :, :entities], lived.value[0])


def test_its_recording_is_valid(lived: EventLived, tmp_path: Path) -> None:
    """The recorder writes it as it writes any other, and validation finds nothing to say."""
    write_recording(lived, 0, tmp_path / "one")
    assert validate_recording(tmp_path / "one") == []


def test_courses_share_futures_and_waiting_has_no_effect(lived: EventLived) -> None:
    """Waiting twice is the same to the last bit, in each of two futures that differ."""
    found = branch_one(lived, 0, [(), ()], 6, [1, 2])
    assert torch.equal(found.cost[0, 0], found.cost[0, 1])
    assert torch.equal(found.bad_share[0, 0], found.bad_share[0, 1])
    assert found.bad_share.shape == (1, 2, 2, 6, len(lived.blueprints[0].goals))


def test_a_course_that_parts_late_does_what_it_does_anyway(lived: EventLived) -> None:
    """Copied from waiting only when its action takes effect, it fares as if it had gone its own way from the start."""
    front = lived.blueprints[0].inlets[0].entity
    shed = act("load_shed", front, amount=0.5, at_s=float(lived.decision_s) + 12.0)
    found = branch_one(lived, 0, [(), (shed,)], 8, [3])
    other = lived.worlds[0].branch(3)
    first = other.clients[0].tick + 1
    other.request(shed)
    other.run(8, record=False)
    offered, bad = other.judge(first)
    assert found.bad_share[0, 1, 0].numpy() == pytest.approx(bad / np.maximum(offered, 1.0))
    assert not torch.equal(found.bad_share[0, 0], found.bad_share[0, 1])


def test_the_truth_about_a_course_is_told_as_for_the_other_engine(lived: EventLived) -> None:
    """Refusing nearly everybody costs, by the same definitions of effect, error and ties."""
    front = lived.blueprints[0].inlets[0].entity
    healthy = replace(lived, worlds=(lived.worlds[0].branch(0),))
    healthy.worlds[0].break_down([])
    shed = CandidateAction(target=front, params=LoadShed(fraction_ratio=0.9))
    courses = [Course(course_id="wait"), Course(course_id="shed", actions=[shed])]
    verdict = true_outcomes(healthy, 0, courses, horizon_ticks=8, most_futures=8, branch=branch_one)
    assert verdict.outcomes[0].effect_bad_minutes == 0.0
    assert verdict.outcomes[1].effect_bad_minutes > 4.0 * verdict.outcomes[1].effect_error > 0.0
    assert not verdict.outcomes[1].is_tied_with_best


def test_demand_is_lowered_to_what_is_asked_and_no_further() -> None:
    """A busy system gets the demand that was asked for, in the same shape; one that is quiet stays as it is."""
    shop = web_shop()
    quiet = lowered(shop, 200.0)
    assert total_rps(quiet) == pytest.approx(200.0, rel=0.02)
    assert [part.name for part in quiet.parts] == [part.name for part in shop.parts]
    assert [(link.source, link.target) for link in quiet.links] == [(link.source, link.target) for link in shop.links]
    assert quiet.sensors == shop.sensors
    assert lowered(shop, 1e6) == shop
    with pytest.raises(ValueError, match="must be positive"):
        lowered(shop, 0.0)


def test_recovery_is_when_it_stays_good() -> None:
    """One good tick is no recovery; three are, and so is the rest of the horizon."""
    assert recovery_ticks(np.array([0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.5])) == 3
    assert recovery_ticks(np.array([0.5, 0.5, 0.01])) == 2
    assert recovery_ticks(np.array([0.5, 0.5])) == 2


def test_there_must_be_a_world() -> None:
    """No seed, or a negative one, is refused."""
    for seeds in ((), (-1,)):
        with pytest.raises(ValueError, match="at least one world seed"):
            live(PLAN, seeds)
