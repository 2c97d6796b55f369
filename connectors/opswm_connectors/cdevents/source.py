"""CDEvents over CloudEvents 1.0.2, in structured or binary mode: deployments, rollbacks and incidents.

Source: CDEvents specification 0.4 to 0.6, "Continuous Deployment Events" and "Incident Events". Service events say that
something was done, not when it began nor how it ended up, so they are dated at their own timestamp.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import unquote

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_token
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.actions.parameters import Deploy, Parameters, Rollback
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event

EventType = Literal["state_change", "incident_opened", "incident_closed"]

SOURCE: Final = "cdevents"
_TYPE: Final = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)\.(\d+)\.\d+\.\d+(?:-[a-z0-9.-]+)?")
_DEPLOYS: Final = ("deployed", "upgraded")
_NO_START: Final = "the event tells no start; dated when it was done"


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the bearer token (CloudEvents HTTP webhook specification 1.0, "Authorization").

    Raises:
        RefusedDeliveryError: When it is not the one agreed on.
    """
    require_token(secret, delivery.headers.get("authorization"))


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return what a CDEvent tells; types that say nothing about a running system are passed over.

    Args:
        delivery: The request.
        system: Whose facts they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When the body is no CDEvent.
    """
    said = _read(_cdevent(delivery), delivery)
    if said.subject_type == "service":
        return _service(said, system, places)
    return _incident(said, places) if said.subject_type == "incident" else Facts()


@dataclass(frozen=True)
class _Said:
    """The parts of a CDEvent that every type has."""

    subject_type: str
    predicate: str
    event_id: str
    at: datetime
    known_at: datetime
    subject_id: str
    content: Mapping[str, Any]

    @property
    def words(self) -> str:
        return f"{self.subject_type}.{self.predicate} {self.event_id}"


def _read(document: Mapping[str, Any], delivery: Delivery) -> _Said:
    context, subject = document.get("context"), document.get("subject")
    if not isinstance(context, Mapping) or not isinstance(subject, Mapping):
        raise TerminalSourceError("a CDEvent has an object 'context' and an object 'subject'")
    kind = _TYPE.fullmatch(text_of(context.get("type"), 200))
    if kind is None:
        raise TerminalSourceError(f"context.type {text_of(context.get('type'), 80)!r} is no type of CDEvents")
    at, event_id = instant(context.get("timestamp")), text_of(context.get("id"), 100)
    if at is None or not event_id:
        raise TerminalSourceError("'context' needs an 'id' and a 'timestamp' in RFC 3339")
    content = subject.get("content")
    return _Said(
        subject_type=kind[1],
        predicate=kind[2],
        event_id=event_id,
        at=at,
        known_at=delivery.received_at,
        subject_id=text_of(subject.get("id"), 200),
        content=content if isinstance(content, Mapping) else {},
    )


def _service(said: _Said, system: SystemKey, places: Places) -> Facts:
    artifact = text_of(said.content.get("artifactId"))
    name, version = _package(artifact)
    place = places.find([said.subject_id, said.subject_id.rpartition("/")[2], name])
    if place is None:
        called = f"{said.subject_id!r} or {name!r}"
        return Facts(left_out=(f"{said.words}: no entity is called {called}; add an alias",))
    params: Parameters
    if said.predicate in _DEPLOYS:
        params = Deploy(artifact=artifact or None, version=version or "unknown")
    elif said.predicate == "rolledback":
        params = Rollback(to_version=version or None)
    else:
        return Facts(
            events=(_event(said, "state_change", f"service {said.predicate}", place.entity_id, said.event_id),)
        )
    steps: list[Step] = [("started", said.at, _NO_START), ("succeeded", said.at, "")]
    return facts_of(
        said.words,
        lambda: observed_action(
            system, SOURCE, said.event_id, place, params, steps, said.known_at, ("bot", "pipeline")
        ),
    )


def _incident(said: _Said, places: Places) -> Facts:
    service = said.content.get("service")
    named = text_of(service.get("id") if isinstance(service, Mapping) else None, 250)
    name, _ = _package(text_of(said.content.get("artifactId")))
    place = places.find([named, named.rpartition("/")[2], name])
    kind: Literal["incident_opened", "incident_closed"] = (
        "incident_closed" if said.predicate == "resolved" else "incident_opened"
    )
    words = text_of(said.content.get("description")) or f"incident {said.subject_id}"
    event_id = f"{said.subject_id}:{said.predicate}"
    entity_id = place.entity_id if place else None
    return facts_of(said.words, lambda: _event(said, kind, words, entity_id, event_id))


def _event(said: _Said, kind: EventType, name: str, entity_id: str | None, event_id: str) -> Event:
    return Event(
        event_id=f"{SOURCE}:{event_id}",
        type=kind,
        entity_id=entity_id,
        name=name,
        event_at=said.at,
        known_at=said.known_at,
        severity="error" if kind == "incident_opened" else "info",
        attributes={"subject": said.subject_id},
    )


def _cdevent(delivery: Delivery) -> dict[str, Any]:
    """Return the CDEvent out of its CloudEvent, or bare; the body is bounded before any library reads it."""
    document = delivery.document()
    if "context" in document and not any(name.startswith("ce-") for name in delivery.headers):
        return document
    try:
        data = from_http(HTTPMessage(dict(delivery.headers), delivery.body), JSONFormat()).get_data()
    except (BaseCloudEventException, ValueError, TypeError, KeyError) as problem:
        raise TerminalSourceError(f"the body is no CloudEvent: {text_of(problem, 300)}") from problem
    if not isinstance(data, dict):
        raise TerminalSourceError("the CloudEvent carries no JSON object as its data")
    return data


def _package(purl: str) -> tuple[str, str]:
    """Return name and version of a package URL such as ``pkg:oci/cart@sha256%3A0b31``."""
    path, _, version = purl.partition("?")[0].partition("#")[0].removeprefix("pkg:").partition("@")
    return unquote(path.rpartition("/")[2]), unquote(version)


WEBHOOK: Final = Webhook("CDEvents over CloudEvents 1.0.2", "bearer token", verify, translate)
