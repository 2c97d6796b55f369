"""Nothing known later, and nothing about how facts arrived, changes a timeline."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.timeline.build import build_timeline, lookback
from opswm_schemas.actions.record import Action, EstimatedEffect, Realised
from opswm_schemas.descriptor import Relation
from opswm_schemas.telemetry import Event
from tests.core.timeline.shop import (
    NUM_TICKS,
    SECONDS,
    Row,
    acted,
    after,
    build,
    classic,
    column,
    metrics,
    moved,
    native,
    number,
    same,
    shop,
)

NUMBERS = st.builds(
    number,
    st.sampled_from(["web.latency", "web.replicas", "web.requests", "web.errors"]),
    st.integers(-20, 70),
    st.integers(0, 50).map(float),
    st.integers(-20, 90),
)
CLASSIC = st.builds(
    lambda at, counts, known: classic(at, [1.0, 2.0], [counts[0], sum(counts[:2]), sum(counts)], known),
    st.integers(-20, 70),
    st.lists(st.integers(0, 9).map(float), min_size=3, max_size=3),
    st.integers(-20, 90),
)
NATIVE = st.builds(
    native,
    st.integers(-20, 70),
    st.integers(-1, 2),
    st.integers(-3, 3),
    st.lists(st.integers(0, 9).map(float), min_size=1, max_size=4),
    st.integers(0, 4).map(float),
)
ROWS = st.lists(st.one_of(NUMBERS, CLASSIC, NATIVE), max_size=40)
TRANSITIONS = st.lists(
    st.builds(moved, st.sampled_from(["proposed", "started", "succeeded", "failed", "rolled_back"]),
              st.integers(-20, 90), st.integers(-20, 90)),
    max_size=5,
)  # fmt: skip
ACTIONS = st.lists(TRANSITIONS, max_size=4).map(
    lambda lists: [acted(f"a{number}", *facts) for number, facts in enumerate(lists)]
)


def event(number: int, kind: str, event_s: int, known_s: int, entity: str | None) -> Event:
    """Return an alert of the shop."""
    times = {"event_at": after(event_s), "known_at": after(known_s)}
    return Event.model_validate({"event_id": f"e{number}", "type": kind, "entity_id": entity, "name": "slow", **times})


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["alert_fired", "alert_resolved", "note"]),
        st.integers(-20, 90),
        st.integers(-20, 90),
        st.sampled_from(["web", "db", None]),
    ),
    max_size=8,
).map(lambda lists: [event(number, *fields) for number, fields in enumerate(lists)])


@given(rows=ROWS, actions=ACTIONS, events=EVENTS, at_s=st.integers(20, 70))
def test_nothing_known_later_changes_the_timeline(
    rows: list[Row], actions: list[Action], events: list[Event], at_s: int
) -> None:
    """A timeline of everything equals the timeline of what was known at its moment alone."""
    known_actions = []
    for action in actions:
        facts = [fact for fact in action.transitions if fact.known_at <= after(at_s)]
        known_actions.append(action.model_copy(update={"transitions": facts}))
    known_rows = [row for row in rows if row["known_at"] <= after(at_s)]
    known_events = [entry for entry in events if entry.known_at <= after(at_s)]
    assert same(build(rows, actions, events, at_s), build(known_rows, known_actions, known_events, at_s))


@given(rows=ROWS, actions=ACTIONS, events=EVENTS, data=st.data())
def test_the_order_of_arrival_does_not_matter(
    rows: list[Row], actions: list[Action], events: list[Event], data: st.DataObject
) -> None:
    """Any permutation of rows, actions and events gives the same timeline, bit for bit."""
    shuffled = build(
        data.draw(st.permutations(rows)), data.draw(st.permutations(actions)), data.draw(st.permutations(events))
    )
    assert same(build(rows, actions, events), shuffled)


@given(rows=ROWS, data=st.data())
def test_repeated_rows_do_not_matter(rows: list[Row], data: st.DataObject) -> None:
    """Rows that arrive twice count once."""
    again = data.draw(st.lists(st.sampled_from(rows), max_size=9)) if rows else []
    assert same(build(rows), build([*again, *rows, *again]))


@given(rows=ROWS)
def test_unseen_is_zero_and_everything_is_finite(rows: list[Row]) -> None:
    """Values are finite everywhere and 0 where nothing was seen."""
    timeline = build(rows)
    assert not timeline.value[~timeline.seen].any()
    assert abs(timeline.value).max() < float("inf")


def test_a_correction_replaces_what_it_corrects_once_it_is_known() -> None:
    """Of two readings of one instant, the one that became known later counts, from that moment on."""
    rows = [number("web.errors", 15, 40.0, 16), number("web.errors", 15, 10.0, 45)]
    assert column(build(rows, at_s=40), "web.errors")[3] == pytest.approx(0.4)
    assert column(build(rows, at_s=50), "web.errors")[2] == pytest.approx(0.1)


def test_a_late_reading_is_not_there_before_it_arrived() -> None:
    """A reading that came half a minute late is missing from a timeline of the moment it was taken."""
    rows = [number("web.errors", 15, 40.0, 45)]
    assert not build(rows, at_s=40).seen.any()
    assert column(build(rows, at_s=50), "web.errors")[2] == pytest.approx(0.4)


def test_outcomes_known_later_are_gone_from_actions() -> None:
    """What was realised, estimated and undone after the moment is not on the action; what was known stays."""
    later: dict[str, Any] = {
        "realised": Realised(slo_cost_bad_minutes=3.0, window_s=600.0, known_at=after(50)),
        "estimated_effect": EstimatedEffect(
            value_bad_minutes=-2.0, interval_bad_minutes=(-3.0, -1.0), method="twin", model_id="m"
        ),
        "inverse_action_id": "a2",
        "progress_ratio": 1.0,
    }
    action = acted("a1", moved("started", 10), moved("succeeded", 30, 55), **later)
    (early,) = build(actions=[action], at_s=40).actions
    assert [fact.status for fact in early.transitions] == ["started"]
    assert (early.realised, early.estimated_effect, early.inverse_action_id, early.progress_ratio) == (None,) * 4
    (late,) = build(actions=[action], at_s=60).actions
    assert late == action
    assert build(actions=[action], at_s=5).actions == ()


def test_relations_are_those_that_held_and_were_known() -> None:
    """A relation shows from when it holds and is known, until it no longer does."""
    fields = {"source": "web", "target": "db", "kind": "calls"}
    spans = [{}, {"valid_from": after(50)}, {"valid_until": after(30)}, {"known_at": after(45)}, {"known_at": after(2)}]
    relations = [Relation.model_validate(fields | span) for span in spans]
    shown = build(system=shop(relations), at_s=40).relations
    assert shown == (relations[0], relations[4])


def test_a_moment_without_a_zone_is_refused() -> None:
    """A naive decision instant is an error, as is a timeline without ticks."""
    with pytest.raises(BadInputError, match="no time zone"):
        build_timeline(shop(), metrics([]), [], [], datetime(2024, 3, 5, 12), NUM_TICKS)
    with pytest.raises(BadInputError, match="at least one tick"):
        build_timeline(shop(), metrics([]), [], [], after(0), 0)


def test_readings_of_other_channels_are_left_out() -> None:
    """Readings of channels the descriptor does not list, and those dated after the moment, do not enter."""
    rows = [number("gone.cpu", 5, 1.0), number("web.errors", 65, 1.0, 30), number("web.errors", 35, 7.0)]
    timeline = build(rows)
    assert timeline.seen.sum() == 1
    assert timeline.newest_at == after(35)


def test_lookback_covers_what_a_first_tick_can_grow_from() -> None:
    """It reaches over the ticks and five minutes more, or five steps of the slowest channel."""
    assert lookback(shop(), NUM_TICKS).total_seconds() == SECONDS + 300
    slow = [channel.model_copy(update={"step_s": 120.0}) for channel in shop().channels]
    assert lookback(shop().model_copy(update={"channels": slow}), NUM_TICKS).total_seconds() == SECONDS + 600
