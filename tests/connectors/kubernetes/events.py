"""Audit events as an API server writes them, for the tests of the connector."""

import json
from datetime import UTC, datetime
from typing import Any

from opswm_connectors.webhooks.delivery import Delivery
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey
from tests.connectors.placed import placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
PLACES = placed(
    [
        Entity(
            entity_id="cart",
            kind="service",
            attributes={"k8s.deployment.name": "cart-api", "k8s.namespace.name": "shop"},
        ),
        Entity(
            entity_id="orders-db",
            kind="database",
            attributes={"k8s.statefulset.name": "postgres", "k8s.namespace.name": "shop"},
        ),
        Entity(entity_id="node-7", kind="host"),
    ],
    {"shop/cart-limits": "cart", "shop/cart-settings": "cart"},
)
HUMAN = "anna@example.org"
HPA = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
REPLICASETS = "system:serviceaccount:kube-system:replicaset-controller"


def event(
    verb: str,
    resource: str,
    name: str,
    body: Any,
    subresource: str = "",
    user: str = HUMAN,
    **changes: Any,
) -> dict[str, Any]:
    """Return an event at level Request about an object in namespace ``shop``."""
    reference = {"resource": resource, "namespace": "shop", "name": name, "apiVersion": "v1"}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "6a1f",
        "stage": "ResponseComplete",
        "level": "Request",
        "verb": verb,
        "user": {"username": user},
        "objectRef": reference | ({"subresource": subresource} if subresource else {}),
        "responseStatus": {"code": 200},
        "requestObject": body,
        "requestReceivedTimestamp": "2026-03-02T11:59:58.123456Z",
        "stageTimestamp": "2026-03-02T11:59:58.223456Z",
    } | changes


def delivery(*events: Any) -> Delivery:
    """Return a delivery of the audit webhook."""
    document = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": list(events)}
    return Delivery({}, json.dumps(document).encode(), NOON)
