"""The Kubernetes audit log (``audit.k8s.io/v1``), from its webhook or its file, to typed actions.

An event tells that a request was made and answered, not what came of it: a refused request has failed, an accepted one
has started. What it came to is read from the conditions of the object afterwards (:mod:`.outcomes`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.kubernetes.objects import partial_object
from opswm_connectors.kubernetes.readings import READERS
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import at
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.places import Place, Places
from opswm_connectors.webhooks.signatures import require_token
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.actions.record import Action, Actor, Source, Target, Transition
from opswm_schemas.plausible import clock_problem
from opswm_schemas.ports import SystemKey

API_VERSION: Final = "audit.k8s.io/v1"
MOST_EVENTS: Final = 10_000
FINAL_STAGES: Final = ("ResponseComplete", "Panic")

_CONTROLLERS: Final = re.compile(r"system:(serviceaccount:kube-system:.*-controller|kube-controller-manager|node:.*)")
_AUTOSCALERS: Final = re.compile(r"system:serviceaccount:[^:]+:(keda-operator.*|.*autoscaler.*)")
_POD: Final = re.compile(r"(.+?)(?:-[0-9a-f]{5,10})?-(?:[0-9a-z]{5}|\d+)")
_ATTRIBUTE: Final = {
    "deployments": "k8s.deployment.name", "rollouts": "k8s.deployment.name", "statefulsets": "k8s.statefulset.name",
    "daemonsets": "k8s.daemonset.name", "nodes": "k8s.node.name", "replicasets": "k8s.replicaset.name",
}  # fmt: skip
_OWNERS: Final = ("k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name")
"""What a pod, an autoscaler or a route may belong to; they are named after it."""


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the bearer token; the API server's webhook authenticates with its kubeconfig (``token``).

    Raises:
        RefusedDeliveryError: When it is not the one agreed on.
    """
    require_token(secret, delivery.headers.get("authorization"))


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the actions that an ``EventList`` or a single event tells.

    Args:
        delivery: The request of the webhook, or a line of the audit file.
        system: Whose actions they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When the body is neither.
    """
    document = delivery.document()
    kind = document.get("kind")
    events = document.get("items") if kind == "EventList" else [document] if kind == "Event" else None
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise TerminalSourceError(
            f"kind is {text_of(kind, 40)!r}; an Event or an EventList of at most {MOST_EVENTS} of {API_VERSION} is read"
        )
    facts = Facts()
    for index, event in enumerate(events):
        facts += _event(event, f"items[{index}]", delivery, system, places)
    return facts


def _event(event: Any, where: str, delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    if not isinstance(event, Mapping) or event.get("stage") not in FINAL_STAGES:
        return Facts()
    resource, verb = text_of(at(event, "objectRef", "resource"), 100), text_of(event.get("verb"), 40)
    reader = READERS.get((resource, text_of(at(event, "objectRef", "subresource"), 100), verb))
    user = text_of(at(event, "user", "username"), 250)
    if reader is None or (_CONTROLLERS.fullmatch(user) and not _AUTOSCALERS.fullmatch(user)):
        return Facts()
    name = text_of(at(event, "objectRef", "name") or at(event, "requestObject", "metadata", "name"), 250)
    told = f"{where} ({verb} {resource} {name})"
    body = event.get("requestObject")
    if body is None and (resource, verb) != ("pods", "delete"):
        return Facts(left_out=(f"{told}: the audit level leaves out the request; log {resource} at level Request",))
    started = instant(event.get("requestReceivedTimestamp"))
    if started is None:
        return Facts(left_out=(f"{told}: 'requestReceivedTimestamp' is no instant",))
    aimed_at = text_of(at(body, "spec", "scaleTargetRef", "name"), 250)  # of an autoscaler
    place = _place(places, resource, aimed_at or name, text_of(at(event, "objectRef", "namespace"), 250))
    if place is None:
        return Facts(left_out=(f"{told}: no entity of the system is meant; add an alias, or its k8s attributes",))
    try:
        found = reader(name, partial_object(body if body is not None else {}))
        actions = [_action(event, number, given, place, system, user, delivery) for number, given in enumerate(found)]
    except (ValidationError, TerminalSourceError) as problem:
        why = problem.errors()[0]["msg"] if isinstance(problem, ValidationError) else str(problem)
        return Facts(left_out=(f"{told}: {why}",))
    late = [early for action in actions for fact in action.transitions if (early := clock_problem(fact))]
    return Facts(left_out=(f"{told}: {late[0]}",)) if late else Facts(actions=tuple(actions))


def _action(
    event: Mapping[str, Any],
    number: int,
    given: Parameters,
    place: Place,
    system: SystemKey,
    user: str,
    delivery: Delivery,
) -> Action:
    audit_id = text_of(event.get("auditID"), 100)
    if not audit_id:
        raise TerminalSourceError("'auditID' is missing")
    started, ended = instant(event.get("requestReceivedTimestamp")), instant(event.get("stageTimestamp"))
    code = at(event, "responseStatus", "code")
    refused = event.get("stage") == "Panic" or (isinstance(code, int) and code >= 400)
    assert started is not None
    facts = [Transition(status="started", event_at=started, known_at=delivery.received_at, source=API_VERSION)]
    if refused:
        note = text_of(at(event, "responseStatus", "message") or f"answered with {code}", 500)
        facts.append(
            Transition(
                status="failed", event_at=ended or started, known_at=delivery.received_at, source=API_VERSION, note=note
            )
        )
    return Action(
        action_id=f"k8s:{audit_id}" if number == 0 else f"k8s:{audit_id}:{number}",
        tenant_id=system.tenant_id,
        system_id=system.system_id,
        type=given.type,
        target=Target(entity_id=place.entity_id),
        params=given,
        transitions=facts,
        actor=Actor(kind=_actor_kind(user), id=user or "unknown"),
        source=Source(system="kubernetes-audit", event_id=audit_id),
        confidence=place.confidence,
    )


def _actor_kind(user: str) -> Any:
    if _AUTOSCALERS.fullmatch(user):
        return "autoscaler"
    return "bot" if user.startswith("system:") else "human"


def _place(places: Places, resource: str, name: str, namespace: str) -> Place | None:
    owner = name
    if resource == "pods" and (found := _POD.fullmatch(name)):
        owner = found[1]
    spaced: Sequence[str] = [f"{namespace}/{owner}", owner] if namespace else [owner]
    for key in [_ATTRIBUTE[resource]] if resource in _ATTRIBUTE else _OWNERS:
        if place := places.find([], {key: owner, "k8s.namespace.name": namespace}):
            return place
    return places.find(spaced)


WEBHOOK: Final = Webhook("Kubernetes audit log, audit.k8s.io/v1", "bearer token", verify, translate)
