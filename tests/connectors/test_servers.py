"""The servers that tests start for themselves."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import metrics_servers, postgresql


def taken_first(free: Callable[[], int], taken: int) -> Callable[[], int]:
    """Return what finds free ports, but for the first, which another took meanwhile."""
    ports = [taken]
    return lambda: ports.pop() if ports else free()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another process has, as far as servers can tell."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        yield other.getsockname()[1]


def test_a_database_server_whose_port_was_taken_gets_another(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was free a moment ago may be another process's by the time a server wants it."""
    monkeypatch.setattr(postgresql, "_free_port", taken_first(postgresql._free_port, taken))
    with postgresql.installed() as installation:
        server = installation.start()
        assert server.port != taken
        server.connect().close()


def test_a_metrics_server_whose_port_was_taken_gets_another(
    taken: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server that ended without a port is not the one that is used."""
    monkeypatch.setattr(metrics_servers, "_free_port", taken_first(metrics_servers._free_port, taken))
    (tmp_path / "prometheus.yml").write_text("{}\n")
    arguments = ["--config.file=prometheus.yml", "--log.level=error", "--web.listen-address=127.0.0.1:{port}"]
    with metrics_servers._running("prometheus", arguments, "/-/ready", tmp_path) as (url, pid):
        assert url != f"http://127.0.0.1:{taken}"
        os.kill(pid, 0)
