"""Operators over whole incidents: late, sometimes refused, sometimes forgetful, and logged in the contracts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import torch

from opswm.simulation.action_log import logged_actions
from opswm.simulation.embodiment import descriptor_of
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.kernel.observe import measured
from opswm.simulation.operators.habits import ROUTINE_TYPES, Habits
from opswm.simulation.operators.policies import Policy
from opswm.simulation.operators.response import Response, alert_since_s, respond
from opswm.training.encode import encode_lived
from opswm_schemas.actions.record import Action

SEEDS = tuple(range(300, 316))
TICKS, LOOK = 24, 2
START = datetime(2026, 3, 2, tzinfo=UTC)
BUSY = Habits(
    delay_median_s=10.0,
    asks_irreversible=0.9,
    asks_partly=0.6,
    asks_reversible=0.5,
    rejected_share=0.25,
    expired_share=0.2,
    answer_median_s=8.0,
    expires_s=20.0,
    abandoned_share=0.3,
    unlogged_share=0.3,
    look_again_s=15.0,
    routine_per_hour=60.0,
)
NOBODY = replace(BUSY, delay_median_s=1e7, routine_per_hour=0.0)
PLAN = EpisodePlan(system="web_shop", context_ticks=8, calm_share=0.2)


@pytest.fixture(scope="module")
def shop() -> Lived:
    """The web shop in trouble, many times over."""
    return live(PLAN, SEEDS)


@pytest.fixture(scope="module")
def response(shop: Lived) -> Response:
    """Its operators, with so much going on that everything happens at least once."""
    return respond(shop, Policy(1.0), TICKS, BUSY, LOOK, 8)


@pytest.fixture(scope="module")
def untouched(shop: Lived) -> Response:
    """The same without anybody there."""
    return respond(shop, Policy(1.0), TICKS, NOBODY, TICKS, 8)


def test_everything_that_can_happen_happens(response: Response) -> None:
    """Waits, routine work, refusals, silence, failures, work given up and work not written down."""
    decisions = [decision for world in response.decisions for decision in world]
    ends = [done.ended for world in response.lived.done for done in world]
    assert {"rejected", "expired", "cancelled", ""} == set(ends)
    assert any(not decision.course for decision in decisions)
    assert any(decision.policy_id == "routine-uniform" for decision in decisions)
    assert any(response.unlogged)
    assert any(world.count(True) for world in [[done.succeeds for done in log] for log in response.lived.done])


def test_nobody_acts_before_being_alerted_and_ready(response: Response) -> None:
    """The first choice in an alert comes after it began, within a look of the drawn delay; the rest is routine work."""
    for world in response.decisions:
        for decision in world:
            if decision.alert_s is None:
                assert {request.ability.type for request in decision.course} <= set(ROUTINE_TYPES)
            else:
                assert decision.at_s > decision.alert_s


@pytest.mark.slow
def test_longer_delays_mean_later_first_choices(shop: Lived) -> None:
    """Ten times the median delay, and the mean first choice comes later."""
    first = []
    for median_s in (5.0, 50.0):
        found = respond(shop, Policy(0.0), 12, replace(NOBODY, delay_median_s=median_s), LOOK, 4).decisions
        first.append([world[0].at_s if world else float("inf") for world in found])
    assert all(soon <= late for soon, late in zip(*first, strict=True))
    assert sum(soon < late for soon, late in zip(*first, strict=True)) > len(SEEDS) / 4


def test_chances_are_those_of_the_candidates(response: Response) -> None:
    """Each choice keeps one chance per candidate, they sum to 1, and the log carries the chosen one's."""
    for blueprint_row, world in enumerate(response.decisions):
        logged = [done.choice for done in response.lived.done[blueprint_row] if done.choice is not None]
        for decision in world:
            assert len(decision.propensity) == len(decision.courses)
            assert sum(decision.propensity) == pytest.approx(1.0)
        chances = {decision.propensity[decision.chosen] for decision in world}
        assert {choice.propensity for choice in logged} <= chances
        assert all(0.0 < choice.propensity <= 1.0 for choice in logged)


@pytest.mark.slow
def test_the_batch_does_not_matter(shop: Lived, response: Response) -> None:
    """Fewer worlds at once: the same choices, the same log, the same cost."""
    few = respond(live(PLAN, SEEDS[5:7]), Policy(1.0), TICKS, BUSY, LOOK, 8)
    assert few.decisions == response.decisions[5:7]
    assert few.lived.done == response.lived.done[5:7]
    assert torch.allclose(few.cost, response.cost[5:7])


@pytest.mark.parametrize(
    "habits",
    [
        replace(BUSY, abandoned_share=1.0),
        replace(
            BUSY, asks_irreversible=1.0, asks_partly=1.0, asks_reversible=1.0, rejected_share=0.5, expired_share=0.5
        ),
    ],
    ids=["given up", "refused or unanswered"],
)
def test_what_is_not_carried_out_changes_nothing(shop: Lived, untouched: Response, habits: Habits) -> None:
    """Users fare as if nobody had been there, although choices were made."""
    found = respond(shop, Policy(1.0), TICKS, habits, LOOK, 8)
    assert sum(len(world) for world in found.decisions) > len(SEEDS)
    assert torch.equal(found.bad_share, untouched.bad_share)


