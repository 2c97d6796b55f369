"""LaunchDarkly's audit log to switches of flags."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.launchdarkly.source import translate, verify
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import RefusedDeliveryError
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey
from tests.connectors.placed import placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
ENTITIES = [Entity(entity_id="cart", kind="service")]
PLACES = placed(ENTITIES, {"shop/new-checkout": "cart"})
RESOURCE = "proj/shop:env/production:flag/new-checkout"


def version(on: Any, first_weight: int | None = None) -> dict[str, Any]:
    """Return a flag whose first variation may be rolled out to a share."""
    shares = [{"variation": 0, "weight": first_weight}, {"variation": 1, "weight": 100_000 - (first_weight or 0)}]
    fallthrough = {"variation": 0} if first_weight is None else {"rollout": {"variations": shares}}
    return {"key": "new-checkout", "environments": {"production": {"on": on, "fallthrough": fallthrough}}}


def entry(before: Any, after: Any, **changes: Any) -> Delivery:
    """Return an entry of the audit log, 1.5 s before noon."""
    document = {
        "_id": "64f0", "date": int(NOON.timestamp() * 1_000) - 1_500, "kind": "flag",
        "member": {"email": "anna@example.org"}, "accesses": [{"action": "updateOn", "resource": RESOURCE}],
        "previousVersion": before, "currentVersion": after,
    }  # fmt: skip
    return Delivery({}, json.dumps(document | changes).encode(), NOON)


@pytest.mark.parametrize(
    ("before", "after", "params"),
    [
        (version(False), version(True), {"from": False, "to": True}),
        (version(True), version(False), {"from": True, "to": False}),
        (version(True, 10_000), version(True, 50_000), {"from": True, "to": True, "rollout_ratio": 0.5}),
        (None, version(True), {"to": True}),
    ],
)
def test_a_switch_or_a_rollout_is_an_action(before: Any, after: Any, params: dict[str, Any]) -> None:
    """On, off and shares are told with what was before, by whom and when."""
    (action,) = translate(entry(before, after), SHOP, PLACES).actions
    given = action.params.model_dump(exclude_none=True, by_alias=True)
    assert given == {"type": "feature_flag", "key": "new-checkout", **params}
    assert (action.actor.kind, action.actor.id, action.target.entity_id) == ("human", "anna@example.org", "cart")
    started = action.first_at("started")
    assert started is not None
    assert (NOON - started).total_seconds() == 1.5


def test_what_reaches_no_user_is_passed_over() -> None:
    """A change of words, of another environment or of something else than a flag says nothing."""
    same, off = version(True), version(False)
    assert translate(entry(same, same), SHOP, PLACES) == Facts()
    assert translate(entry(off, same, kind="member"), SHOP, PLACES) == Facts()
    assert (
        translate(entry(off, same, accesses=[{"resource": RESOURCE.replace("production", "test")}]), SHOP, PLACES)
        == Facts()
    )
    assert translate(entry(off, same, accesses=[]), SHOP, PLACES) == Facts()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"date": "noon"}, "milliseconds"), ({"date": -1}, "milliseconds"), ({"date": 10**15}, "milliseconds"),
        ({"date": int(NOON.timestamp() * 1_000) + 10**9}, "more than a day before"),
        ({"currentVersion": None}, "currentVersion"), ({"currentVersion": version("yes")}, "currentVersion"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(changes: dict[str, Any], reason: str) -> None:
    """An entry without a moment or a present state is left out with the reason."""
    facts = translate(entry(version(False), version(True), **changes), SHOP, PLACES)
    assert facts.actions == ()
    assert reason in facts.left_out[0]


def test_a_flag_of_nobody_is_told() -> None:
    """A flag that stands for no entity asks for an alias."""
    facts = translate(entry(version(False), version(True)), SHOP, Places(ENTITIES))
    assert "alias" in facts.left_out[0]


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"_id": "1"}', b'{"_id": "1", "accesses": {}}'])
def test_other_bodies_are_refused(body: bytes) -> None:
    """What is no entry of the audit log is a terminal error."""
    with pytest.raises(TerminalSourceError):
        translate(Delivery({}, body, NOON), SHOP, PLACES)


def test_only_signed_bodies_are_heard() -> None:
    """The signature is over the very bytes of the body."""
    told = entry(version(False), version(True))
    mark = hmac.new(b"s3cret", told.body, hashlib.sha256).hexdigest()
    verify(Delivery({"x-ld-signature": mark}, told.body, NOON), b"s3cret")
    for headers in ({}, {"x-ld-signature": mark[:-1] + "g"}):
        with pytest.raises(RefusedDeliveryError):
            verify(Delivery(headers, told.body, NOON), b"s3cret")
