"""Alertmanager's webhook, version 4: groups of alerts to events, each alert once however often it is repeated.

Source: Prometheus Alertmanager documentation, "webhook_config". Annotations are templates whose text changes from one
notification to the next, and groups change their members; an event is told by the alert's labels and start alone.
"""

from dataclasses import dataclass
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import facts_of
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_token
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event, Severity

VERSION: Final = "4"
MOST_ALERTS: Final = 10_000
_MOST_LABELS: Final = 64

_SEVERITIES: Final[dict[str, Severity]] = {
    "critical": "fatal", "page": "fatal", "fatal": "fatal", "emergency": "fatal",
    "error": "error", "major": "error", "high": "error",
    "warning": "warn", "warn": "warn", "minor": "warn", "medium": "warn",
    "info": "info", "low": "info", "none": "info",
}  # fmt: skip

_ATTRIBUTES: Final = {
    "service": "service.name", "deployment": "k8s.deployment.name", "statefulset": "k8s.statefulset.name",
    "daemonset": "k8s.daemonset.name", "namespace": "k8s.namespace.name", "node": "k8s.node.name",
    "pod": "k8s.pod.name",
}  # fmt: skip
"""Labels of the usual exporters and the OpenTelemetry resource attributes that say the same."""


@dataclass(frozen=True)
class AlertmanagerConfig:
    """How alerts are read.

    Attributes:
        entity_labels: Labels that may name the entity, the most telling first.
        severity_label: Label with the severity.
    """

    entity_labels: tuple[str, ...] = (
        "entity", "service", "deployment", "statefulset", "app", "proxy", "job", "node", "instance",
    )  # fmt: skip
    severity_label: str = "severity"


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the bearer token; Alertmanager signs nothing (``http_config.authorization.credentials``).

    Raises:
        RefusedDeliveryError: When it is not the one agreed on.
    """
    require_token(secret, delivery.headers.get("authorization"))


def translate(delivery: Delivery, system: SystemKey, places: Places, config: AlertmanagerConfig | None = None) -> Facts:
    """Return the events that a notification tells.

    Args:
        delivery: The request.
        system: Whose alerts they are.
        places: Its entities.
        config: How alerts are read.

    Raises:
        TerminalSourceError: When the body is no notification of version 4.
    """
    config = config or AlertmanagerConfig()
    document = delivery.document()
    if document.get("version") != VERSION:
        raise TerminalSourceError(f"version is {text_of(document.get('version'), 40)!r}, {VERSION!r} is understood")
    alerts = document.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > MOST_ALERTS:
        raise TerminalSourceError(f"'alerts' has to be a list of at most {MOST_ALERTS} alerts")
    facts = Facts()
    for index, alert in enumerate(alerts):
        facts += _alert(alert, f"alerts[{index}]", delivery, places, config)
    cut = document.get("truncatedAlerts")
    if isinstance(cut, int) and cut > 0:
        facts += Facts(left_out=(f"the sender left out {cut} alerts of this group; raise its max_alerts",))
    return facts


def _alert(alert: Any, where: str, delivery: Delivery, places: Places, config: AlertmanagerConfig) -> Facts:
    labels = _texts(alert.get("labels")) if isinstance(alert, dict) else None
    if labels is None or not labels.get("alertname"):
        return Facts(left_out=(f"{where}: it has no labels with 'alertname'",))
    started, name = instant(alert.get("startsAt")), labels["alertname"]
    if started is None:
        return Facts(left_out=(f"{where} ({name}): 'startsAt' is no instant",))
    resolved = alert.get("status") == "resolved"
    at = instant(alert.get("endsAt")) if resolved else started
    if at is None:
        return Facts(left_out=(f"{where} ({name}): it is resolved and 'endsAt' is no instant",))
    names = [labels[label] for label in config.entity_labels if labels.get(label)]
    place = places.find(names, {_ATTRIBUTES[key]: value for key, value in labels.items() if key in _ATTRIBUTES})
    fingerprint = text_of(alert.get("fingerprint"), 64) or "|".join(f"{k}={v}" for k, v in sorted(labels.items()))[:200]
    step = f"resolved:{at:%Y%m%dT%H%M%S.%f}" if resolved else "fired"
    return facts_of(
        f"{where} ({name})",
        lambda: Event(
            event_id=f"alertmanager:{fingerprint}:{started:%Y%m%dT%H%M%S.%f}:{step}",
            type="alert_resolved" if resolved else "alert_fired",
            entity_id=place.entity_id if place else None,
            event_at=at,
            known_at=delivery.received_at,
            name=name,
            severity=_SEVERITIES.get(labels.get(config.severity_label, "").lower(), "warn"),
            attributes=labels,
        ),
    )


def _texts(labels: Any) -> dict[str, str] | None:
    if not isinstance(labels, dict):
        return None
    return {text_of(key, 200): text_of(value) for key, value in list(labels.items())[:_MOST_LABELS]}


WEBHOOK: Final = Webhook("Prometheus Alertmanager, version 4", "bearer token", verify, translate)