@pytest.mark.slow
def test_what_is_not_written_down_happens_all_the_same(shop: Lived, response: Response) -> None:
    """Whether the log is complete changes the log alone."""
    complete = respond(shop, Policy(1.0), TICKS, replace(BUSY, unlogged_share=0.0), LOOK, 8)
    assert torch.equal(complete.bad_share, response.bad_share)
    assert not any(complete.unlogged)
    for row in range(len(SEEDS)):
        whole = sorted((*response.lived.done[row], *response.unlogged[row]), key=lambda done: done.requested_s)
        assert whole == list(complete.lived.done[row])


def test_acting_changes_what_users_meet(response: Response, untouched: Response) -> None:
    """Some worlds fare better and some worse than without anybody there."""
    change = (response.bad_share - untouched.bad_share).sum((1, 2))
    assert float(change.min()) < -0.5
    assert float(change.max()) > 0.5


def _actions(response: Response, until_s: float) -> list[Action]:
    found: list[Action] = []
    for row, seed in enumerate(SEEDS):
        blueprint = response.lived.blueprints[row]
        descriptor = descriptor_of(blueprint)
        found += logged_actions(blueprint, response.lived.done[row], descriptor, START, seed, until_s)
    return found


def test_the_log_keeps_the_contract(response: Response) -> None:
    """Each action is valid, contradicts itself nowhere, and has the status of what became of it."""
    late = _actions(response, 1e6)
    assert not [action for action in late if action.contradictions()]
    by_status: dict[str, list[Action]] = {}
    for action in late:
        by_status.setdefault(action.status, []).append(action)
    assert {"succeeded", "rejected", "expired", "cancelled"} <= set(by_status)
    assert all(action.approvals[0].status == "rejected" for action in by_status["rejected"])
    assert all(action.first_at("started") is None for action in by_status["rejected"] + by_status["expired"])
    assert all(action.first_at("started") is not None for action in by_status["cancelled"])
    waits = [action for action in late if action.type == "no_op"]
    assert waits
    assert {action.status for action in waits} == {"succeeded"}
    for action in late:
        if action.actor.kind == "human" and action.policy_id is not None:
            assert action.propensity is not None
            assert action.candidates_considered
            assert all(approval.responder != action.actor.id for approval in action.approvals)


def test_the_log_tells_nothing_of_the_future(response: Response) -> None:
    """Half way through, no fact and no answer is known that came later."""
    half_s = response.lived.decision_s - TICKS * PLAN.step_s / 2
    moment = START + timedelta(seconds=half_s)
    early, late = _actions(response, half_s), _actions(response, 1e6)
    assert all(fact.event_at <= moment for action in early for fact in (*action.transitions, *action.approvals))
    assert sum(len(action.transitions) for action in early) < sum(len(action.transitions) for action in late)


def test_the_world_goes_on_from_where_operators_left_it(shop: Lived, response: Response) -> None:
    """Afterwards the worlds stand at a later decision, with all that was seen in between."""
    assert response.lived.decision_s == shop.decision_s + TICKS * PLAN.step_s
    assert response.lived.value.shape[1] == shop.value.shape[1] + TICKS
    assert torch.equal(response.lived.value[:, : shop.value.shape[1]], shop.value)
    assert response.bad_share.shape[1] == TICKS


def test_alerts_begin_when_users_begin_to_suffer(shop: Lived) -> None:
    """A hand-made history: quiet, four bad ticks, then now; and none where the last ticks are quiet."""
    share = torch.zeros(len(SEEDS), 8, shop.bad_share.shape[2])
    share[:, 4:] = 0.5
    made = replace(shop, bad_share=share)
    assert alert_since_s(made, 0) == shop.decision_s - 3 * PLAN.step_s
    assert alert_since_s(replace(shop, bad_share=share.flip(1)), 0) is None


def test_models_learn_only_of_what_a_system_was_asked(response: Response) -> None:
    """Proposals that came to nothing are in the log and not among the past actions that a model reads."""
    shown = encode_lived(response.lived, measured(response.lived.blueprints, response.lived.value.shape[2]))
    counts = shown.past.there[:, 0].sum(1).tolist()
    for row, log in enumerate(response.lived.done):
        asked = [done for done in log if done.was_asked_of_system and done.requested_s <= response.lived.decision_s]
        assert counts[row] == len(asked)
    assert any(not done.was_asked_of_system for log in response.lived.done for done in log)


@pytest.mark.parametrize(("ticks", "look"), [(0, 1), (5, 2), (4, 0)])
def test_times_that_do_not_fit_are_refused(shop: Lived, ticks: int, look: int) -> None:
    """Operators look a whole number of times, at least once."""
    with pytest.raises(ValueError, match="positive multiple"):
        respond(shop, Policy(1.0), ticks, BUSY, look)
