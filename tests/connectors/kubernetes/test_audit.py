"""The Kubernetes audit log to typed actions: each kind of change, who made it, and what cannot be read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.kubernetes.audit import translate
from opswm_connectors.webhooks.delivery import Delivery
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import Entity
from tests.connectors.kubernetes.events import HPA, NOON, PLACES, REPLICASETS, SHOP, delivery, event
from tests.connectors.placed import placed

FIXTURES = Path(os.environ.get("OPSWM_DATA", "../shared/data")) / "connector_fixtures" / "k8s_audit"


def actions(*events: Any) -> tuple[Action, ...]:
    """Return the actions that events tell, all of which can be read."""
    facts = translate(delivery(*events), SHOP, PLACES)
    assert facts.left_out == ()
    return facts.actions


def template(**container: Any) -> dict[str, Any]:
    """Return a patch of a workload's first container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", **container}]}}}}


RESTARTED = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
HPA_SPEC = {
    "minReplicas": 2,
    "maxReplicas": 9,
    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 65}}}],
}
LIMITS = {"cpu": "1500m", "memory": "2Gi"}
EVICTION = {"deleteOptions": {"gracePeriodSeconds": 30}}
PATIENCE = {"timeout": "1.5s", "retries": {"attempts": 2}}
ROUTES = [
    {"destination": {"host": "cart", "subset": "v1"}, "weight": 90},
    {"destination": {"host": "cart", "subset": "v2"}, "weight": 10},
]


