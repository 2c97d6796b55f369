"""Chaos Mesh experiments to injected faults, which train and test and are never ranked.

Source: Chaos Mesh ``chaos-mesh.org/v1alpha1``: ``spec.action``, ``spec.duration`` and the events of
``status.experiment.containerRecords`` (``operation`` Apply or Recover, ``type`` Succeeded or Failed).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import at, members, text_at
from opswm_connectors.webhooks.instants import duration_s, instant
from opswm_connectors.webhooks.observed import ActorKind, Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Place, Places
from opswm_connectors.webhooks.signatures import require_token
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.actions.parameters import FaultInjection
from opswm_schemas.ports import SystemKey

SOURCE: Final = "chaos-mesh"
_GROUP: Final = "chaos-mesh.org/"
_KIND: Final = re.compile(r"([A-Z][A-Za-z]+)Chaos")
_APP_LABELS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app", "k8s-app")


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the bearer token of whoever forwards the objects.

    Raises:
        RefusedDeliveryError: When it is not the one agreed on.
    """
    require_token(secret, delivery.headers.get("authorization"))


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the fault that an experiment put in, with when it was applied and recovered.

    Args:
        delivery: The object as the API gives it, with its status.
        system: Whose faults they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When it is no experiment.
    """
    document = delivery.document()
    kind = _KIND.fullmatch(text_of(document.get("kind"), 100))
    if kind is None or not text_of(document.get("apiVersion"), 100).startswith(_GROUP):
        raise TerminalSourceError("this is no object of a kind '...Chaos' of chaos-mesh.org")
    spec, name = at(document, "spec"), text_of(at(document, "metadata", "name"), 200)
    told = f"{document['kind']} {name}"
    place = _place(at(spec, "selector"), places)
    if place is None:
        return Facts(left_out=(f"{told}: its selector fits no entity, or several; add an alias for its app label",))
    action = text_of(at(spec, "action"), 60)
    steps = sorted(_steps(document), key=lambda step: step[1])
    if not steps:
        return Facts()
    params = FaultInjection(
        kind=f"{kind[1].lower()}.{action}" if action else kind[1].lower(), duration_s=duration_s(at(spec, "duration"))
    )
    event_id = text_at(document, "metadata", "uid", limit=100) or name
    injector: tuple[ActorKind, str] = ("fault_injector", name)
    return facts_of(
        told,
        lambda: observed_action(system, SOURCE, event_id, place, params, steps, delivery.received_at, injector),
    )


def _steps(document: Mapping[str, Any]) -> Iterator[Step]:
    """Yield when it first worked anywhere and when it was last taken back; only failures make it failed."""
    events = [
        (text_of(event.get("operation"), 20), text_of(event.get("type"), 20), moment)
        for record in members(at(document, "status", "experiment", "containerRecords"))
        for event in members(record.get("events"))
        if (moment := instant(event.get("timestamp"))) is not None
    ]
    applied = [when for operation, kind, when in events if (operation, kind) == ("Apply", "Succeeded")]
    recovered = [when for operation, kind, when in events if (operation, kind) == ("Recover", "Succeeded")]
    refused = [when for operation, kind, when in events if (operation, kind) == ("Apply", "Failed")]
    if applied:
        yield "started", min(applied), f"applied to {len(applied)}"
        if recovered:
            yield "succeeded", max(recovered), "recovered"
    elif refused:
        yield "started", min(refused), ""
        yield "failed", max(refused), f"could not be applied to {len(refused)}"


def _place(selector: Any, places: Places) -> Place | None:
    labels = at(selector, "labelSelectors")
    names = [text_of(at(labels, label), 250) for label in _APP_LABELS if at(labels, label)]
    namespaces = at(selector, "namespaces")
    namespace = text_of(namespaces[0], 250) if isinstance(namespaces, list) and len(namespaces) == 1 else ""
    for name in names:
        if place := places.find([], {"k8s.deployment.name": name, "k8s.namespace.name": namespace}):
            return place
    return places.find(names)


WEBHOOK: Final = Webhook("Chaos Mesh experiments", "bearer token", verify, translate)
