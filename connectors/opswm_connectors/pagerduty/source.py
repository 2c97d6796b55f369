"""PagerDuty's webhooks, version 3: incidents that were triggered and resolved.

Source: PagerDuty developer documentation, "V3 webhook payload" and "Verifying webhook signatures".
"""

from collections.abc import Mapping
from typing import Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import text_at
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import facts_of
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_signature
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event

SOURCE: Final = "pagerduty"
_OPENED: Final = ("incident.triggered", "incident.reopened")
_CLOSED: Final = ("incident.resolved",)
_SCHEME: Final = "v1="


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the signature: HMAC-SHA256 of the body, one ``v1=`` for each secret that is in force.

    Raises:
        RefusedDeliveryError: When none fits.
    """
    given = delivery.headers.get("x-pagerduty-signature", "").split(",")
    marks = [text.strip().removeprefix(_SCHEME) for text in given if text.strip().startswith(_SCHEME)]
    require_signature(secret, delivery.body, marks)


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the events that a webhook tells; other types of event are passed over.

    Args:
        delivery: The request.
        system: Whose incidents they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When the body is no webhook of version 3.
    """
    event = delivery.document().get("event")
    data = event.get("data") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(data, Mapping):
        raise TerminalSourceError("a webhook of version 3 has an object 'event' with an object 'data'")
    kind = text_of(event.get("event_type"), 100)
    if kind not in (*_OPENED, *_CLOSED):
        return Facts()
    told = f"{kind} {text_of(data.get('id'), 100)}"
    moment = instant(event.get("occurred_at"))
    if moment is None:
        return Facts(left_out=(f"{told}: 'occurred_at' is no instant",))
    place = places.find([text_at(data, "service", "summary"), text_at(data, "service", "id")])
    return facts_of(
        told,
        lambda: Event(
            event_id=f"{SOURCE}:{text_at(event, 'id', limit=100) or told}",
            type="incident_closed" if kind in _CLOSED else "incident_opened",
            entity_id=place.entity_id if place else None,
            name=text_at(data, "title", limit=1_000) or told,
            event_at=moment,
            known_at=delivery.received_at,
            severity="error" if data.get("urgency") == "high" and kind not in _CLOSED else "info",
            attributes={
                "incident": text_at(data, "id"),
                "service": text_at(data, "service", "summary"),
                "priority": text_at(data, "priority", "summary"),
            },
        ),
    )


WEBHOOK: Final = Webhook("PagerDuty, version 3", "HMAC-SHA256 of the body", verify, translate)
