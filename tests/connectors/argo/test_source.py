"""Argo CD's applications and Argo Rollouts' events to actions."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opswm_connectors.argo.applications import translate_application
from opswm_connectors.argo.rollouts import translate_event
from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
PLACES = Places([Entity(entity_id="cart", kind="service", attributes={"k8s.deployment.name": "cart-api"})])
HISTORY = [
    {"revision": "aaa", "deployedAt": "2026-03-01T10:00:00Z"},
    {"revision": "bbb", "deployedAt": "2026-03-02T10:00:00Z"},
]


def told(document: Any) -> Delivery:
    """Return a delivery of a document."""
    return Delivery({}, json.dumps(document).encode(), NOON)


def application(revision: str = "ccc", phase: str = "Succeeded", wrapped: bool = False, **state: Any) -> Delivery:
    """Return an application whose last sync began a minute before noon."""
    operation = {"sync": {"revision": revision}, "initiatedBy": {"username": "anna"}}
    found = {
        "phase": phase, "startedAt": "2026-03-02T11:59:00Z", "finishedAt": "2026-03-02T11:59:30Z", "message": "so",
        "operation": operation,
    } | state  # fmt: skip
    if phase == "Running":
        del found["finishedAt"]
    whole = {
        "kind": "Application", "metadata": {"name": "cart", "uid": "u-1"},
        "spec": {"destination": {"namespace": "shop"}}, "status": {"operationState": found, "history": HISTORY},
    }  # fmt: skip
    return told({"app": whole} if wrapped else whole)


@pytest.mark.parametrize(
    ("phase", "status"), [("Succeeded", "succeeded"), ("Failed", "failed"), ("Error", "failed"), ("Running", "started")]
)
def test_a_sync_is_a_deployment(phase: str, status: str) -> None:
    """A sync to a new revision deploys it, begins and ends as the operation says."""
    (action,) = translate_application(application(phase=phase, wrapped=True), SHOP, PLACES).actions
    assert (action.type, action.status, action.actor.id) == ("deploy", status, "anna")
    assert action.params.model_dump()["version"] == "ccc"
    assert action.first_at("started") == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)


def test_a_sync_to_an_earlier_revision_is_a_rollback() -> None:
    """What stood before the present revision in the history is returned to; the present one again is a deployment."""
    (back,) = translate_application(application("aaa"), SHOP, PLACES).actions
    assert back.params.model_dump() == {"type": "rollback", "to_version": "aaa"}
    (again,) = translate_application(application("bbb"), SHOP, PLACES).actions
    assert again.type == "deploy"


def test_an_operation_is_one_action_however_often_it_is_told() -> None:
    """The same operation under way and done is one action; automated syncs are a bot's."""
    under_way = translate_application(application(phase="Running"), SHOP, PLACES).actions[0]
    done = translate_application(application(), SHOP, PLACES).actions[0]
    assert under_way.action_id == done.action_id
    automated = {"sync": {"revision": "ccc"}, "initiatedBy": {"automated": True}}
    assert translate_application(application(operation=automated), SHOP, PLACES).actions[0].actor.kind == "bot"


def test_applications_that_tell_no_sync() -> None:
    """No operation says nothing; an operation without start, of nobody or of another time is told."""
    assert translate_application(application(operation={}), SHOP, PLACES) == Facts()
    for given, places, reason in (
        (application(startedAt=None), PLACES, "startedAt"),
        (application(), Places([]), "alias"),
        (application(startedAt="2026-05-02T11:59:00Z"), PLACES, "more than a day before"),
    ):
        facts = translate_application(given, SHOP, places)
        assert facts.actions == ()
        assert reason in facts.left_out[0]


def event(reason: str, message: str = "", kind: str = "Rollout", **changes: Any) -> Delivery:
    """Return a Kubernetes event about a rollout."""
    about = {"kind": kind, "name": "cart-api", "namespace": "shop"}
    document = {
        "kind": "Event", "metadata": {"uid": "e-1"}, "involvedObject": about, "reason": reason, "message": message,
        "lastTimestamp": "2026-03-02T11:58:00Z", "eventTime": None,
    }  # fmt: skip
    return told(document | changes)


@pytest.mark.parametrize(
    ("reason", "message", "params"),
    [
        ("RolloutPaused", "", {"type": "rollout_control", "op": "pause", "step": None}),
        ("RolloutResumed", "", {"type": "rollout_control", "op": "promote", "step": None}),
        ("RolloutAborted", "web failed", {"type": "rollout_control", "op": "abort", "step": None}),
        (
            "TrafficWeightUpdated", "Traffic weight updated from 10 to 25",
            {"type": "traffic_shift", "weights": {"canary": 0.25, "stable": 0.75}},
        ),
    ],
)  # fmt: skip
def test_events_of_a_rollout_are_actions(reason: str, message: str, params: dict[str, Any]) -> None:
    """Pauses, promotions, aborts and weights are the controller's actions on the rollout's entity."""
    (action,) = translate_event(event(reason, message), SHOP, PLACES).actions
    assert action.params.model_dump() == params
    assert (action.target.entity_id, action.status, action.actor.kind) == ("cart", "succeeded", "bot")


def test_events_that_are_no_action() -> None:
    """Other reasons are passed over; what has no moment or entity is told; other objects are refused."""
    assert translate_event(event("ScalingReplicaSet"), SHOP, PLACES) == Facts()
    assert translate_event(event("TrafficWeightUpdated", "to 900"), SHOP, PLACES) == Facts()
    assert "instant" in translate_event(event("RolloutPaused", lastTimestamp="now"), SHOP, PLACES).left_out[0]
    assert "alias" in translate_event(event("RolloutPaused"), SHOP, Places([])).left_out[0]
    for given in (event("RolloutPaused", kind="Pod"), told({}), told({"kind": "Event", "involvedObject": 1})):
        with pytest.raises(TerminalSourceError):
            translate_event(given, SHOP, PLACES)
    with pytest.raises(TerminalSourceError):
        translate_application(told({"kind": "Rollout"}), SHOP, PLACES)