@pytest.mark.parametrize(
    ("told", "action_type", "target", "params"),
    [
        (event("patch", "deployments", "cart-api", RESTARTED), "restart", "cart", {"scope": "rolling"}),
        (
            event("patch", "deployments", "cart-api", template(image="registry:5000/shop/cart:1.4.2")),
            "deploy", "cart", {"version": "1.4.2", "artifact": "registry:5000/shop/cart:1.4.2"},
        ),
        (
            event("patch", "statefulsets", "postgres", {"spec": {"replicas": 3}}, "scale"),
            "scale_horizontal", "orders-db", {"to_replicas": 3},
        ),
        (
            event("patch", "deployments", "cart-api", [{"op": "replace", "path": "/spec/replicas", "value": 0}]),
            "scale_horizontal", "cart", {"to_replicas": 0},
        ),
        (
            event("patch", "deployments", "cart-api", template(resources={"limits": LIMITS})),
            "scale_vertical", "cart", {"cpu_cores": 1.5, "memory_bytes": 2.0 * 2**30},
        ),
        (
            event("update", "horizontalpodautoscalers", "cart-api", {"spec": HPA_SPEC}),
            "autoscaler_policy", "cart", {"min_replicas": 2, "max_replicas": 9, "target_ratio": 0.65},
        ),
        (event("patch", "nodes", "node-7", {"spec": {"unschedulable": True}}), "cordon", "node-7", {"node": "node-7"}),
        (
            event("create", "pods", "cart-api-7998647bdf-phvq7", EVICTION, "eviction"),
            "drain", "cart", {"grace_s": 30.0},
        ),
        (event("delete", "pods", "postgres-0", None), "kill_instance", "orders-db", {"count": 1}),
        (
            event("patch", "virtualservices", "cart", {"spec": {"http": [{"route": ROUTES}]}}),
            "traffic_shift", "cart", {"weights": {"v1": 0.9, "v2": 0.1}},
        ),
        (
            event("patch", "virtualservices", "cart", {"spec": {"http": [PATIENCE]}}),
            "timeout_retry", "cart", {"timeout_s": 1.5, "max_retries": 2},
        ),
        (
            event(
                "create", "destinationrules", "cart",
                {"spec": {"trafficPolicy": {
                    "connectionPool": {"tcp": {"maxConnections": 40}}, "outlierDetection": {"baseEjectionTime": "3m"},
                }}},
            ),
            "circuit_break", "cart", {"max_connections": 40, "eject_s": 180.0},
        ),
        (
            event("create", "networkpolicies", "cart", {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
            "quarantine", "cart", {"mode": "network"},
        ),
        (
            event("patch", "configmaps", "cart-settings", {"data": {"pool.size": "40"}}),
            "config_change", "cart", {"key": "cart-settings/pool.size", "new": "40"},
        ),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_its_type_of_action(
    told: dict[str, Any], action_type: str, target: str, params: dict[str, Any]
) -> None:
    """What was set becomes the parameters, in canonical units, of the type of action that it is, on its entity."""
    (action,) = actions(told)
    assert (action.type, action.target.entity_id) == (action_type, target)
    given = action.params.model_dump(exclude_none=True)
    assert {name: given[name] for name in params} == params
    assert action.status == "started"
    assert action.actor.kind == "human"
    assert action.first_at("started", NOON) is not None


def test_one_request_may_be_several_actions() -> None:
    """A patch that restarts and deploys is both, each under an id of its own; told again it is the same."""
    both = template(image="cart:2")
    both["spec"]["template"]["metadata"] = RESTARTED["spec"]["template"]["metadata"]
    told = event("patch", "deployments", "cart-api", both)
    assert [action.type for action in actions(told)] == ["restart", "deploy"]
    assert [action.action_id for action in actions(told, told)] == ["k8s:6a1f", "k8s:6a1f:1"] * 2


def test_a_refused_request_has_failed() -> None:
    """An answer of 400 or more ends the action, with the server's words."""
    refusal = {"code": 409, "message": "the object has been modified"}
    (action,) = actions(event("patch", "deployments", "cart-api", RESTARTED, responseStatus=refusal))
    assert action.status == "failed"
    assert "modified" in action.transitions[-1].note


def test_autoscalers_are_told_apart_and_controllers_left_out() -> None:
    """What an autoscaler did is labelled so; what a controller does to keep its promise is no action."""
    (scaled,) = actions(event("update", "deployments", "cart-api", {"spec": {"replicas": 4}}, "scale", user=HPA))
    assert scaled.actor.kind == "autoscaler"
    assert actions(event("delete", "pods", "cart-api-7998647bdf-phvq7", None, user=REPLICASETS)) == ()


@pytest.mark.parametrize(
    "told",
    [
        event("get", "deployments", "cart-api", None),
        event("patch", "deployments", "cart-api", RESTARTED, stage="RequestReceived"),
        event("update", "deployments", "cart-api", {"spec": {"replicas": 3}}),
        event("patch", "nodes", "node-7", {"spec": {"unschedulable": None}}),
        event("create", "networkpolicies", "cart", {"spec": {"ingress": [{"from": []}]}}),
        event("patch", "virtualservices", "cart", {"spec": {"http": [{"route": ROUTES[:1]}]}}),
        event("patch", "deployments", "cart-api", {"metadata": {"labels": {"team": "shop"}}}),
        event("patch", "deployments", "cart-api", {"spec": {"replicas": -3}}),
        "text",
    ],
)
def test_what_is_no_action_says_nothing(told: Any) -> None:
    """Reads, earlier stages, whole objects that tell no change, and changes nobody acts by are passed over."""
    assert actions(told) == ()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (event("patch", "deployments", "cart-api", None, level="Metadata"), "level Request"),
        (event("patch", "deployments", "unknown", RESTARTED), "alias"),
        (event("patch", "deployments", "cart-api", RESTARTED, requestReceivedTimestamp="soon"), "instant"),
        (event("patch", "deployments", "cart-api", RESTARTED, auditID=None), "auditID"),
        (event("patch", "deployments", "cart-api", ["text"]), "JSON Patch"),
        (
            event("patch", "deployments", "cart-api", [{"op": "add", "path": "/a" * 5_000, "value": 1}]),
            "keys; no object nests as deep",
        ),
        (
            event("patch", "deployments", "cart-api", RESTARTED, requestReceivedTimestamp="2026-05-02T12:00:00Z"),
            "more than a day before",
        ),
    ],
)
def test_what_cannot_be_read_is_told(told: dict[str, Any], reason: str) -> None:
    """An event that would be an action and cannot be read is left out with its place and what to do."""
    facts = translate(delivery(told), SHOP, PLACES)
    assert facts.actions == ()
    assert len(facts.left_out) == 1
    assert facts.left_out[0].startswith("items[0]")
    assert reason in facts.left_out[0]


def test_bodies_of_other_kinds_are_refused() -> None:
    """Something else than audit events is a terminal error."""
    for document in ({"kind": "Pod"}, {"kind": "EventList", "items": {}}, {}):
        with pytest.raises(TerminalSourceError):
            translate(Delivery({}, json.dumps(document).encode(), NOON), SHOP, PLACES)


def test_events_of_a_real_cluster() -> None:
    """Recorded events: what people changed is read on the entities that are known, reads and controllers are not."""
    if not FIXTURES.is_dir():
        pytest.skip(f"recorded audit events are not in {FIXTURES}; set OPSWM_DATA")
    places = placed([Entity(entity_id="nginx", kind="service")], {"nginx-deployment": "nginx", "my-config": "nginx"})
    found = {}
    for path in sorted(FIXTURES.glob("*.json")):
        facts = translate(Delivery({}, path.read_bytes(), NOON), SHOP, places)
        assert facts.left_out == ()
        found[path.stem] = [action.type for action in facts.actions]
    assert {name: types for name, types in found.items() if types} == {
        "create_configmap": ["config_change"] * len(found["create_configmap"]),
        "create_deployment": ["deploy"],
    }
    assert found["create_configmap"]
