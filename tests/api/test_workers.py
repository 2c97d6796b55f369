"""``opswm serve`` with two workers on a real PostgreSQL: either answers, and one that is killed takes nothing along."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.system import AT, descriptor_document, points
from tests.core.store.shop import after

LONG_S = 90.0
SYSTEM = "/v1/systems/corner-shop"


@dataclass
class Service:
    """A running ``opswm serve``.

    Attributes:
        pid: Of the process that watches the workers.
        url: Where it listens.
    """

    pid: int
    url: str

    def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Return the answer over a connection of its own, so that any worker may take it."""
        return httpx2.request(method, f"{self.url}{path}", json=body, timeout=LONG_S)

    def workers(self) -> set[int]:
        """Return the processes that serve."""
        found = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                command = (stat.parent / "cmdline").read_text()
            except (OSError, ValueError):
                continue
            if parent == self.pid and "spawn_main" in command:
                found.add(int(stat.parent.name))
        return found

    @contextmanager
    def without(self, worker: int) -> Iterator[None]:
        """Let a worker stand still for a block, so that another one has to answer."""
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)


@pytest.fixture
def service(tmp_path: Path, checkpoint: Path, postgresql: str) -> Iterator[Service]:
    """Two workers on a database of their own."""
    verb = [sys.executable, "-c", "from opswm_api.cli import main; main()", "serve", "--json", "--port", "0"]
    where = ["--database", postgresql, "--data", str(tmp_path / "data"), "--checkpoint", str(checkpoint)]
    log = tmp_path / "log"
    environment = {**os.environ, "OPSWM_TORCH_THREADS": "1"}
    with log.open("wb") as errors:
        command = [*verb, *where, "--workers", "2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
    assert process.stdout is not None
    running = Service(process.pid, "")
    try:
        line = process.stdout.readline()
        assert line, log.read_text(encoding="utf-8")
        running.url = json.loads(line)["url"]
        yield running
    finally:
        workers = running.workers()
        process.terminate()
        try:
            process.wait(LONG_S)
        finally:
            for left in workers:
                if Path(f"/proc/{left}").exists():
                    os.kill(left, signal.SIGKILL)
            process.kill()
            process.wait()
            process.stdout.close()
    assert process.returncode == 0, log.read_text(encoding="utf-8")


def wait_for(found: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + LONG_S
    while not found():
        assert time.monotonic() < until
        time.sleep(0.05)


def answers_alone(service: Service, worker: int) -> bool:
    """Return whether a worker is up, asked while the others stand still."""
    others = service.workers() - {worker}
    try:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        return httpx2.get(f"{service.url}/health/ready", timeout=3.0).status_code == 200
    except httpx2.TransportError:
        return False
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def test_two_workers_serve_one_store_and_one_may_die(service: Service) -> None:
    """What one worker acknowledged the other answers for; after a SIGKILL nothing is lost and a new one takes over."""
    wait_for(lambda: len(service.workers()) == 2)
    first, second = sorted(service.workers())
    for worker in (first, second):
        wait_for(partial(answers_alone, service, worker))
    with service.without(second):
        assert service.ask("POST", "/v1/systems", descriptor_document()).status_code == 201
        batch = {"batch_id": "first", "points": points()}
        service.ask("POST", f"{SYSTEM}/telemetry", batch).raise_for_status()
    question = {"system_id": "corner-shop", "at": AT.isoformat(), "horizon_ticks": 4, "seed": 3}
    told = []
    for stopped in (first, second):
        with service.without(stopped):
            told.append(service.ask("POST", "/v1/rankings", question).raise_for_status().json())
    assert [answer["ranked"] for answer in told] == [told[0]["ranked"]] * 2
    assert told[0]["provenance"]["table_versions"] == told[1]["provenance"]["table_versions"] == {"metrics": 1}

    acknowledged = []
    os.kill(first, signal.SIGKILL)
    for number in range(8):
        event = {
            "event_id": f"e{number}",
            "type": "note",
            "name": "n",
            "event_at": after(number).isoformat(),
            "known_at": after(number).isoformat(),
        }
        try:
            answer = service.ask("POST", f"{SYSTEM}/events", {"events": [event]})
        except httpx2.TransportError:  # the worker died with this connection
            continue
        assert answer.status_code < 300, answer.text
        acknowledged.append(event["event_id"])
    assert len(acknowledged) >= 7
    wait_for(lambda: len(service.workers()) == 2 and first not in service.workers())
    (replacement,) = service.workers() - {second}
    wait_for(partial(answers_alone, service, replacement))
    with service.without(second):
        for answer in told:
            decision = service.ask("GET", f"/v1/rankings/{answer['provenance']['decision_id']}")
            assert decision.raise_for_status().json() == answer
        again = service.ask("POST", "/v1/rankings", question).raise_for_status().json()
        assert again["ranked"] == told[0]["ranked"]
        assert again["provenance"]["table_versions"] == {"metrics": 1}


def test_workers_that_cannot_start_are_told_about(tmp_path: Path, checkpoint: Path) -> None:
    """A database that nobody answers for is an error before any worker starts; its password is told nowhere."""
    url = "postgresql://opswm:hunter2@127.0.0.1:1/opswm"
    verb = [sys.executable, "-c", "from opswm_api.cli import main; main()", "serve", "--workers", "2", "--port", "0"]
    where = ["--data", str(tmp_path / "data"), "--checkpoint", str(checkpoint), "--json"]
    environment = {**os.environ, "OPSWM_DATABASE": url}
    ended = subprocess.run([*verb, *where], capture_output=True, text=True, timeout=LONG_S, env=environment)
    assert ended.returncode == 2
    error = json.loads(ended.stderr.strip().splitlines()[-1])["error"]
    assert error["kind"] == "store"
    assert "hunter2" not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_workers_without_a_world_model_end_the_service(tmp_path: Path) -> None:
    """Where no worker could answer questions, the service ends with exit code 2 instead of starting them for ever."""
    verb = [sys.executable, "-c", "from opswm_api.cli import main; main()", "serve", "--workers", "2", "--port", "0"]
    where = ["--data", str(tmp_path / "data"), "--checkpoint", str(tmp_path / "none"), "--json"]
    ended = subprocess.run([*verb, *where], capture_output=True, text=True, timeout=4 * LONG_S)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "the workers could not start" in json.loads(ended.stderr.strip().splitlines()[-1])["error"]["detail"]
    assert "is no checkpoint folder" in ended.stderr
