"""What people do with what they chose: as often as stated, and independent of the batch."""

import math

import numpy as np
import pytest

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.web_shop import web_shop
from opswm.simulation.operators.habits import ROUTINE_TYPES, Habits, draw_delay_s, draw_fate, routine_courses

DRAWS = 3000
HABITS = Habits()


def _within(share: float, expected: float, draws: int) -> bool:
    return abs(share - expected) < 4.0 * math.sqrt(expected * (1.0 - expected) / draws)


@pytest.mark.parametrize(
    ("reversibility", "asks"), [("irreversible", 0.6), ("partly_reversible", 0.4), ("reversible", 0.15)]
)
def test_people_are_asked_and_answer_as_often_as_stated(reversibility: str, asks: float) -> None:
    """The less an action can be undone the more often; one in ten is refused and one in twenty forgotten."""
    ability = Ability("restart", "web", (Level(),), reversibility=reversibility)  # type: ignore[arg-type]
    fates = [draw_fate(HABITS, ability, 3, occasion) for occasion in range(DRAWS)]
    answers = [fate.answer for fate in fates if fate.answer]
    assert _within(len(answers) / DRAWS, asks, DRAWS)
    assert _within(answers.count("rejected") / len(answers), 0.1, len(answers))
    assert _within(answers.count("expired") / len(answers), 0.05, len(answers))


def test_work_is_given_up_and_forgotten_as_often_as_stated() -> None:
    """Six in a hundred carried out are given up, five in a hundred of the others are missing from the log."""
    ability = Ability("restart", "web", (Level(),))
    ahead = [fate for fate in (draw_fate(HABITS, ability, 4, n) for n in range(DRAWS)) if fate.goes_ahead]
    finished = [fate for fate in ahead if not fate.abandoned]
    assert _within(1.0 - len(finished) / len(ahead), 0.06, len(ahead))
    assert _within(sum(not fate.logged for fate in finished) / len(finished), 0.05, len(finished))
    assert all(fate.logged for fate in ahead if fate.abandoned)


def test_answers_take_their_time_and_proposals_run_out() -> None:
    """Nobody asked means no wait, an answer comes before the proposal runs out, silence lasts until then."""
    ability = Ability("restart", "web", (Level(),), reversibility="irreversible")
    for fate in (draw_fate(HABITS, ability, 5, occasion) for occasion in range(400)):
        if not fate.answer:
            assert fate.answered_after_s == 0.0
        elif fate.answer == "expired":
            assert fate.answered_after_s == HABITS.expires_s
            assert not fate.goes_ahead
        else:
            assert 1.0 <= fate.answered_after_s <= HABITS.expires_s


def test_delays_have_the_stated_distribution() -> None:
    """The logarithm of the time from alert to choice is normal with the stated median and spread."""
    logs = np.log([draw_delay_s(HABITS, seed, 1) for seed in range(4000)])
    assert abs(logs.mean() - math.log(60.0)) < 4.0 * 0.8 / math.sqrt(4000)
    assert abs(logs.std() - 0.8) < 0.04


def test_draws_are_keyed_by_world_and_occasion() -> None:
    """The same key gives the same fate, another gives another."""
    ability = Ability("restart", "web", (Level(),), reversibility="irreversible")
    assert draw_fate(HABITS, ability, 6, 2) == draw_fate(HABITS, ability, 6, 2)
    assert len({draw_fate(HABITS, ability, 6, n).answered_after_s for n in range(20)}) > 3
    assert draw_delay_s(HABITS, 6, 1) != draw_delay_s(HABITS, 6, 2)


def test_routine_work_is_mild_and_as_frequent_as_stated() -> None:
    """Two an hour, of a few gentle types, never a restart of everything at once."""
    blueprint: Blueprint = web_shop(5)
    looks = [routine_courses(HABITS, blueprint, 7, now, 3, 5) for now in range(0, 15 * DRAWS, 15)]
    busy = [courses for courses in looks if courses]
    assert _within(len(busy) / DRAWS, 2.0 * 15.0 / 3600.0, DRAWS)
    requests = [request for courses in busy for (request,) in courses]
    assert {request.ability.type for request in requests} <= set(ROUTINE_TYPES)
    assert all(request.level.option == 0 for request in requests if request.ability.type == "restart")
    assert max(len(courses) for courses in busy) == 5
