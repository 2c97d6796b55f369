"""Training data from a log: one arm per decision point."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from opswm.canonical import to_feature
from opswm.errors import BadInputError
from opswm.windows.points import logged_points
from opswm.windows.samples import UNKNOWN_ERROR, logged_batch
from opswm_schemas.actions.parameters import NoOp, ScaleHorizontal
from opswm_schemas.actions.record import Action, Actor
from opswm_schemas.columns import METRICS
from opswm_schemas.vocabulary import ACTION_INDEX, MEANING_INDEX
from tests.core.windows.diner import READINGS, STEP_S, after, diner, logged

HORIZON = 6
CONTEXT = 11


def asked(action_id: str, seconds: float, replicas: int = 6, kind: str = "human") -> Action:
    """Return a scaling of web asked for at a moment and done soon after."""
    return logged(
        action_id,
        "web",
        ScaleHorizontal(to_replicas=replicas),
        (("approved", seconds, seconds), ("succeeded", seconds + 8, seconds + 9)),
        actor=Actor.model_validate({"kind": kind, "id": "x"}),
    )


def log_of_readings(until_s: int, drop: tuple[int, int] = (0, 0)) -> pa.Table:
    """Return readings every step; in_use rises above its threshold 60 s after the decision, with a gap."""
    rows = [
        {
            "channel_id": channel,
            "event_at": after(second - 1.0),
            "known_at": after(second + 4.0),
            "value": value if channel != "db.in_use" else (10.0 if second <= 60 else 25.0),
        }
        for second in range(-200, until_s, 5)
        for channel, value in READINGS.items()
        if not drop[0] < second <= drop[1]
    ]
    return pa.Table.from_pylist(rows, schema=METRICS)


def test_points_are_where_something_was_asked_and_where_nothing_was() -> None:
    """Requests close together are one course; a second request within the horizon spoils the first."""
    descriptor = diner()
    actions = [
        asked("lone", 0.0),
        asked("pair-1", 200.0),
        asked("pair-2", 203.0, 7),
        asked("spoiled", 400.0),
        asked("spoiler", 420.0),
        logged("wait", "web", NoOp(), (("started", 600.0, 600.0),)),
    ]
    points = logged_points(descriptor, actions, after(-100), after(700), HORIZON, spacing_ticks=10)
    acts = [point for point in points if point.action_ids]
    assert [point.action_ids for point in acts] == [("lone",), ("pair-1", "pair-2"), ("spoiler",)]
    assert [point.at for point in acts] == [after(0), after(200), after(420)]
    assert len(acts[1].course.actions) == 2
    waits = [(point.at - after(0)).total_seconds() for point in points if not point.action_ids]
    assert waits == [-100.0, -50.0, 50.0, 100.0, 150.0, 250.0, 300.0, 350.0, 450.0, 500.0, 550.0, 600.0, 650.0]


def test_an_autoscaler_may_act_within_a_horizon() -> None:
    """What a controller does is part of the dynamics, so it spoils no point."""
    actions = [asked("person", 0.0), asked("controller", 15.0, kind="autoscaler")]
    points = logged_points(diner(), actions, after(-10), after(100), HORIZON, spacing_ticks=1000)
    assert [point.action_ids for point in points if point.action_ids] == [("person",), ("controller",)]


def test_a_row_holds_the_arm_that_was_run_and_nothing_of_it_in_its_past() -> None:
    """The outcome sits in the arm that was run; the request is no past action; effects stay unknown."""
    descriptor = diner()
    actions = [asked("before", -40.0), asked("now", 0.0)]
    points = logged_points(descriptor, actions, after(-100), after(400), HORIZON, spacing_ticks=40)
    batch = logged_batch(descriptor, log_of_readings(500), actions, [], points, CONTEXT, HORIZON)
    row = next(index for index, point in enumerate(points) if point.action_ids == ("now",))
    wait = next(index for index, point in enumerate(points) if not point.action_ids and point.at > after(30))
    assert batch.arm[row].tolist() == [False, True]
    assert batch.arm[wait].tolist() == [True, False]
    assert batch.courses.there[row, :, 0].tolist() == [False, True]
    assert batch.courses.type[row, 1, 0] == ACTION_INDEX["scale_horizontal"]
    past = batch.situation.past
    assert past.tick[row, 0][past.there[row, 0]].tolist() == [-8.0]
    assert past.finished[row, 0][past.there[row, 0]].tolist() == [True]
    assert set(batch.effect_error[batch.arm].tolist()) == {UNKNOWN_ERROR}
    assert not batch.effect.any()
    expected = to_feature(np.array([120.0]), np.array([MEANING_INDEX["request_rate"]]))[0]
    assert batch.channel[row, 1, :, 0, 0].tolist() == pytest.approx([expected] * HORIZON, rel=1e-6)
    assert batch.channel_seen[row, 1, :, 0, 0].all()
    assert not batch.channel_seen[row, 0].any()


def test_outcomes_are_read_after_the_decision_and_gaps_hold_the_value_before() -> None:
    """The gauge objective turns bad when its channel does, through a gap, in the ticks where it did."""
    descriptor = diner()
    points = logged_points(descriptor, [], after(40), after(100), 8, spacing_ticks=100)
    batch = logged_batch(descriptor, log_of_readings(300, drop=(65, 70)), [], [], points, CONTEXT, 8)
    assert batch.bad[0, 0, :, 1].tolist() == [0.0] * 4 + [1.0] * 4
    assert batch.channel_seen[0, 0, :, 1, 0].tolist() == [True] * 5 + [False] + [True] * 2
    history = batch.situation.history
    assert history.seen[0, :, 1, 0].tolist() == [True] * (CONTEXT - 1) + [False]  # not yet known at the decision
    assert torch.allclose(history.value[0, :-1, 1, 0], torch.asinh(torch.tensor(10.0)))


def test_an_outcome_that_was_hardly_seen_is_none() -> None:
    """With most of the horizon missing the arm has no outcome."""
    descriptor = diner()
    points = logged_points(descriptor, [], after(40), after(100), 8, spacing_ticks=100)
    batch = logged_batch(descriptor, log_of_readings(300, drop=(45, 75)), [], [], points, CONTEXT, 8)
    assert batch.arm.tolist() == [[False]]


def test_a_log_without_points_is_refused() -> None:
    """An empty list of points gets an error that says why it may be empty."""
    assert logged_points(diner(), [], after(0), after(STEP_S), HORIZON, 5) == []
    with pytest.raises(BadInputError, match="no decision point"):
        logged_batch(diner(), log_of_readings(10), [], [], [], CONTEXT, HORIZON)
