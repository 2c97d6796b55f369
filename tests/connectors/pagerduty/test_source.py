"""PagerDuty's webhooks to events, and who may send them."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.pagerduty.source import translate, verify
from opswm_connectors.webhooks.delivery import Delivery
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import RefusedDeliveryError
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
PLACES = Places([Entity(entity_id="cart", kind="service", name="Cart API")])


def webhook(kind: str = "incident.triggered", **changes: Any) -> Delivery:
    """Return a webhook about an incident of the cart."""
    data = {
        "id": "PGR0VU2", "type": "incident", "title": "Cart is slow", "urgency": "high",
        "service": {"id": "PF9KMXH", "summary": "Cart API"}, "priority": None,
    }  # fmt: skip
    event = {
        "id": "5ac64822",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-03-02T11:58:00.000Z",
        "data": data,
    }
    return Delivery({}, json.dumps({"event": event | changes}).encode(), NOON)


@pytest.mark.parametrize(
    ("kind", "opened"),
    [("incident.triggered", True), ("incident.reopened", True), ("incident.resolved", False)],
)
def test_incidents_open_and_close(kind: str, opened: bool) -> None:
    """Triggered and reopened incidents open, resolved ones close, on the service's entity and when they occurred."""
    (event,) = translate(webhook(kind), SHOP, PLACES).events
    assert event.type == ("incident_opened" if opened else "incident_closed")
    assert (event.entity_id, event.name, event.severity) == ("cart", "Cart is slow", "error" if opened else "info")
    assert event.event_at == datetime(2026, 3, 2, 11, 58, tzinfo=UTC)
    assert event.known_at == NOON
    assert event.attributes["incident"] == "PGR0VU2"


def test_other_events_say_nothing() -> None:
    """Acknowledgements, notes and changes of people are passed over."""
    assert translate(webhook("incident.acknowledged"), SHOP, PLACES) == translate(
        webhook("service.updated"), SHOP, PLACES
    )
    assert translate(webhook("incident.annotated"), SHOP, PLACES).events == ()


@pytest.mark.parametrize(("when", "reason"), [("soon", "instant"), ("2026-05-02T12:00:00Z", "more than a day before")])
def test_an_impossible_moment_is_told(when: str, reason: str) -> None:
    """An event without a moment, or of a far future, is left out with the reason."""
    facts = translate(webhook(occurred_at=when), SHOP, PLACES)
    assert facts.events == ()
    assert reason in facts.left_out[0]


@pytest.mark.parametrize("body", [b"{}", b'{"event": []}', b'{"event": {"data": 1}}', b"no"])
def test_other_bodies_are_refused(body: bytes) -> None:
    """What is no webhook of version 3 is a terminal error."""
    with pytest.raises(TerminalSourceError):
        translate(Delivery({}, body, NOON), SHOP, PLACES)


def test_only_signed_bodies_are_heard() -> None:
    """One of several signatures has to be ours, over the very bytes of the body."""
    told = webhook()
    mark = hmac.new(b"s3cret", told.body, hashlib.sha256).hexdigest()
    verify(Delivery({"x-pagerduty-signature": f"v1={'0' * 64},v1={mark}"}, told.body, NOON), b"s3cret")
    for headers, body in (
        ({}, told.body),
        ({"x-pagerduty-signature": f"v0={mark}"}, told.body),
        ({"x-pagerduty-signature": f"v1={mark}"}, told.body + b" "),
    ):
        with pytest.raises(RefusedDeliveryError):
            verify(Delivery(headers, body, NOON), b"s3cret")
