"""Forecasts, what-ifs and rankings over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.system import AT, descriptor_document, points

QUESTION = {"system_id": "corner-shop", "at": AT.isoformat(), "horizon_ticks": 11}
SCALE = {"target": "checkout", "params": {"type": "scale_horizontal", "to_replicas": 8}}
SHED = {"target": "edge", "params": {"type": "load_shed", "fraction_ratio": 0.2}}
COURSES = [
    {"course_id": "more", "actions": [SCALE]},
    {"course_id": "both", "label": "scale, then shed", "actions": [SCALE, {**SHED, "delay_ticks": 3}]},
]


def without(*names: str) -> dict[str, Any]:
    """The question with some fields left out."""
    return {name: value for name, value in QUESTION.items() if name not in names}


def increasing(row: list[float]) -> bool:
    """Whether no number is below the one before."""
    return all(left <= right for left, right in pairwise(row))


def rows(document: Any) -> Iterator[list[float]]:
    """Every row of quantiles in an answer."""
    for channel in document["channels"]:
        assert len(channel["values"]) == QUESTION["horizon_ticks"]
        yield from channel["values"]


def test_a_ranking_is_a_decision_that_can_be_read_again(shop: TestClient) -> None:
    """Candidates are enumerated from the capabilities, do-nothing among them; the decision stays as it was given."""
    first = shop.post("/v1/rankings", json=QUESTION)
    assert first.status_code == 201
    answer = first.json()
    types = {action["params"]["type"] for one in answer["ranked"] for action in one["course"]["actions"]}
    assert types == {"scale_horizontal", "restart", "load_shed"}
    assert sum(not one["course"]["actions"] for one in answer["ranked"]) == 1
    assert [one["rank"] for one in answer["ranked"]] == list(range(1, len(answer["ranked"]) + 1))
    assert answer["verdict"] in ("worth_testing", "no_op_best", "inconclusive")
    assert shop.get(first.headers["location"]).json() == answer
    assert shop.post("/v1/rankings", json=QUESTION).json() == answer
    assert shop.get("/v1/rankings/d-0").status_code == 404


def test_callers_bring_their_own_courses_and_objectives(shop: TestClient) -> None:
    """Only the caller's courses and do-nothing are ranked, against the caller's objectives."""
    objectives = [{"objective_id": "quiet", "entity_id": "checkout", "weight": 1.0}]
    asked = {**QUESTION, "courses": COURSES, "objectives": objectives}
    own, usual = shop.post("/v1/rankings", json=asked), shop.post("/v1/rankings", json={**QUESTION, "courses": COURSES})
    assert {one["course"]["course_id"] for one in own.json()["ranked"]} == {"no_op", "more", "both"}
    assert own.json()["provenance"]["decision_id"] != usual.json()["provenance"]["decision_id"]
    effects = [[one["effect_bad_minutes"]["value"] for one in answer.json()["ranked"]] for answer in (own, usual)]
    assert effects[0] != effects[1]


def test_a_what_if_has_a_future_with_quantile_bands_for_each_course(shop: TestClient) -> None:
    """Every course, and doing nothing, has bands for every channel that do not cross."""
    answer = shop.post("/v1/whatif", json={**QUESTION, "courses": COURSES})
    assert answer.status_code == 200
    futures = answer.json()["futures"]
    assert [future["course"]["course_id"] for future in futures] == ["no_op", "more", "both"]
    assert len(answer.json()["ticks_at"]) == QUESTION["horizon_ticks"]
    assert all(len(future["channels"]) == 10 for future in futures)
    assert all(increasing(row) for future in futures for row in rows(future))


def test_a_forecast_can_be_of_some_entities_only(shop: TestClient) -> None:
    """A forecast has the bands of the entities asked about, from a latency in seconds although it is sent in ms."""
    answer = shop.post("/v1/forecasts", json={**QUESTION, "entities": ["edge"]})
    assert answer.status_code == 200
    channels = {channel["meaning"]: channel for channel in answer.json()["no_op"]["channels"]}
    assert set(channels) == {"request_rate", "error_ratio", "latency_p99"}
    assert channels["latency_p99"]["unit"] == "s"


@pytest.mark.parametrize("url", ["/v1/rankings", "/v1/forecasts", "/v1/whatif"])
@pytest.mark.parametrize("at", ["2099-12-31T23:59:59Z", "2099-12-31T23:59:10Z"])
def test_questions_at_the_end_of_time_are_refused(shop: TestClient, url: str, at: str) -> None:
    """A moment whose horizon leaves the range of instants is refused, with the range; never a 5xx."""
    courses = {"courses": COURSES} if url == "/v1/whatif" else {}
    refused = shop.post(url, json={**QUESTION, "at": at, **courses})
    assert refused.status_code == 422
    assert "2100-01-01" in refused.json()["detail"]


def test_durations_that_no_instant_can_bear_are_refused_before_they_are_stored(shop: TestClient) -> None:
    """A fact with an endless duration is refused, so that later questions are answered as before."""
    action = {
        "action_id": "endless",
        "system_id": "corner-shop",
        "type": "fault_injection",
        "target": {"entity_id": "checkout"},
        "params": {"type": "fault_injection", "kind": "cpu", "duration_s": 1e300},
        "actor": {"kind": "fault_injector", "id": "chaos"},
        "source": {"system": "chaos"},
        "transitions": [transition("started", -60, -50)],
    }
    refused = shop.post("/v1/systems/corner-shop/actions", json=action)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/params/duration_s")
    action["params"] = {"type": "fault_injection", "kind": "cpu", "duration_s": 3_155_760_000.0}
    assert shop.post("/v1/systems/corner-shop/actions", json=action).status_code == 201
    assert shop.post("/v1/rankings", json=QUESTION).status_code == 201


@pytest.mark.parametrize("url", ["/v1/rankings", "/v1/forecasts"])
@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"horizon_ticks": 33}, 422, "1 to 32"),
        ({"horizon_ticks": 5_000}, 422, "1024"),
        ({"horizon_ticks": "far"}, 422, "'far'"),
        ({"at": "2025-03-01T12:00:00"}, 422, "timezone"),
        ({"at": "soon"}, 422, "'soon'"),
        ({"system_id": "no-such-shop"}, 404, "no-such-shop"),
        ({"seed": -1}, 422, "0"),
        ({"horizn_ticks": 3}, 422, "'horizn_ticks' is not known"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(
    shop: TestClient, url: str, change: dict[str, Any], status: int, detail: str
) -> None:
    """A horizon beyond the model, naive or mistyped values, unknown systems and fields are refused with the reason."""
    refused = shop.post(url, json={**QUESTION, **change})
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert detail in refused.text


@pytest.mark.parametrize(
    ("course", "detail"),
    [
        ({"actions": [{**SCALE, "target": "chekout"}]}, "chekout"),
        ({"actions": [{**SCALE, "target": "edge"}]}, "no capability"),
        ({"actions": [{**SCALE, "delay_ticks": 11}]}, "after 11 ticks"),
        ({"actions": [{"target": "edge", "params": {"type": "fault_injection", "kind": "cpu"}}]}, "never ranked"),
        ({"actions": [{"target": "edge", "params": {"type": "load_shed", "fraction_ratio": 1.5}}]}, "fraction_ratio"),
        ({"actions": [SCALE] * 9}, "at most 8"),
    ],
)
def test_courses_that_cannot_be_ranked_say_why(shop: TestClient, course: dict[str, Any], detail: str) -> None:
    """Unknown targets, actions nothing allows, late, injected, impossible and endless courses are refused."""
    refused = shop.post("/v1/rankings", json={**QUESTION, "courses": [{"course_id": "c", **course}]})
    assert refused.status_code == 422
    assert detail in refused.text


def test_a_guardrail_blocks_a_course_without_hiding_it(shop: TestClient) -> None:
    """A course outside its bounds is shown last with the reason, and is not advised."""
    beyond = {"target": "checkout", "params": {"type": "scale_horizontal", "to_replicas": 50}}
    answer = shop.post("/v1/rankings", json={**QUESTION, "courses": [{"course_id": "c", "actions": [beyond]}]}).json()
    last = answer["ranked"][-1]
    assert last["course"]["course_id"] == "c"
    assert "to_replicas" in last["blocked_by"][0]
    assert last["verdict"] not in ("recommend", "worth_testing")


def test_without_telemetry_there_is_no_advice(shop: TestClient) -> None:
    """A question about a moment before any telemetry is answered with inconclusive and what would change that."""
    answer = shop.post("/v1/rankings", json={**without("at"), "at": "2025-02-01T00:00:00Z"}).json()
    assert answer["verdict"] == "inconclusive"
    assert any("0 ticks" in sentence for sentence in answer["would_change"])


def test_what_became_known_later_changes_no_bit_of_a_ranking(shop: TestClient) -> None:
    """Later facts and revisions of the descriptor leave an earlier answer as it was, its decision id included."""
    system = "/v1/systems/corner-shop"
    action = {
        "action_id": "restart-41",
        "system_id": "corner-shop",
        "type": "restart",
        "target": {"entity_id": "checkout"},
        "params": {"type": "restart", "scope": "one"},
        "actor": {"kind": "human", "id": "kim"},
        "source": {"system": "chat"},
        "transitions": [transition("started", -60, -50)],
    }
    shop.post(f"{system}/actions", json=action).raise_for_status()
    before = shop.post("/v1/rankings", json=QUESTION).json()

    corrected = [{**point, "known_at": moment(+90), "value": 3.0 * point["value"]} for point in points(num_ticks=9)]
    later = [
        {**point, "value": 7.0 * point["value"]} for point in points(num_ticks=5, until=AT + timedelta(seconds=30))
    ]
    later = [point for point in later if point["known_at"] > AT.isoformat()]
    for number, batch in enumerate((corrected, later)):
        sent = {"batch_id": f"late-{number}", "points": batch}
        shop.post(f"{system}/telemetry", json=sent).raise_for_status()
    shop.post(f"{system}/actions/restart-41/transitions", json=transition("failed", -40, +5)).raise_for_status()
    told = {
        "transitions": [transition("started", -60, -50), transition("rolled_back", +60, +61)],
        "realised": {"slo_cost_bad_minutes": 4.0, "window_s": 300.0, "known_at": moment(+300)},
        "estimated_effect": {
            "value_bad_minutes": -2.0,
            "interval_bad_minutes": [-3, -1],
            "method": "x",
            "model_id": "y",
        },
    }
    shop.post(f"{system}/actions", json={**action, **told}).raise_for_status()

    event = {"event_id": "e-late", "type": "note", "name": "later", "event_at": moment(-10), "known_at": moment(+1)}
    shop.post(f"{system}/events", json={"events": [event]}).raise_for_status()
    revised = {**descriptor_document(), "capabilities": descriptor_document()["capabilities"][:1]}
    revised["objectives"] = [{"objective_id": "other", "entity_id": "checkout"}]
    assert shop.post("/v1/systems", json=revised).json()["revision"] == 2
    other = {**descriptor_document(), "system_id": "other-shop"}
    shop.post("/v1/systems", json=other).raise_for_status()
    shop.post("/v1/systems/other-shop/telemetry", json={"batch_id": "b", "points": points()}).raise_for_status()

    again = shop.post("/v1/rankings", json=QUESTION)
    assert again.json() == before
    assert shop.get(again.headers["location"]).json() == before
    latest = shop.post("/v1/rankings", json={**QUESTION, "at": None}).json()
    assert latest["provenance"]["descriptor_revision"] == 2
    now = shop.post("/v1/rankings", json={**QUESTION, "at": moment(+310)}).json()
    assert now["ranked"] != before["ranked"]


def moment(offset_s: float) -> str:
    """An instant so many seconds after the decision."""
    return (AT + timedelta(seconds=offset_s)).isoformat()


def transition(status: str, happened_s: float, known_s: float) -> dict[str, str]:
    """A change of status, on both clocks, relative to the decision."""
    return {"status": status, "event_at": moment(happened_s), "known_at": moment(known_s)}
