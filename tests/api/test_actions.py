"""Actions over HTTP: observed facts are always taken, requests must obey the lifecycle."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.system import descriptor_document

ACTIONS = "/v1/systems/corner-shop/actions"
REQUESTS = "/v1/systems/corner-shop/action-requests"


def fact(status: str, minute: int) -> dict[str, Any]:
    """One transition, known a minute after it happened."""
    at, known = f"2025-03-01T11:{minute:02}:00Z", f"2025-03-01T11:{minute + 1:02}:00Z"
    return {"status": status, "event_at": at, "known_at": known}


def observed(*facts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A restart that somebody did."""
    return {
        "action_id": "deploy-bot/restart#41",
        "system_id": "corner-shop",
        "type": "restart",
        "target": {"entity_id": "checkout"},
        "params": {"type": "restart", "scope": "one"},
        "actor": {"kind": "bot", "id": "deploy-bot"},
        "source": {"system": "ci"},
        "transitions": list(facts),
        **fields,
    }


def proposal(**action: Any) -> dict[str, Any]:
    """A request to restart the checkout."""
    return {"action": {"target": "checkout", "params": {"type": "restart"}, **action}, "requested_by": "alice"}


def test_facts_may_come_late_in_any_order_and_contradict_each_other(shop: TestClient) -> None:
    """Facts are appended, the status is derived from them, and what cannot all be right is flagged."""
    first = shop.post(ACTIONS, json=observed(fact("succeeded", 30)))
    assert (first.status_code, first.json()["status"]) == (201, "succeeded")
    url = f"{ACTIONS}/deploy-bot/restart%2341"
    late = shop.post(f"{url}/transitions", json=fact("started", 20))
    assert (late.status_code, late.json()["status"], late.json()["contradictions"]) == (200, "succeeded", [])
    odd = shop.post(f"{url}/transitions", json=fact("failed", 31)).json()
    assert "failed" in odd["contradictions"][0]
    assert shop.get(url).json() == odd


def test_actions_are_listed_as_they_were_known(shop: TestClient) -> None:
    """Reading as of a moment shows no fact that became known later."""
    shop.post(ACTIONS, json=observed(fact("started", 20), fact("succeeded", 30))).raise_for_status()

    def status(minute: int) -> list[str]:
        listed = shop.get(ACTIONS, params={"as_of": f"2025-03-01T11:{minute}:00Z"}).json()["actions"]
        return [one["status"] for one in listed]

    assert [status(20), status(21), status(30), status(31)] == [[], ["started"], ["started"], ["succeeded"]]
    assert shop.get(ACTIONS, params={"as_of": "2025-03-01T11:00:00"}).json()["errors"][0]["parameter"] == "as_of"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"target": {"entity_id": "chekout"}}, "#/target"),
        ({"system_id": "other-shop"}, "#/system_id"),
        ({"params": {"type": "drain"}}, "#"),
        ({"params": {"type": "restart", "scope": "some"}}, "#/params/scope"),
        ({"propensity": 0.25}, "#"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_actions_that_make_no_sense_are_refused(shop: TestClient, fields: dict[str, Any], pointer: str) -> None:
    """Unknown entities, other systems, mismatched or mistyped parameters and fields are refused where they stand."""
    refused = shop.post(ACTIONS, json=observed(fact("started", 20), **fields))
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json()["errors"]] == [pointer]
    assert shop.get(ACTIONS).json()["actions"] == []


