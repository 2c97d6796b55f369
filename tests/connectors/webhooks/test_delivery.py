"""What every webhook shares: bodies of strangers, signatures, instants, and the entity that is meant."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, text_of
from opswm_connectors.webhooks.instants import duration_s, instant
from opswm_connectors.webhooks.places import NAME_CONFIDENCE, Place, Places
from opswm_connectors.webhooks.signatures import (
    RefusedDeliveryError,
    require_signature,
    require_token,
)
from opswm_schemas.descriptor import Entity, SystemDescriptor
from tests.connectors.placed import placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLACES = placed(
    [
        Entity(
            entity_id="shop/cart",
            kind="service",
            name="cart",
            attributes={"k8s.deployment.name": "cart", "k8s.namespace.name": "shop"},
        ),
        Entity(
            entity_id="shop/web",
            kind="service",
            name="web",
            attributes={"k8s.deployment.name": "web", "k8s.namespace.name": "shop"},
        ),
    ],
    {"the cart": "shop/cart"},
)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 100])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Whatever is no finite, shallow JSON object in UTF-8 is a terminal error, never another exception."""
    with pytest.raises(TerminalSourceError):
        Delivery({}, body, NOON).document()


def test_a_signature_fits_one_secret_only() -> None:
    """One of several signatures is enough; another secret's, another body's or none is refused without naming it."""
    good = hmac.new(b"secret", b"body", hashlib.sha256).hexdigest()
    require_signature(b"secret", b"body", ["0" * 64, good.upper()])
    for secret, body, given_ones in (
        (b"other", b"body", [good]),
        (b"secret", b"bodx", [good]),
        (b"secret", b"body", []),
    ):
        with pytest.raises(RefusedDeliveryError) as refused:
            require_signature(secret, body, given_ones)
        assert good not in str(refused.value)
        assert "secret'" not in str(refused.value)


@pytest.mark.parametrize("header", [None, "", "Basic c2VjcmV0", "Bearer", "Bearer other", "bearer secret2"])
def test_another_token_is_refused(header: str | None) -> None:
    """Only the bearer token agreed on is taken."""
    require_token(b"secret", "Bearer secret")
    with pytest.raises(RefusedDeliveryError, match="bearer"):
        require_token(b"secret", header)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-02T12:00:00Z", 0.0),
        ("2026-03-02T12:00:00.123456789Z", 0.123456),
        ("2026-03-02T14:00:01+02:00", 1.0),
        ("2026-03-02 12:00:00.5z", 0.5),
    ],
)
def test_instants_of_any_offset_and_precision_are_read(text: str, seconds: float) -> None:
    """Nanoseconds are cut to microseconds and offsets turned to UTC."""
    assert instant(text) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00Z", "2026-03-02T12:00:00", "2026-13-02T12:00:00Z", "9" * 100, 1772452800, None, {}]
)
def test_what_is_no_instant_is_none(value: object) -> None:
    """Naive, impossible, zero and numeric instants are not guessed at."""
    assert instant(value) is None


def test_values_that_are_no_single_one_are_no_text() -> None:
    """Lists and objects, however deep, become an empty text."""
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    assert text_of(deep) == text_of({"a": 1}) == text_of(None) == ""
    assert text_of(7) == "7"


@given(st.one_of(st.text(), st.integers(), st.none(), st.dictionaries(st.text(), st.text())))
def test_text_of_strangers_is_one_short_printable_line(value: object) -> None:
    """Whatever comes in, the text kept is printable, on one line and cut at its length."""
    kept = text_of(value, 50)
    assert len(kept) <= 50
    assert kept.isprintable()
    assert "\n" not in kept


def test_an_entity_is_found_by_alias_then_attributes_then_name() -> None:
    """What was configured holds first; attributes are sure, a bare name less so, and what fits several is nothing."""
    assert PLACES.find(["the cart", "web"]) == Place("shop/cart", 1.0)
    cart = {"k8s.deployment.name": "cart", "k8s.namespace.name": "shop", "k8s.pod.name": "cart-1"}
    assert PLACES.find(["web"], cart) == Place("shop/cart", 1.0)
    assert PLACES.find(["web"]) == Place("shop/web", NAME_CONFIDENCE)
    assert PLACES.find(["nobody"], {"k8s.namespace.name": "shop"}) is None
    assert PLACES.find([], {"k8s.deployment.name": "cart", "k8s.namespace.name": "other"}) is None


def test_aliases_are_listed_by_entities() -> None:
    """An entity lists what sources call it; what two of them list stands for neither."""
    entities = [
        Entity(entity_id="web", kind="service", attributes={"opswm.alias": "front, shop/web,both"}),
        Entity(entity_id="db", kind="database", attributes={"opswm.alias": "both,,"}),
    ]
    places = Places.of(SystemDescriptor(system_id="shop", entities=entities))
    assert places.aliases == {"front": "web", "shop/web": "web"}
    assert places.find(["both"]) is None


def test_durations_are_seconds() -> None:
    """Durations as Go writes them; nothing is guessed from other text."""
    assert duration_s("1m30s") == 90.0
    assert duration_s("250ms") == 0.25
    assert [duration_s(text) for text in ("", "5", "1 s", "1s!", 5, None)] == [None] * 6
