"""Telemetry over HTTP: batches are stored whole, once, or refused with every fault named."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.system import NUM_TICKS, descriptor_document, points

URL = "/v1/systems/corner-shop/telemetry"
Points = list[dict[str, Any]]


def changed(index: int, **fields: Any) -> Callable[[Points], Points]:
    """A change to one of the points; ``...`` removes a field."""

    def change(given: Points) -> Points:
        merged = {**given[index], **fields}
        given[index] = {name: value for name, value in merged.items() if value is not ...}
        return given

    return change


def test_a_batch_is_stored_once(client: TestClient) -> None:
    """The same batch id with the same content adds nothing; with other content it is refused."""
    client.post("/v1/systems", json=descriptor_document()).raise_for_status()
    batch = {"batch_id": "b-1", "points": points()}
    first, again = client.post(URL, json=batch), client.post(URL, json=batch)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == {"batch_id": "b-1", "num_points": 10 * NUM_TICKS, "table_version": 1}
    other = client.post(URL, json={"batch_id": "b-1", "points": points(num_ticks=3)})
    assert other.status_code == 422
    assert "b-1" in other.json()["detail"]


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        pytest.param(changed(7, channel_id="edge.rqeuests"), "#/points/7/channel_id", "edge.rqeuests", id="channel"),
        pytest.param(changed(7, event_at="2025-03-01T11:00:00"), "#/points/7/event_at", "timezone", id="naive"),
        pytest.param(changed(7, event_at="1970-01-01T00:00:01Z"), "#/points/7/event_at", "milliseconds", id="epoch"),
        pytest.param(changed(7, value="fast"), "#/points/7/value", "'fast'", id="mistyped"),
        pytest.param(changed(7, value=...), "#/points/7", "value", id="no value"),
        pytest.param(changed(7, vlaue=3.0), "#/points/7/vlaue", "'vlaue' is not known", id="unknown field"),
        pytest.param(
            changed(7, value=..., histogram={"kind": "classic", "upper_bounds": [1.0], "cumulative_counts": [2, 3]}),
            "#/points/7",
            "is a gauge",
            id="histogram in a gauge",
        ),
        pytest.param(lambda given: [*given[:9], given[4], *given[9:]], "#/points/9", "as in point 4", id="duplicate"),
        pytest.param(
            lambda given: [*given[:4], given[5], given[4], *given[6:]], "#/points/5/event_at", "sort", id="out of order"
        ),
        pytest.param(lambda given: [], "#/points", "at least 1", id="empty"),
        pytest.param(changed(121, value=-500_000.0), "#/points/121/value", "starts at zero", id="negative ratio"),
        pytest.param(changed(7, value=1e305), "#/points/7/value", "beyond 1e+30", id="beyond computing"),
        pytest.param(
            changed(7, known_at="2022-09-01T00:00:00Z"), "#/points/7/known_at", "more than a day before", id="clocks"
        ),
    ],
)
def test_a_batch_with_one_bad_point_is_refused_whole(
    client: TestClient, change: Callable[[Points], Points], pointer: str, detail: str
) -> None:
    """Each kind of bad point is named where it is, and nothing of its batch is stored."""
    client.post("/v1/systems", json=descriptor_document()).raise_for_status()
    refused = client.post(URL, json={"batch_id": "b-1", "points": change(points())})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    found = {item["pointer"]: item["detail"] for item in refused.json()["errors"]}
    assert pointer in found
    assert detail in found[pointer]
    stored = client.post(URL, json={"batch_id": "b-1", "points": points()})
    assert stored.json()["table_version"] == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_readings_that_are_not_finite_are_refused(shop: TestClient, number: str) -> None:
    """NaN and infinities, which JSON does not have but many writers write, are refused by name."""
    moment = "2025-03-01T12:00:00Z"
    point = f'{{"channel_id": "edge.error_ratio", "event_at": "{moment}", "known_at": "{moment}", "value": {number}}}'
    body = f'{{"batch_id": "b-2", "points": [{point}]}}'
    refused = shop.post(URL, content=body, headers={"content-type": "application/json"})
    assert refused.status_code == 422
    assert number in refused.json()["detail"]


def test_telemetry_of_an_unknown_system_is_not_found(client: TestClient) -> None:
    """Telemetry waits until its system is registered."""
    missing = client.post(URL, json={"batch_id": "b-1", "points": points()})
    assert missing.status_code == 404
    assert "corner-shop" in missing.json()["detail"]


def test_events_are_stored_once_and_only_of_known_entities(shop: TestClient) -> None:
    """An alert counts once however often it is told; one about an entity that the system lacks is refused whole."""
    at = "2025-03-01T11:59:00Z"
    alert = {
        "event_id": "a-1",
        "event_at": at,
        "known_at": at,
        "type": "alert_fired",
        "entity_id": "edge",
        "name": "slow",
    }
    url = "/v1/systems/corner-shop/events"
    assert shop.post(url, json={"events": [alert]}).json() == {"num_events": 1, "num_new": 1}
    stray = {**alert, "event_id": "a-2", "entity_id": "egde"}
    refused = shop.post(url, json={"events": [{**alert, "event_id": "a-3"}, stray]})
    assert refused.status_code == 422
    assert "egde" in refused.json()["detail"]
    again = shop.post(url, json={"events": [alert, {**alert, "event_id": "a-3"}]})
    assert again.json() == {"num_events": 2, "num_new": 1}


@pytest.mark.parametrize(
    ("channel", "reading", "detail"),
    [
        ({"instrument": "counter"}, {"value": -1.0}, "counter 'edge.request_rate' is -1"),
        (
            {"instrument": "histogram", "quantile": 0.5},
            {"histogram": {"kind": "classic", "upper_bounds": [1e300], "cumulative_counts": [2, 3]}},
            "beyond 1e+30",
        ),
        (
            {"instrument": "histogram", "quantile": 0.5},
            {"histogram": {"kind": "native", "scale": -10, "offset": 9, "positive_counts": [2]}},
            "beyond 1e+30",
        ),
    ],
    ids=["negative counter", "classic buckets", "native buckets"],
)
def test_readings_that_could_poison_later_questions_are_refused(
    client: TestClient, channel: dict[str, Any], reading: dict[str, Any], detail: str
) -> None:
    """A counter below zero and buckets beyond all computing are refused, as in a recording."""
    document = descriptor_document()
    document["channels"][0] |= channel | ({"unit": "{request}"} if channel["instrument"] == "counter" else {})
    client.post("/v1/systems", json=document).raise_for_status()
    at = "2025-03-01T12:00:00Z"
    point = {"channel_id": "edge.request_rate", "event_at": at, "known_at": at, **reading}
    refused = client.post(URL, json={"batch_id": "b", "points": [point]})
    assert refused.status_code == 422
    assert detail in refused.json()["errors"][0]["detail"]


def test_events_with_impossible_clocks_are_refused(shop: TestClient) -> None:
    """Known years before it happened: named where it stands, and nothing of the batch is stored."""
    good = {"event_id": "e1", "type": "note", "name": "n", "event_at": "2025-03-01T12:00:00Z"}
    good["known_at"] = good["event_at"]
    bad = {**good, "event_id": "e2", "known_at": "2022-09-01T00:00:00Z"}
    refused = shop.post("/v1/systems/corner-shop/events", json={"events": [good, bad]})
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json()["errors"]] == ["#/events/1/known_at"]
    stored = shop.post("/v1/systems/corner-shop/events", json={"events": [good]})
    assert stored.json() == {"num_events": 1, "num_new": 1}
    other = shop.post("/v1/systems/corner-shop/events", json={"events": [{**good, "name": "other"}]})
    assert other.status_code == 422
    assert "'e1' was given before with another 'name'" in other.json()["detail"]
