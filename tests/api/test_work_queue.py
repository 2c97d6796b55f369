"""Long work: bounded in size and in number, without keeping anybody else from an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import Request
from starlette.testclient import TestClient
from starlette.types import Message

from opswm_api.app import create_app
from opswm_api.problems import ProblemError
from opswm_api.settings import Settings
from opswm_api.storing import store_recording
from opswm_api.work_queue import WorkQueue
from tests.api.system import AT, descriptor_document, points, write_recording

QUESTION = {"system_id": "corner-shop", "at": AT.isoformat(), "horizon_ticks": 8}
WAIT_S = 60.0


class Client:
    """Somebody who has sent a request and may go away."""

    def __init__(self) -> None:
        self.gone = anyio.Event()

    @property
    def request(self) -> Request:
        """What was sent."""

        async def receive() -> Message:
            await self.gone.wait()
            return {"type": "http.disconnect"}

        return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def test_a_client_that_goes_away_leaves_the_queue() -> None:
    """Its place is free at once, its work is never begun, and the work under way is not disturbed."""
    begun, release, done = threading.Event(), threading.Event(), []

    def long_work() -> str:
        begun.set()
        release.wait(WAIT_S)
        return "long"

    async def scenario() -> None:
        queue = WorkQueue(1, 1, "questions", 10)
        stays, leaves = Client(), Client()

        async def wait_in_vain() -> None:
            with pytest.raises(ProblemError, match="went away"):
                await queue.run(leaves.request, lambda: done.append("left"))

        async def work() -> None:
            done.append(await queue.run(stays.request, long_work))

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await anyio.to_thread.run_sync(begun.wait, WAIT_S)
            group.start_soon(wait_in_vain)
            while queue.num_present < 2:
                await anyio.sleep(0.001)
            with pytest.raises(ProblemError) as full:
                await queue.run(Client().request, lambda: done.append("too many"))
            assert (full.value.status_code, full.value.headers) == (503, {"Retry-After": "10"})
            leaves.gone.set()
            while queue.num_present > 1:
                await anyio.sleep(0.001)
            queue.require_room()
            release.set()
        assert queue.num_present == 0

    anyio.run(scenario)
    assert done == ["long"]


def test_errors_of_the_work_come_out_as_they_are() -> None:
    """The caller sees the very error, and the place is free again."""

    def fail() -> None:
        raise ValueError("as it is")

    async def scenario() -> None:
        queue = WorkQueue(1, 0, "questions", 10)
        with pytest.raises(ValueError, match="as it is"):
            await queue.run(Client().request, fail)
        assert await queue.run(Client().request, lambda: 5) == 5

    anyio.run(scenario)


@pytest.fixture
def narrow(settings: Settings) -> Any:
    """A running service with the small system, where one question is answered and none waits."""
    tight = settings.model_copy(update={"model_queue": 0, "upload_queue": 0, "max_question_work": 100})
    with TestClient(create_app(tight), raise_server_exceptions=False) as running:
        running.post("/v1/systems", json=descriptor_document()).raise_for_status()
        batch = {"batch_id": "first", "points": points()}
        running.post("/v1/systems/corner-shop/telemetry", json=batch).raise_for_status()
        yield running


def blocked(begun: threading.Event, release: threading.Event, then: Callable[..., Any]) -> Callable[..., Any]:
    """Work that waits to be released."""

    def work(*arguments: Any, **named: Any) -> Any:
        begun.set()
        release.wait(WAIT_S)
        return then(*arguments, **named)

    return work


def test_while_a_question_is_answered_others_are_told_to_come_back(
    narrow: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second question gets 503 with Retry-After as a problem document; readiness and facts are answered."""
    begun, release = threading.Event(), threading.Event()
    advisor = narrow.app.state.services.ready_advisor  # type: ignore[attr-defined]
    monkeypatch.setattr(type(advisor), "forecast", blocked(begun, release, type(advisor).forecast))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(narrow.post, "/v1/forecasts", json=QUESTION)
        assert begun.wait(WAIT_S)
        for url in ("/v1/forecasts", "/v1/rankings"):
            refused = narrow.post(url, json=QUESTION)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            assert refused.json()["type"] == "urn:opswm:problem:busy"
        assert narrow.get("/health/ready").json()["status"] == "ready"
        assert narrow.get("/v1/systems").status_code == 200
        release.set()
        assert first.result().status_code == 200
    assert narrow.post("/v1/forecasts", json=QUESTION).status_code == 200


def test_while_a_recording_is_stored_others_are_told_to_come_back(
    narrow: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A second upload gets 503 with Retry-After and is not even read."""
    begun, release = threading.Event(), threading.Event()
    slow = blocked(begun, release, store_recording)
    monkeypatch.setattr("opswm_api.routes.recordings.store_recording", slow)
    content = write_recording(tmp_path / "night.zip").read_bytes()

    def upload() -> Any:
        url, headers = "/v1/systems/corner-shop/recordings", {"content-type": "application/zip"}
        return narrow.post(url, content=content, headers=headers)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(upload)
        assert begun.wait(WAIT_S)
        refused = upload()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        release.set()
        assert first.result().status_code == 200


@pytest.mark.parametrize(
    ("url", "change", "detail"),
    [
        ("/v1/rankings", {"max_candidates": 20}, "make 105, at most 100 are answered at once; ask about at most 19"),
        ("/v1/whatif", {"courses": [{"course_id": f"c{number}"} for number in range(20)]}, "ask about at most 19"),
    ],
)
def test_more_work_than_allowed_is_refused_before_it_is_done(
    narrow: TestClient, url: str, change: dict[str, Any], detail: str
) -> None:
    """Courses times entities and relations are counted first; the refusal names both numbers and what would fit."""
    refused = narrow.post(url, json={**QUESTION, **change})
    assert refused.status_code == 422
    assert detail in refused.json()["detail"]
    assert narrow.post("/v1/rankings", json={**QUESTION, "max_candidates": 19}).status_code == 201


def test_a_system_too_large_for_any_question_says_what_to_do(narrow: TestClient) -> None:
    """Where not even doing nothing can be imagined, the advice is to describe a part as a system."""
    document = descriptor_document()
    document["system_id"] = "city"
    document["entities"] += [{"entity_id": f"e{number}", "kind": "service"} for number in range(99)]
    narrow.post("/v1/systems", json=document).raise_for_status()
    refused = narrow.post("/v1/forecasts", json={**QUESTION, "system_id": "city"})
    assert refused.status_code == 422
    assert "describe a part of the system as a system of its own" in refused.json()["detail"]
