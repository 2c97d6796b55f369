"""What the README tells a newcomer to do, done with the real programs: the demo, and the service over HTTP."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from opswm_api.mind import load_mind

README = Path(__file__).resolve().parents[2] / "README.md"
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
        process.communicate()  # closes the pipes too


def line_with(process: subprocess.Popen[str], word: str) -> str:
    """Read what a program prints up to the line with a word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without saying {word!r}: {process.communicate()[1]}")


def told_in_the_readme() -> list[str]:
    """The shell blocks of the walk-through over HTTP, as they stand in the README."""
    whole = README.read_text(encoding="utf-8")
    section = whole.split("\n## Ask it over HTTP\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)


def test_the_walk_through_of_the_readme(tmp_path: Path) -> None:
    """Every shell block of the walk-through, run word for word but for the port, does what the README shows."""
    simulate, register, rank, whatif = told_in_the_readme()
    simulate, serve = simulate.strip().removesuffix(" &").rsplit("\n", 1)
    command = tmp_path / "bin" / "opswm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(OPSWM)} "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def shell(block: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env={**environment(), "PATH": path},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    shell(simulate)
    assert serve == "opswm serve"
    with running("serve", "--port", "0", "--json", cwd=tmp_path) as service:
        host = json.loads(line_with(service, "url"))["url"].removeprefix("http://")
        posted = shell(register.replace("localhost:8000", host))
        assert json.loads(posted[posted.index('{"recording_id"') :])["recording_id"] == "web-shop-seed-3"
        verdict, headline = shell(rank.replace("localhost:8000", host)).splitlines()
        shown = README.read_text(encoding="utf-8")
        assert f"\n{verdict}\n{headline.split(':')[0]}:" in shown
        courses = shell(whatif.replace("localhost:8000", host))
        cost = {name: float(value) for name, value in re.findall(r"^([a-z_-]+): ([\d.]+) bad minutes", courses, re.M)}
        bands = re.findall(r"(edge-lb/\w+) at the last tick, \S+ - .*?0\.50: ([\d.]+)", courses)
        waiting, acting = ({name: float(value) for name, value in part} for part in (bands[:2], bands[2:]))
        assert cost["bigger-pool"] < cost["no_op"]
        assert set(waiting) == set(acting) == {"edge-lb/error_ratio", "edge-lb/latency_p99"}
        assert all(acting[name] < 0.98 * waiting[name] for name in waiting)


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
    shown = README.read_text(encoding="utf-8")
    assert load_mind(None, torch_threads=1).digest[:12] in shown


@pytest.mark.slow
def test_a_checkpoint_can_be_trained_and_asked(tmp_path: Path) -> None:
    """The debug recipe makes a checkpoint that ranks a recording and names itself in the answer."""
    trained = json.loads(opswm("train", "--recipe", "debug", "--out", "small", "--json", cwd=tmp_path, timeout_s=1_500))
    (recording,) = json.loads(opswm("simulate", "--out", "demo", "--json", cwd=tmp_path))
    answer = json.loads(opswm("rank", recording, "--checkpoint", "small", "--json", cwd=tmp_path))
    assert answer["provenance"]["model_digest"] == trained["digest"]
