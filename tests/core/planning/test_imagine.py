"""From a question to futures with bands."""

from datetime import timedelta

import numpy as np
import pytest

from opswm.canonical import from_feature
from opswm.errors import BadInputError
from opswm.planning.imagine import forecast, what_if
from opswm_schemas.actions.parameters import Drain, Restart, ScaleHorizontal
from opswm_schemas.questions import CandidateAction, Course, ForecastRequest, WhatIfRequest
from opswm_schemas.vocabulary import MEANING_INDEX
from tests.core.planning.toy import HORIZON, SOURCES, planner
from tests.core.windows.diner import AT, diner, timeline

UP = Course(course_id="up", actions=[CandidateAction(target="web", params=ScaleHorizontal(to_replicas=6))])
BOUNCE = Course(course_id="bounce", actions=[CandidateAction(target="web", params=Restart())])


def test_a_forecast_shows_bands_cost_and_time_to_breach() -> None:
    """Bands are in canonical units and in order; badness now means the breach is now."""
    answer = forecast(timeline(diner()), ForecastRequest(system_id="diner", horizon_ticks=7), planner(), SOURCES)
    assert answer.ticks_at == [AT + timedelta(seconds=5.0 * ahead) for ahead in range(1, 8)]
    assert [band.channel_id for band in answer.no_op.channels] == [c.channel_id for c in diner().channels]
    latency = answer.no_op.channels[2]
    assert latency.unit == "s"
    assert latency.quantiles == pytest.approx([0.05, 0.5, 0.95])
    wanted = from_feature(np.array([0.5, 1.0, 1.5]), np.array([MEANING_INDEX["latency_p99"]] * 3)).tolist()
    assert latency.values == [pytest.approx(wanted)] * 7
    errors = answer.no_op.channels[1]
    assert errors.values[0] == pytest.approx([0.5, 1.0, 1.0])
    assert answer.no_op.bad_ratio == [pytest.approx(0.6, abs=0.01)] * 7
    assert answer.no_op.slo_cost_bad_minutes.value == pytest.approx(7 * 0.6 * 5 / 60, rel=0.02)
    assert answer.minutes_to_breach is not None
    assert answer.minutes_to_breach.value == 0.0


def test_a_what_if_has_one_future_per_course_with_no_op_first() -> None:
    """Costs include what acting costs in itself, and the shares follow the model tick by tick."""
    request = WhatIfRequest(system_id="diner", horizon_ticks=HORIZON, courses=[BOUNCE, UP], entities=["db"])
    answer = what_if(timeline(diner()), request, planner(), SOURCES)
    assert [future.course.course_id for future in answer.futures] == ["no_op", "bounce", "up"]
    up = answer.futures[2]
    assert up.bad_ratio[5] == pytest.approx(0.6, abs=0.01)
    assert up.bad_ratio[6:] == [0.0] * 18
    assert [band.entity_id for band in up.channels] == ["db", "db"]
    assert answer.futures[1].slo_cost_bad_minutes.value == pytest.approx(24 * 0.9 * 5 / 60 + 0.2, rel=0.02)
    assert answer.notes == []


def test_the_callers_own_wait_is_the_one_compared_with() -> None:
    """A given no_op moves to the front and keeps its name."""
    wait = Course(course_id="sit-tight")
    request = WhatIfRequest(system_id="diner", courses=[UP, wait], horizon_ticks=5)
    answer = what_if(timeline(diner()), request, planner(), SOURCES)
    assert [future.course.course_id for future in answer.futures] == ["sit-tight", "up"]


def test_an_action_without_a_capability_is_imagined_with_a_note() -> None:
    """What nobody described can be asked about, but the answer says that it is a guess."""
    drain = Course(course_id="drain", actions=[CandidateAction(target="web-b", params=Drain())])
    request = WhatIfRequest(system_id="diner", courses=[drain], horizon_ticks=5)
    answer = what_if(timeline(diner()), request, planner(), SOURCES)
    assert any("no capability describes drain on web-b" in note for note in answer.notes)


def test_without_objectives_there_are_bands_and_no_cost() -> None:
    """A forecast does not need an objective; it says that the cost is then empty."""
    bare = diner(objectives=[])
    answer = forecast(timeline(bare), ForecastRequest(system_id="diner", horizon_ticks=4), planner(), SOURCES)
    assert answer.no_op.slo_cost_bad_minutes.value == 0.0
    assert answer.minutes_to_breach is None
    assert any("no objectives" in note for note in answer.notes)
    assert len(answer.no_op.channels) == 9


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"horizon_ticks": HORIZON + 1}, "1 to 24"),
        ({"entities": ["mars"], "horizon_ticks": 5}, "'mars'"),
        ({"system_id": "other"}, "'other'"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(asked: dict[str, object], message: str) -> None:
    """Too far ahead, an unknown entity, or another system."""
    request = ForecastRequest.model_validate({"system_id": "diner"} | asked)
    with pytest.raises(BadInputError, match=message):
        forecast(timeline(diner()), request, planner(), SOURCES)


def test_the_same_question_has_the_same_answer() -> None:
    """Futures are sampled from the request's seed alone."""
    noisy, past = planner(noise=0.2), timeline(diner())
    first, second, other = (
        what_if(past, WhatIfRequest(system_id="diner", courses=[UP], seed=s, horizon_ticks=9), noisy, SOURCES)
        for s in (1, 1, 2)
    )
    assert first.model_dump_json() == second.model_dump_json()
    assert first.futures[0].slo_cost_bad_minutes != other.futures[0].slo_cost_bad_minutes
