"""GitHub deployments to actions: created, under way, ended, and who may say so."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opswm.store.action_facts import facts_of, fold
from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.github.source import translate, verify
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import RefusedDeliveryError
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
PLACES = Places([Entity(entity_id="cart", kind="service")])


def delivery(state: str | None = None, minute: int = 50, **changes: Any) -> Delivery:
    """Return a deployment of the cart, or a status of it, of some minute past eleven."""
    at = f"2026-03-02T11:{minute}:00Z"
    deployment = {
        "id": 145988746, "ref": "v1.4.2", "sha": SHA, "environment": "production",
        "created_at": "2026-03-02T11:50:00Z", "creator": {"login": "anna", "type": "User"},
    }  # fmt: skip
    document: dict[str, Any] = {
        "action": "created",
        "deployment": deployment | changes,
        "repository": {"name": "cart", "full_name": "Shop/cart"},
    }
    if state is not None:
        document["deployment_status"] = {"state": state, "created_at": at, "description": "so"}
    kind = "deployment" if state is None else "deployment_status"
    return Delivery({"x-github-event": kind}, json.dumps(document).encode(), NOON)


def told(given: Delivery) -> Facts:
    """Return what a delivery tells about the shop."""
    return translate(given, SHOP, PLACES)


def test_a_deployment_goes_through_its_statuses_in_any_order() -> None:
    """Creation, start and end are facts of one action, whatever order they come in."""
    parts = [delivery("success", 55), delivery(), delivery("in_progress", 52), delivery("success", 55)]
    actions = [told(part).actions[0] for part in parts]
    assert len({action.action_id for action in actions}) == 1
    whole = fold(fact for action in actions for fact in facts_of(action))
    assert whole is not None
    assert whole.status == "succeeded"
    assert whole.first_at("started") == datetime(2026, 3, 2, 11, 52, tzinfo=UTC)
    assert whole.params.model_dump(exclude_none=True) == {
        "type": "deploy", "version": "v1.4.2", "strategy": "rolling",
        "artifact": f"pkg:github/shop/cart@{SHA}",
    }  # fmt: skip
    assert (whole.actor.kind, whole.actor.id, whole.target.entity_id) == ("human", "anna", "cart")


@pytest.mark.parametrize(("state", "status"), [("failure", "failed"), ("error", "failed"), ("queued", "scheduled")])
def test_states_become_statuses(state: str, status: str) -> None:
    """Failures and waiting are told apart."""
    assert told(delivery(state)).actions[0].status == status


def test_what_is_no_deployment_of_the_system_is_passed_over() -> None:
    """Superseded deployments, other events and other environments say nothing."""
    push = Delivery({"x-github-event": "push"}, b"{}", NOON)
    assert told(delivery("inactive")) == told(push) == Facts()
    staging = Entity(entity_id="cart", kind="service", attributes={"deployment.environment.name": "staging"})
    assert translate(delivery(), SHOP, Places([staging])) == Facts()
    assert translate(delivery(environment="staging"), SHOP, Places([staging])).actions


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (delivery(created_at="soon"), "instant"),
        (delivery(created_at="2026-05-02T12:00:00Z"), "more than a day before"),
        (delivery(ref="", sha=""), "neither 'ref' nor 'sha'"),
    ],
)
def test_what_cannot_be_read_is_told(given: Delivery, reason: str) -> None:
    """A deployment without moment or version is left out with the reason."""
    facts = told(given)
    assert facts.actions == ()
    assert reason in facts.left_out[0]


def test_an_unknown_repository_is_told() -> None:
    """A deployment of nobody known names the repository."""
    facts = translate(delivery(), SHOP, Places([Entity(entity_id="web", kind="service")]))
    assert "'cart'" in facts.left_out[0]


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"deployment": 1}'])
def test_other_bodies_are_refused(body: bytes) -> None:
    """What does not hold what its header says is a terminal error."""
    with pytest.raises(TerminalSourceError):
        told(Delivery({"x-github-event": "deployment"}, body, NOON))


def test_only_signed_bodies_are_heard() -> None:
    """The signature is over the very bytes of the body, with its scheme in front."""
    given = delivery()
    mark = hmac.new(b"s3cret", given.body, hashlib.sha256).hexdigest()
    verify(Delivery({"x-hub-signature-256": f"sha256={mark}"}, given.body, NOON), b"s3cret")
    for header in (mark, f"sha1={mark}", "", "sha256="):
        with pytest.raises(RefusedDeliveryError):
            verify(Delivery({"x-hub-signature-256": header}, given.body, NOON), b"s3cret")
