"""What the README tells a newcomer to do, done with the real programs: the demo, and the service over HTTP."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from opswm_api.mind import load_mind

OPSWM = [sys.executable, "-c", "from opswm_api.cli import main; main()"]


def environment() -> dict[str, str]:
    """The environment of a user: no settings of opswm, output as it comes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPSWM_", "OTEL_"))}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def opswm(*arguments: str, cwd: Path, timeout_s: float = 300.0) -> str:
    """Run a verb to its end and return what it printed."""
    done = subprocess.run(
        [*OPSWM, *arguments], cwd=cwd, env=environment(), capture_output=True, text=True, check=False, timeout=timeout_s
    )
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a verb that goes on until it is interrupted; it must then end by itself, and well."""
    process = subprocess.Popen(
        [*OPSWM, *arguments], cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 3, 130), errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.wait()


def line_with(process: subprocess.Popen[str], word: str) -> str:
    """Read what a program prints up to the line with a word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without saying {word!r}: {process.communicate()[1]}")


def widths(future: dict[str, Any]) -> list[float]:
    """The width of each channel's band at the last tick."""
    return [channel["values"][-1][-1] - channel["values"][-1][0] for channel in future["channels"]]


def test_the_walk_through_of_the_readme(tmp_path: Path) -> None:
    """Simulate, serve, register, post the recording, ask for a ranking and a what-if with quantile bands."""
    (archive,) = json.loads(opswm("simulate", "--seed", "3", "--out", "demo", "--zip", "--json", cwd=tmp_path))
    with zipfile.ZipFile(tmp_path / archive) as recording:
        descriptor = recording.read("descriptor.json")
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as service:
        url = json.loads(line_with(service, "url"))["url"]
        with httpx2.Client(base_url=url, timeout=120) as client:
            registered = client.post("/v1/systems", content=descriptor, headers={"content-type": "application/json"})
            assert registered.status_code == 201
            posted = client.post(
                "/v1/systems/web-shop/recordings",
                content=(tmp_path / archive).read_bytes(),
                headers={"content-type": "application/zip"},
            )
            assert posted.status_code == 200
            question = {"system_id": "web-shop", "at": posted.json()["until"]}
            ranking = client.post("/v1/rankings", json=question)
            assert ranking.status_code == 201
            assert len(ranking.json()["ranked"]) == 32
            assert client.get(ranking.headers["location"]).json() == ranking.json()
            best = ranking.json()["ranked"][0]["course"]
            answer = client.post("/v1/whatif", json={**question, "courses": [best], "entities": ["edge-lb"]})
            assert answer.status_code == 200
            assert all(width >= 0 for future in answer.json()["futures"] for width in widths(future))
            assert client.get("/health/ready").status_code == 200


def test_the_demo_prints_its_ranking_and_serves_its_incident(tmp_path: Path) -> None:
    """The situation, the ranking and the truth are printed; then the API knows the incident."""
    with running("demo", "--seed", "3", "--port", "0", cwd=tmp_path) as demo:
        line_with(demo, "what now?")
        line_with(demo, "against doing nothing, over")
        line_with(demo, "Truly wrong")
        line_with(demo, "Beside the truth")
        url = line_with(demo, "opswm listens on").split()[-1]
        with httpx2.Client(base_url=url, timeout=120) as client:
            (system,) = client.get("/v1/systems").json()["systems"]
            assert system["system_id"] == "web-shop"
            actions = client.get("/v1/systems/web-shop/actions").json()["actions"]
            assert actions
            told = client.post("/v1/forecasts", json={"system_id": "web-shop", "at": "2026-03-02T03:13:10Z"})
            assert told.status_code == 200
            assert told.json()["provenance"]["data_age_s"] < 60


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """A second service on the port of the first is refused with exit code 2 and what to do."""
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as service:
        taken = json.loads(line_with(service, "url"))["url"].rpartition(":")[2]
        refused = subprocess.run(
            [*OPSWM, "serve", "--port", taken, "--store", "other"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert refused.returncode == 2
        assert "is taken; choose another with --port" in refused.stderr


def test_the_readme_shows_the_shipped_checkpoint() -> None:
    """The captured output is of the checkpoint that ships, so a new checkpoint asks for a new capture."""
    shown = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert load_mind(None, torch_threads=1).digest[:12] in shown


@pytest.mark.slow
def test_a_checkpoint_can_be_trained_and_asked(tmp_path: Path) -> None:
    """The debug recipe makes a checkpoint that ranks a recording and names itself in the answer."""
    trained = json.loads(opswm("train", "--recipe", "debug", "--out", "small", "--json", cwd=tmp_path, timeout_s=1_500))
    (recording,) = json.loads(opswm("simulate", "--out", "demo", "--json", cwd=tmp_path))
    answer = json.loads(opswm("rank", recording, "--checkpoint", "small", "--json", cwd=tmp_path))
    assert answer["provenance"]["model_digest"] == trained["digest"]
