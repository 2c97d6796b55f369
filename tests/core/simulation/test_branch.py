"""The truth about any course, from the true state."""

from dataclasses import replace

import pytest
import torch

from opswm.simulation.branch import Verdict, requests_of, true_outcomes
from opswm.simulation.embodiment import typed_parameters
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm_schemas.actions.parameters import CacheOp, Custom, FeatureFlag, LoadShed, Parameters, TrafficShift
from opswm_schemas.questions import CandidateAction, Course


@pytest.fixture(scope="module")
def lived() -> Lived:
    """The web shop in two incidents, the second of which has not been felt yet."""
    return live(EpisodePlan(system="web_shop", context_ticks=20, calm_share=1.0), (3, 14))


def course(name: str, target: str, params: Parameters, delay_ticks: int = 0) -> Course:
    """Return a course of one action."""
    return Course(course_id=name, actions=[CandidateAction(target=target, params=params, delay_ticks=delay_ticks)])


WAIT = Course(course_id="wait")


@pytest.fixture(scope="module")
def verdict(lived: Lived) -> Verdict:
    """The truth in a world that stays well: waiting, waiting again, refusing nearly everybody at once, and later."""
    faults = replace(lived.parameters.faults, there=torch.zeros_like(lived.parameters.faults.there))
    healthy = replace(lived, parameters=replace(lived.parameters, faults=faults))
    nearly_all = LoadShed(fraction_ratio=0.9)
    courses = [
        WAIT,
        Course(course_id="wait-again"),
        course("now", "edge-lb", nearly_all),
        course("late", "edge-lb", nearly_all, 5),
    ]
    return true_outcomes(healthy, 1, courses, horizon_ticks=10, most_futures=8, deferred=True)


def test_waiting_has_no_effect(verdict: Verdict) -> None:
    """Effects are differences to waiting, so waiting has none, without error."""
    for outcome in verdict.outcomes[:2]:
        assert outcome.effect_bad_minutes == 0.0
        assert outcome.effect_error == 0.0
        assert outcome.deferred_effect_bad_minutes == 0.0


def test_refusing_nearly_everybody_costs_and_later_costs_less(verdict: Verdict) -> None:
    """A shed request is bad, so shedding from now on is worse than shedding from later on."""
    now, late = verdict.outcomes[2:]
    assert now.cost_bad_minutes > late.cost_bad_minutes
    assert now.failed_requests > late.failed_requests
    assert now.deferred_effect_bad_minutes is not None
    assert now.deferred_effect_bad_minutes > now.effect_bad_minutes


def test_the_best_is_tied_with_itself(verdict: Verdict) -> None:
    """The cheapest course counts as best, and what is further away than the noise floor does not."""
    best = min(outcome.cost_bad_minutes for outcome in verdict.outcomes)
    for outcome in verdict.outcomes:
        near = outcome.cost_bad_minutes <= best + verdict.noise_floor_bad_minutes
        assert outcome.is_tied_with_best == near
    assert verdict.num_futures == 8


def test_the_first_course_must_wait(lived: Lived) -> None:
    """Without waiting to compare with there is no effect."""
    with pytest.raises(ValueError, match="no_op"):
        true_outcomes(lived, 0, [course("flush", "redis-cache", CacheOp(op="flush"))])


def test_every_ability_can_be_asked_for_in_contract_terms(lived: Lived) -> None:
    """A course written with typed parameters asks the simulator for just the ability and level it came from."""
    shop = lived.blueprints[0]
    for ability in shop.abilities:
        for level in ability.levels:
            asked = course("one", ability.target, typed_parameters(shop, ability, level), delay_ticks=2)
            (request,) = requests_of(shop, asked, decision_s=100)
            assert request.ability == ability
            assert request.level.option == level.option
            assert request.requested_s == 110.0
            if level.amount >= 0:
                assert request.level.amount == pytest.approx(level.amount)


@pytest.mark.parametrize(
    ("target", "params", "told"),
    [
        ("edge-lb", Custom(), "cannot carry out 'custom'"),
        ("nowhere", LoadShed(fraction_ratio=0.1), "no part 'nowhere'"),
        ("storefront", FeatureFlag(key="unheard-of", to=False), "no flag 'unheard-of'"),
    ],
)
def test_what_the_system_cannot_do_is_refused(lived: Lived, target: str, params: Parameters, told: str) -> None:
    """Unknown types, entities and flags are refused with what there is."""
    with pytest.raises(ValueError, match=told):
        requests_of(lived.blueprints[0], course("impossible", target, params), 100)


def test_a_shift_keeps_what_its_weights_leave_on_the_target(lived: Lived) -> None:
    """The weight that stays on the target is what counts."""
    asked = course("shift", "payments-a", TrafficShift(weights={"payments-a": 0.25, "payments-b": 0.75}))
    (request,) = requests_of(lived.blueprints[0], asked, 0)
    assert request.level.amount == 0.25
    assert request.ability.target == "payments-a"
