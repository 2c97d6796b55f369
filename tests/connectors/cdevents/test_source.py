"""CDEvents to actions and events, in every mode that CloudEvents travel in."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from opswm_connectors.cdevents.source import translate
from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey
from tests.connectors.placed import placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
ENTITIES = [Entity(entity_id="cart", kind="service"), Entity(entity_id="web", kind="service")]
PLACES = placed(ENTITIES, {"myApp": "web"})
FIXTURES = Path(os.environ.get("OPSWM_DATA", "../shared/data")) / "connector_fixtures" / "cdevents"


def cdevent(kind: str = "service.deployed", subject: str = "/shop/cart", **content: Any) -> dict[str, Any]:
    """Return a CDEvent of a minute before noon."""
    return {
        "context": {
            "specversion": "0.4.1",
            "id": "e-1",
            "source": "/ci",
            "type": f"dev.cdevents.{kind}.0.2.0",
            "timestamp": "2026-03-02T11:59:00Z",
        },
        "subject": {"id": subject, "content": content},
    }


def bare(document: Any) -> Delivery:
    """Return a delivery of a CDEvent without its CloudEvent."""
    return Delivery({"content-type": "application/json"}, json.dumps(document).encode(), NOON)


def enveloped(document: dict[str, Any], binary: bool) -> Delivery:
    """Return a delivery of a CDEvent in a CloudEvent, as the SDK of CloudEvents writes it."""
    context = document["context"]
    event = CloudEvent(
        {
            "id": context["id"], "source": context["source"], "type": context["type"], "specversion": "1.0",
            "datacontenttype": "application/json",
        },
        document,
    )  # fmt: skip
    message = (to_binary if binary else to_structured)(event, JSONFormat())
    return Delivery({name.lower(): value for name, value in message.headers.items()}, message.body, NOON)


@pytest.mark.parametrize("mode", ["bare", "structured", "binary"])
def test_a_deployment_is_an_action_in_every_mode(mode: str) -> None:
    """Bare, structured and binary deliveries say the same: what was deployed where, dated at the event."""
    told = cdevent(artifactId="pkg:oci/cart@sha256%3A0b31?tag=2")
    facts = translate(bare(told) if mode == "bare" else enveloped(told, mode == "binary"), SHOP, PLACES)
    (action,) = facts.actions
    assert action.params.model_dump(exclude_none=True)["version"] == "sha256:0b31"
    assert (action.type, action.target.entity_id, action.status) == ("deploy", "cart", "succeeded")
    assert action.first_at("started", NOON) == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    assert action.actor.kind == "bot"
    assert "no start" in action.transitions[0].note


def test_a_rollback_names_the_version_it_returned_to() -> None:
    """A service that was rolled back is a rollback to its artifact's version."""
    (action,) = translate(bare(cdevent("service.rolledback", artifactId="pkg:oci/cart@1.4")), SHOP, PLACES).actions
    assert action.params.model_dump() == {"type": "rollback", "to_version": "1.4"}


def test_incidents_are_events_of_their_service() -> None:
    """Detected and resolved incidents open and close, each once."""
    told = {"description": "slow", "service": {"id": "myApp"}}
    opened, closed = (
        translate(bare(cdevent(f"incident.{what}", "i-7", **told)), SHOP, PLACES).events[0]
        for what in ("detected", "resolved")
    )
    assert (opened.type, opened.entity_id, opened.name) == ("incident_opened", "web", "slow")
    assert closed.type == "incident_closed"
    assert opened.event_id != closed.event_id


def test_what_says_nothing_about_a_running_system_is_passed_over() -> None:
    """Builds and tickets are no facts; a service removed or published is a change of state."""
    assert translate(bare(cdevent("build.finished")), SHOP, PLACES) == translate(
        bare(cdevent("ticket.closed")), SHOP, PLACES
    )
    (event,) = translate(bare(cdevent("service.removed")), SHOP, PLACES).events
    assert (event.type, event.name, event.entity_id) == ("state_change", "service removed", "cart")


@pytest.mark.parametrize(
    "document",
    [
        {}, {"context": {}, "subject": {}}, {"context": [], "subject": {}}, cdevent("nonsense"),
        cdevent() | {"context": cdevent()["context"] | {"timestamp": "noon"}},
        cdevent() | {"context": cdevent()["context"] | {"id": ""}},
        {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": [1]},
        {"specversion": "1.0", "id": "1", "type": "t"},
        {"specversion": "9", "id": "1", "source": "s", "type": "t", "data": {}},
    ],
)  # fmt: skip
def test_what_is_no_cdevent_is_refused(document: Any) -> None:
    """Other documents and broken envelopes are terminal errors, never another exception."""
    with pytest.raises(TerminalSourceError):
        translate(bare(document), SHOP, PLACES)


def test_an_unknown_service_is_told() -> None:
    """A deployment of nobody known is left out with what it was called."""
    facts = translate(bare(cdevent(subject="billing")), SHOP, PLACES)
    assert facts.actions == ()
    assert "'billing'" in facts.left_out[0]


def test_the_examples_of_the_specification() -> None:
    """Every conformance example is read: services act, incidents are events, the rest is passed over."""
    if not FIXTURES.is_dir():
        pytest.skip(f"the examples of CDEvents are not in {FIXTURES}; set OPSWM_DATA")
    places = placed(ENTITIES, {"mySubject123": "cart", "myApp": "web"})
    found = {}
    for path in sorted(FIXTURES.glob("*.json")):
        facts = translate(Delivery({}, path.read_bytes(), NOON), SHOP, places)
        assert facts.left_out == ()
        told = [*(action.type for action in facts.actions), *(event.type for event in facts.events)]
        if told:
            found[path.stem] = told
    assert found == {
        "incident_detected": ["incident_opened"], "incident_reported": ["incident_opened"],
        "incident_resolved": ["incident_closed"], "service_deployed": ["deploy"], "service_published": ["state_change"],
        "service_removed": ["state_change"], "service_rolledback": ["rollback"], "service_upgraded": ["deploy"],
    }  # fmt: skip