def test_a_request_walks_through_its_lifecycle(shop: TestClient) -> None:
    """A proposal is approved by another person, scheduled, and shows among the actions."""
    asked = shop.post(REQUESTS, json=proposal())
    assert (asked.status_code, asked.json()["status"]) == (201, "proposed")
    action_id = asked.json()["action"]["action_id"]
    for status in ("approved", "scheduled", "cancelled"):
        moved = shop.post(f"{REQUESTS}/{action_id}/transitions", json={"status": status, "by": "bob"})
        assert (moved.status_code, moved.json()["status"]) == (200, status)
    assert shop.get(asked.headers["location"]).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("steps", "last"), [([], "scheduled"), (["rejected"], "approved"), (["approved", "expired"], "cancelled")]
)
def test_requests_that_break_the_lifecycle_are_refused(shop: TestClient, steps: list[str], last: str) -> None:
    """A step that the lifecycle does not allow is answered with 409, says what is allowed, and changes nothing."""
    action_id = shop.post(REQUESTS, json=proposal()).json()["action"]["action_id"]
    url = f"{REQUESTS}/{action_id}/transitions"
    for status in steps:
        shop.post(url, json={"status": status, "by": "bob"}).raise_for_status()
    refused = shop.post(url, json={"status": last, "by": "bob"})
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:opswm:problem:lifecycle"
    assert "allowed next" in refused.json()["detail"]
    assert shop.get(f"{ACTIONS}/{action_id}").json()["status"] == [*["proposed"], *steps][-1]


def test_as_many_people_approve_as_the_capability_needs(client: TestClient) -> None:
    """Three different others, counted whatever case their names are in; only then can it be scheduled."""
    document = descriptor_document()
    document["capabilities"][1]["approvals_needed"] = 3
    client.post("/v1/systems", json=document).raise_for_status()
    asked = client.post(REQUESTS, json=proposal()).json()
    assert (asked["status"], asked["approvals_needed"]) == ("proposed", 3)
    action_id = asked["action"]["action_id"]

    def move(status: str, by: str) -> Any:
        return client.post(f"{REQUESTS}/{action_id}/transitions", json={"status": status, "by": by})

    assert [move("approved", name).json()["status"] for name in ("bob", "Bob", "carol")] == ["proposed"] * 3
    assert move("approved", "Alice").status_code == 409
    assert move("scheduled", "alice").status_code == 409
    observed_word = client.post(f"{ACTIONS}/{action_id}/transitions", json=fact("approved", 30)).json()
    assert observed_word["status"] == "proposed"
    assert "does not count" in observed_word["contradictions"][0]
    client.post("/v1/systems", json=descriptor_document()).raise_for_status()  # needs one approval only
    done = move("approved", "dave").json()
    assert done["status"] == "approved"
    assert [word["responder"] for word in done["action"]["approvals"]] == ["bob", "carol", "dave"]
    assert move("scheduled", "alice").json()["status"] == "scheduled"


def test_nobody_approves_their_own_request(shop: TestClient) -> None:
    """Who asked cannot approve; somebody else still can."""
    action_id = shop.post(REQUESTS, json=proposal()).json()["action"]["action_id"]
    url = f"{REQUESTS}/{action_id}/transitions"
    assert shop.post(url, json={"status": "approved", "by": "alice"}).status_code == 409
    assert shop.post(url, json={"status": "approved", "by": "bob"}).status_code == 200


@pytest.mark.parametrize(
    ("action", "detail"),
    [
        ({"target": "chekout"}, "chekout"),
        ({"target": "orders-db"}, "no capability allows 'restart'"),
        ({"capability_id": "scale-checkout"}, "does not allow 'restart'"),
        ({"params": {"type": "scale_horizontal", "to_replicas": 40}}, "at most 12"),
        ({"params": {"type": "fault_injection", "kind": "pod_kill"}}, "never ranked"),
    ],
)
def test_requests_beyond_the_capabilities_are_refused(shop: TestClient, action: dict[str, Any], detail: str) -> None:
    """What no capability of the system allows cannot be proposed, and the reason is given."""
    refused = shop.post(REQUESTS, json=proposal(**action))
    assert refused.status_code == 422
    assert detail in refused.text
    assert shop.get(ACTIONS).json()["actions"] == []


def test_unknown_actions_are_not_found(shop: TestClient) -> None:
    """Facts and requests about an action nobody recorded are answered with 404."""
    assert shop.get(f"{ACTIONS}/none").status_code == 404
    assert shop.post(f"{ACTIONS}/none/transitions", json=fact("started", 20)).status_code == 404
    assert shop.post(f"{REQUESTS}/none/transitions", json={"status": "rejected", "by": "bob"}).status_code == 404
