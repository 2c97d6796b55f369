"""Actions and alerts on the grid."""

import pytest

from opswm_schemas.actions.parameters import (
    ConfigChange,
    Deploy,
    FaultInjection,
    FeatureFlag,
    NoOp,
    Parameters,
    Restart,
    Rollback,
)
from opswm_schemas.actions.record import Action
from opswm_schemas.telemetry import Event
from tests.core.timeline.shop import acted, after, build, moved


def held(*actions: Action, at_s: float = 60) -> dict[str, str]:
    """Return per action its ticks, ``#`` where it was in force."""
    timeline = build(actions=actions, at_s=at_s)
    marks = ["".join("#" if tick else "." for tick in column) for column in timeline.in_force.T.tolist()]
    return {action.action_id: mark for action, mark in zip(timeline.actions, marks, strict=True)}


def test_a_lasting_action_holds_until_it_is_undone() -> None:
    """Scaling holds from its start to the end, or until it was rolled back."""
    assert held(acted("a", moved("proposed", 1), moved("started", 15), moved("succeeded", 25))) == {"a": ".#####"}
    assert held(acted("a", moved("started", 15), moved("succeeded", 25), moved("rolled_back", 42))) == {"a": ".####."}
    assert held(acted("a", moved("started", 15), moved("failed", 18))) == {"a": ".#...."}


def test_a_lasting_action_holds_until_the_same_thing_is_set_again() -> None:
    """Another scaling of the same target ends the first; one of another target does not."""
    first, second = acted("a", moved("started", 5)), acted("b", moved("succeeded", 33))
    assert held(first, second) == {"a": "####..", "b": "...###"}
    assert held(first, acted("b", moved("started", 33), target="db")) == {"a": "######", "b": "...###"}


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        (Deploy(version="2"), Rollback(), True),
        (FeatureFlag(key="ads", to=False), FeatureFlag(key="ads", to=True), True),
        (FeatureFlag(key="ads", to=False), FeatureFlag(key="search", to=True), False),
        (ConfigChange(key="heap", new="2g"), ConfigChange(key="heap", new="4g"), True),
        (ConfigChange(key="heap", new="2g"), FeatureFlag(key="heap", to=True), False),
    ],
)
def test_what_sets_the_same_thing(first: Parameters, second: Parameters, ends: bool) -> None:
    """A rollback ends a deployment; flags and configuration are told apart by their key."""
    shown = held(acted("a", moved("started", 5), params=first), acted("b", moved("started", 33), params=second))
    assert shown == {"a": "####.." if ends else "######", "b": "...###"}


def test_an_action_on_two_targets_ends_when_both_were_set_again() -> None:
    """While one of its targets keeps the change, the action is in force."""
    both = acted("a", moved("started", 5), resolved_targets=["web", "db"])
    web, db = acted("b", moved("started", 25)), acted("c", moved("started", 45), target="db")
    assert held(both, web)["a"] == "######"
    assert held(both, web, db)["a"] == "#####."


def test_a_momentary_action_holds_while_it_runs() -> None:
    """A restart holds from start to end, in one tick where only its end is known, and on where it has not ended."""
    assert held(acted("a", moved("started", 15), moved("succeeded", 34), params=Restart())) == {"a": ".###.."}
    assert held(acted("a", moved("succeeded", 34), params=Restart())) == {"a": "...#.."}
    assert held(acted("a", moved("started", 15), params=Restart())) == {"a": ".#####"}


def test_stated_lengths_end_faults_and_waits() -> None:
    """An injected fault and a deliberate wait end after the time they were given."""
    fault = FaultInjection(kind="latency", duration_s=20.0)
    assert held(acted("a", moved("started", 15), params=fault)) == {"a": ".###.."}
    assert held(acted("a", moved("started", 5), params=NoOp(window_s=30.0))) == {"a": "####.."}


def test_what_never_began_is_not_in_force() -> None:
    """Proposals, refusals and cancellations before the start hold in no tick."""
    for statuses in (["proposed"], ["proposed", "rejected"], ["approved", "cancelled"], ["scheduled"]):
        facts = [moved(status, 5 + 3 * number) for number, status in enumerate(statuses)]  # type: ignore[arg-type]
        assert held(acted("a", *facts)) == {"a": "......"}


def test_an_action_begins_where_its_start_is_known() -> None:
    """A start that was reported late is used once it is known; until then the action is not in force."""
    late = acted("a", moved("proposed", 1), moved("started", 15, 55))
    assert held(late, at_s=50) == {"a": "......"}
    assert held(late, at_s=60) == {"a": ".#####"}


def alert(number: int, kind: str, event_s: float, entity: str | None = "web", name: str = "slow") -> Event:
    """Return an alert event."""
    times = {"event_at": after(event_s), "known_at": after(event_s)}
    return Event.model_validate({"event_id": f"e{number}", "type": kind, "entity_id": entity, "name": name, **times})


def firing(*events: Event) -> list[str]:
    """Return per entity its ticks, ``#`` where an alert fired."""
    timeline = build(events=events)
    return ["".join("#" if tick else "." for tick in column) for column in timeline.alerting.T.tolist()]


def test_an_alert_fires_until_it_is_resolved() -> None:
    """It counts in every tick it touches, from before the grid and to its end if need be."""
    assert firing(alert(1, "alert_fired", 15), alert(2, "alert_resolved", 34)) == [".###..", "......"]
    assert firing(alert(1, "alert_fired", -99, "db"), alert(2, "alert_resolved", 4, "db")) == ["......", "#....."]
    assert firing(alert(1, "alert_fired", 41)) == ["....##", "......"]


def test_alerts_are_told_apart_by_entity_and_name() -> None:
    """Resolving one alert leaves another firing; one that never fired or has no entity marks nothing."""
    both = [alert(1, "alert_fired", 5), alert(2, "alert_fired", 15, name="errors"), alert(3, "alert_resolved", 25)]
    assert firing(*both) == ["######", "......"]
    assert firing(*both, alert(4, "alert_resolved", 45, name="errors"))[0] == "#####."
    assert firing(alert(1, "alert_resolved", 25), alert(2, "alert_fired", 25, entity=None)) == ["......", "......"]


def test_an_event_that_arrives_twice_is_one() -> None:
    """The same event id counts once, as it happened first."""
    repeated = alert(1, "alert_fired", 15), alert(1, "alert_fired", 25), alert(2, "alert_resolved", 34)
    assert [event.event_id for event in build(events=repeated).events] == ["e1", "e2"]
    assert firing(*repeated)[0] == ".###.."
