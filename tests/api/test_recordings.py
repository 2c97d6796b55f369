"""Recordings over HTTP: a zip is stored whole and once, or refused with everything that is wrong with it."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.api.system import NUM_TICKS, descriptor_document, write_recording

URL = "/v1/systems/corner-shop/recordings"
ZIP = {"content-type": "application/zip"}


@pytest.fixture
def registered(client: TestClient) -> TestClient:
    """A running service that knows the small system and no telemetry of it."""
    client.post("/v1/systems", json=descriptor_document()).raise_for_status()
    return client


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """The files of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_recording_is_stored_once_and_can_be_asked_about(registered: TestClient, tmp_path: Path) -> None:
    """The receipt says what is in it and until when; posted again it adds nothing; a ranking can be asked for."""
    content = write_recording(tmp_path / "night.zip").read_bytes()
    first, again = (registered.post(URL, content=content, headers=ZIP) for _ in range(2))
    assert first.status_code == again.status_code == 200
    receipt = first.json()
    assert again.json() == receipt
    assert (receipt["recording_id"], receipt["num_points"], receipt["num_events"]) == ("night", 10 * NUM_TICKS, 1)
    ranking = registered.post("/v1/rankings", json={"system_id": "corner-shop", "at": receipt["until"]})
    assert ranking.status_code == 201
    assert ranking.json()["provenance"]["data_age_s"] == 0.0
    assert ranking.json()["provenance"]["table_versions"] == {"metrics": 1}


def spoil_parquet(files: dict[str, bytes]) -> dict[str, bytes]:
    """Cut the metrics in the middle."""
    half = files["metrics.parquet"][: len(files["metrics.parquet"]) // 2]
    return {**files, "metrics.parquet": half}


def traverse(files: dict[str, bytes]) -> dict[str, bytes]:
    """Add a file that would land outside."""
    return {**files, "../../evil.txt": b"x"}


def bomb(files: dict[str, bytes]) -> dict[str, bytes]:
    """Add 300 MB that compress to 300 kB."""
    return {**files, "logs.parquet": bytes(300_000_000)}


def naive(files: dict[str, bytes]) -> dict[str, bytes]:
    """Take the time zone off an event."""
    event = json.loads(files["events.jsonl"])
    return {**files, "events.jsonl": json.dumps({**event, "event_at": "2025-03-01T12:00:00"}).encode()}


@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (spoil_parquet, "metrics.parquet"),
        (traverse, "evil.txt"),
        (bomb, "logs.parquet"),
        (naive, "events.jsonl, line 1"),
        (lambda files: {"manifest.json": b"{}"}, "manifest.json"),
        (lambda files: {}, "empty"),
    ],
    ids=["truncated Parquet", "path traversal", "decompression bomb", "naive timestamp", "foreign", "nothing"],
)
def test_a_bad_recording_is_refused_and_nothing_of_it_stays(
    registered: TestClient, tmp_path: Path, spoil: Callable[[dict[str, bytes]], dict[str, bytes]], detail: str
) -> None:
    """Each is refused with the file that is wrong; nothing is stored, and the service goes on."""
    files = unzipped(write_recording(tmp_path / "night.zip").read_bytes())
    refused = registered.post(URL, content=zipped(spoil(files)), headers=ZIP)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert detail in refused.text
    good = registered.post(URL, content=zipped(files), headers=ZIP).json()
    question = {"system_id": "corner-shop", "at": good["until"]}
    assert registered.post("/v1/rankings", json=question).json()["provenance"]["table_versions"] == {"metrics": 1}


def test_a_recording_leaves_the_guardrails_of_a_registered_system_alone(registered: TestClient, tmp_path: Path) -> None:
    """One whose descriptor says less than the registered one is refused, and the same question keeps its answer."""
    content = write_recording(tmp_path / "night.zip").read_bytes()
    at = registered.post(URL, content=content, headers=ZIP).json()["until"]
    before = registered.post("/v1/rankings", json={"system_id": "corner-shop", "at": at}).json()
    bare = descriptor_document()
    for capability in bare["capabilities"]:
        capability |= {"approvals_needed": 0, "bounds": {}}
    hostile = write_recording(tmp_path / "hostile.zip", capabilities=bare["capabilities"]).read_bytes()
    refused = registered.post(URL, content=hostile, headers=ZIP)
    assert refused.status_code == 422
    assert "a recording changes no registered system" in refused.json()["detail"]
    assert registered.get("/v1/systems/corner-shop").json()["revision"] == 1
    assert registered.post("/v1/rankings", json={"system_id": "corner-shop", "at": at}).json() == before


def test_what_is_no_zip_or_of_another_system_is_refused(registered: TestClient, tmp_path: Path) -> None:
    """Another media type gets 415, bytes that are no zip and recordings of other systems 422, unknown systems 404."""
    content = write_recording(tmp_path / "other.zip", system_id="other-shop").read_bytes()
    assert registered.post(URL, content=content, headers={"content-type": "application/json"}).status_code == 415
    assert registered.post(URL, content=b"PK nonsense", headers=ZIP).status_code == 422
    refused = registered.post(URL, content=content, headers=ZIP)
    assert refused.status_code == 422
    assert "other-shop" in refused.json()["detail"]
    assert registered.post("/v1/systems/other-shop/recordings", content=content, headers=ZIP).status_code == 404


def test_a_zip_is_read_where_it_was_received_and_removed(
    registered: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an upload needs on disk is gone when it is answered, good or bad."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    content = write_recording(tmp_path / "night.zip").read_bytes()
    for body in (content, content[:1_000]):
        registered.post(URL, content=body, headers=ZIP)
    assert list(folder.iterdir()) == []
