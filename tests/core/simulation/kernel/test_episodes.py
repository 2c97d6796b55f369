"""Decision points: functions of their seeds, seen as monitoring would, with candidates that nobody peeked for."""

from dataclasses import replace

import pytest
import torch

from opswm.simulation.kernel.branching import noise_floor, truth
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, branch_courses, live, propose
from opswm.simulation.kernel.healthy import warm_systems
from opswm.simulation.kernel.signals import SIGNALS

PLAN = EpisodePlan(system="random", context_ticks=20)
SEEDS = (31, 7, 12)
HORIZON = 12


@pytest.fixture(scope="module")
def lived() -> Lived:
    """Three random worlds at their decision."""
    return live(PLAN, SEEDS)


def test_a_seed_gives_the_same_decision_point_in_any_batch(lived: Lived) -> None:
    """What was seen, done and promised in a world does not depend on the worlds generated with it."""
    alone = live(PLAN, (7,))
    blueprint, entities = alone.blueprints[0], len(alone.blueprints[0].parts)
    assert lived.blueprints[1] == blueprint
    assert lived.incidents[1] == alone.incidents[0]
    assert torch.equal(lived.value[1, :, :entities], alone.value[0])
    assert torch.equal(lived.seen[1, :, :entities], alone.seen[0])
    assert lived.done[1] == alone.done[0]
    assert [ability.cost for ability in lived.blueprints[0].abilities] != [a.cost for a in blueprint.abilities]


def test_only_channels_that_exist_are_seen(lived: Lived) -> None:
    """Nothing is read where a system has no channel, what is unread is 0, and no reading is NaN or negative."""
    for row, blueprint in enumerate(lived.blueprints):
        there = {(blueprint.index(s.part), SIGNALS.index(s.signal)) for s in blueprint.sensors}
        seen = {(int(entity), int(column)) for _, entity, column in lived.seen[row].nonzero()}
        assert seen <= there
        assert len(seen) > 0.7 * len(there)
    assert not lived.value[~lived.seen].any()
    assert torch.isfinite(lived.value).all()
    assert (lived.value >= 0).all()


def test_readings_are_noisy_but_near_the_truth(lived: Lived) -> None:
    """Request rates are read within a few percent, never exactly everywhere."""
    column = SIGNALS.index("request_rate")
    seen, read, true = (field[..., column] for field in (lived.seen, lived.value, lived.exact))
    error = (read[seen] - true[seen]).abs() / true[seen].clamp(min=1.0)
    assert 0.0 < float(error.mean()) < 0.05


def test_faults_are_under_way_at_the_decision(lived: Lived) -> None:
    """Every fault has set in before the decision, and requests of the past were made before it."""
    for incident in lived.incidents:
        assert all(breakage.onset_s < lived.decision_s for breakage in incident.breakages)
        assert all(request.requested_s < lived.decision_s for request in incident.past)


def test_candidates_start_with_waiting_and_differ(lived: Lived) -> None:
    """Each world gets different candidates of several types, the first of which waits."""
    for row in range(len(SEEDS)):
        courses = propose(10)(lived, row)
        assert courses[0] == ()
        asked = [course[0] for course in courses[1:]]
        assert len({(r.ability.type, r.ability.target, r.ability.feature, r.level) for r in asked}) == 9
        assert len({request.ability.type for request in asked}) >= 4


def test_branches_share_their_futures(lived: Lived) -> None:
    """Two copies of waiting are equal to the last bit in every future, and their truth is tied without error."""
    courses = [[(), *propose(3)(lived, row)] for row in range(len(SEEDS))]
    branches = branch_courses(lived, courses, HORIZON, [1, 2])
    assert torch.equal(branches.bad_share[:, 0], branches.bad_share[:, 1])
    assert not torch.equal(branches.bad_share[:, 0, 0], branches.bad_share[:, 0, 1])
    found = truth(branches, HORIZON, PLAN.step_s)
    assert found.effect[:, :2].abs().max() == 0.0
    assert found.effect_error[:, :2].abs().max() == 0.0
    assert found.tied.any(1).all()


def test_cost_is_what_the_benchmark_defines(lived: Lived) -> None:
    """Cost is minutes of weighted bad share plus what the action costs, at most the horizon and that."""
    courses = [[*propose(3)(lived, row)] for row in range(len(SEEDS))]
    branches = branch_courses(lived, courses, HORIZON, [1])
    weight = lived.parameters.objectives.weight[:, None, None, None]
    minutes = (branches.bad_share * weight).sum((-1, -2)) * PLAN.step_s / 60.0
    own = torch.tensor([[sum(r.ability.cost for r in course) for course in world] for world in courses])
    assert torch.allclose(branches.cost, minutes + own[..., None], atol=1e-5)
    assert (branches.bad_share >= 0).all()
    assert (branches.bad_share <= 1.0 + 1e-5).all()
    assert (branches.recovery_min <= HORIZON * PLAN.step_s / 60.0 + 1e-6).all()


def test_truth_is_a_function_of_the_state_alone(lived: Lived) -> None:
    """What was seen plays no part in what happens."""
    courses = [[(), *propose(3)(lived, row)] for row in range(len(SEEDS))]
    blind = replace(lived, value=torch.zeros_like(lived.value), seen=torch.zeros_like(lived.seen))
    one, other = (branch_courses(world, courses, 6, [1]) for world in (lived, blind))
    assert torch.equal(one.cost, other.cost)


def test_the_noise_floor_is_the_larger_of_both_limits() -> None:
    """Two percent of the horizon, and at least 0.05 bad minutes."""
    assert noise_floor(32, 5.0) == pytest.approx(0.02 * 32 * 5 / 60)
    assert noise_floor(12, 5.0) == 0.05


def test_seeds_are_needed() -> None:
    """No seed and negative seeds are refused."""
    with pytest.raises(ValueError, match="world seed"):
        live(PLAN, ())
    with pytest.raises(ValueError, match="world seed"):
        live(PLAN, (3, -1))


def test_a_large_system_that_is_drawn_anew_leaves_no_room_behind() -> None:
    """The state of the other worlds fits a batch that has become smaller because its largest system was redrawn."""
    alone = warm_systems("random", (20_016,), 5)
    both = warm_systems("random", (20_016, 20_027), 5)
    entities = alone.state.fleet.ready.shape[1]
    assert both.blueprints[0] == alone.blueprints[0]
    assert torch.equal(both.state.fleet.ready[:1, :entities], alone.state.fleet.ready)
