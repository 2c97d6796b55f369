"""Alertmanager's notifications to events, with what is repeated, regrouped, resolved, cut or malformed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opswm_connectors.alertmanager.source import translate, verify
from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery
from opswm_connectors.webhooks.signatures import RefusedDeliveryError
from tests.connectors.placed import placed
from tests.core.store.shop import SHOP, shop

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLACES = placed(shop().entities, {"10.0.0.7:9104": "db"})


def alert(**changes: Any) -> dict[str, Any]:
    """Return an alert that fires on the web tier."""
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "service": "web", "severity": "critical"},
        "annotations": {"summary": "errors at 12.3 %"},
        "startsAt": "2026-03-02T11:58:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0",
        "fingerprint": "a1b2c3",
    } | changes


def delivery(*alerts: Any, seconds: float = 0.0, **changes: Any) -> Delivery:
    """Return a notification that came in so long after noon."""
    document = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "alerts": list(alerts)}
    return Delivery({}, json.dumps(document | changes).encode(), NOON + timedelta(seconds=seconds))


def test_a_firing_alert_is_an_event_of_its_entity() -> None:
    """Labels name the entity and the severity; it happened at startsAt and was known when it came in."""
    (event,) = translate(delivery(alert()), SHOP, PLACES).events
    assert (event.type, event.entity_id, event.name, event.severity) == ("alert_fired", "web", "HighErrorRate", "fatal")
    assert event.event_at == datetime(2026, 3, 2, 11, 58, 0, 123456, UTC)
    assert event.known_at == NOON
    assert event.attributes["service"] == "web"


def test_an_alert_that_is_repeated_is_the_same_event() -> None:
    """Repeats, other groups and annotations with other values change nothing but when it was learned."""
    first = translate(delivery(alert()), SHOP, PLACES).events[0]
    later = alert(annotations={"summary": "errors at 55 %"})
    again = translate(delivery(later, alert(fingerprint="ff"), seconds=300, groupKey="other"), SHOP, PLACES).events[0]
    assert again.model_copy(update={"known_at": first.known_at}) == first


def test_resolved_and_fired_again_are_other_events() -> None:
    """An alert that is resolved, and one that fires anew, have ids of their own."""
    resolved = alert(status="resolved", endsAt="2026-03-02T11:59:00Z")
    anew = alert(startsAt="2026-03-02T12:30:00Z")
    facts = translate(delivery(alert(), resolved, anew, seconds=3_600), SHOP, PLACES)
    assert [event.type for event in facts.events] == ["alert_fired", "alert_resolved", "alert_fired"]
    assert facts.events[1].event_at == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    assert len({event.event_id for event in facts.events}) == 3


def test_an_alert_about_nobody_known_is_one_about_the_system() -> None:
    """An alert whose entity cannot be told is kept without one; an alias tells it."""
    labels = {"alertname": "Down", "instance": "10.0.0.7:9104"}
    facts = translate(delivery(alert(labels=labels), alert(labels={"alertname": "Watchdog"})), SHOP, PLACES)
    assert [event.entity_id for event in facts.events] == ["db", None]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("text", "alertname"),
        (alert(labels=None), "alertname"),
        (alert(labels={"service": "web"}), "alertname"),
        (alert(startsAt="yesterday"), "startsAt"),
        (alert(status="resolved"), "endsAt"),
        (alert(startsAt="2026-04-02T12:00:00Z"), "more than a day before"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_told(broken: Any, reason: str) -> None:
    """One bad alert of a group is named with its place and reason, and the others are kept."""
    facts = translate(delivery(broken, alert()), SHOP, PLACES)
    assert len(facts.events) == 1
    assert len(facts.left_out) == 1
    assert facts.left_out[0].startswith("alerts[0]")
    assert reason in facts.left_out[0]


def test_alerts_that_the_sender_cut_are_told() -> None:
    """A truncated group says how many alerts are missing."""
    assert "7 alerts" in translate(delivery(alert(), truncatedAlerts=7), SHOP, PLACES).left_out[0]


@pytest.mark.parametrize("changes", [{"version": "3"}, {"version": None}, {"alerts": {}}, {"alerts": [{}] * 10_001}])
def test_other_bodies_are_refused(changes: dict[str, Any]) -> None:
    """Another version, and alerts that are no bounded list, are terminal errors."""
    with pytest.raises(TerminalSourceError):
        translate(delivery(**changes), SHOP, PLACES)


def test_labels_are_bounded_and_harmless() -> None:
    """A flood of labels, or control characters in them, does not leave the connector."""
    labels = {"alertname": "A\x1b[31m\nB" + "x" * 5_000} | {f"l{number}": "v" for number in range(500)}
    (event,) = translate(delivery(alert(labels=labels)), SHOP, PLACES).events
    assert len(event.attributes) <= 64
    assert event.name.isprintable()
    assert len(event.name) <= 1_000


def test_only_who_has_the_token_is_heard() -> None:
    """A notification without the bearer token is refused."""
    verify(Delivery({"authorization": "Bearer s3cret"}, b"", NOON), b"s3cret")
    with pytest.raises(RefusedDeliveryError):
        verify(Delivery({"authorization": "Bearer guess"}, b"", NOON), b"s3cret")
