"""A Prometheus and a VictoriaMetrics of the tests' own, from Debian's packages, filled by remote write."""

import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

_START_S = 60.0
_STARTS = 5
_TAKEN = "address already in use"
"""What a server says where the port that was free a moment ago is another's now."""

_RUNS = count(1)


@dataclass(frozen=True)
class Sent:
    """One series to send.

    Attributes:
        labels: With the metric's ``__name__``.
        samples: Milliseconds since 1970 and the number; or
        native: milliseconds since 1970 and a native histogram with the columns' own field names.
    """

    labels: Mapping[str, str]
    samples: Sequence[tuple[int, float]] = ()
    native: Sequence[tuple[int, Mapping[str, object]]] = ()


@dataclass(frozen=True)
class MetricsServer:
    """A running server.

    Attributes:
        url: Where its HTTP API is.
        takes_native: Whether it keeps native histograms.
        pid: Of its process.
    """

    url: str
    takes_native: bool
    pid: int

    def write(self, series: Sequence[Sent]) -> None:
        """Send series (remote write 1.0) and return when they can be read."""
        body = pa.compress(b"".join(_field(1, _series(one)) for one in series), codec="snappy", asbytes=True)
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            answer = client.post("/api/v1/write", content=body, headers=headers)
            assert answer.status_code in (200, 204), answer.text
            if not self.takes_native:  # VictoriaMetrics shows what it holds in memory a second later, or when told to
                assert client.get("/internal/force_flush").status_code == 200

    def new_run(self) -> str:
        """Return a label value that no other test uses."""
        return f"run{next(_RUNS)}"


@pytest.fixture(scope="session")
def prometheus_server() -> Iterator[MetricsServer]:
    """A Prometheus without targets, which takes samples of any time."""
    with tempfile.TemporaryDirectory(prefix="opswm-prometheus-") as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text("storage: {tsdb: {out_of_order_time_window: 36500d}}\n", encoding="utf-8")
        arguments = [
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            "--storage.tsdb.retention.time=100y",
            "--web.enable-remote-write-receiver",
            "--enable-feature=native-histograms",
            "--log.level=error",
            "--web.listen-address=127.0.0.1:{port}",
        ]
        with _running("prometheus", arguments, "/-/ready", Path(folder)) as (url, pid):
            yield MetricsServer(url, True, pid)


@pytest.fixture(scope="session")
def victoria_server() -> Iterator[MetricsServer]:
    """A VictoriaMetrics that keeps samples of any time."""
    with tempfile.TemporaryDirectory(prefix="opswm-victoria-") as folder:
        arguments = [
            f"-storageDataPath={folder}/data",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=200000000",
            "-loggerLevel=ERROR",
            "-httpListenAddr=127.0.0.1:{port}",
        ]
        with _running("victoria-metrics", arguments, "/health", Path(folder)) as (url, pid):
            yield MetricsServer(url, False, pid)


@contextmanager
def _running(program: str, arguments: Sequence[str], ready: str, folder: Path) -> Iterator[tuple[str, int]]:
    place = shutil.which(program)
    if place is None:
        pytest.skip(f"{program} is not installed (apt-get install {program})")
    for attempt in range(1, _STARTS + 1):
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [place, *(argument.format(port=port) for argument in arguments)], stdout=log, stderr=log, cwd=folder
            )
        try:
            problem = _problem(process, url + ready, folder / "log")
            if problem is None:
                yield url, process.pid
                return
            if attempt == _STARTS or _TAKEN not in problem:
                pytest.fail(f"{program} did not start: {problem[-2000:]}")
        finally:
            _end(process)


def _problem(process: "subprocess.Popen[bytes]", ready: str, log: Path) -> str | None:
    """Wait until a server is ready; return what it said where it does not get so far."""
    until = time.monotonic() + _START_S
    while process.poll() is None:
        # Another process may answer at a port that was taken meanwhile: a server that cannot have it ends soon.
        if _answers(ready) and process.poll() is None:
            return None
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return log.read_text(errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def _series(series: Sent) -> bytes:
    labels = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in sorted(series.labels.items())
    )
    samples = b"".join(_field(2, _double(1, value) + _whole(2, at_ms)) for at_ms, value in series.samples)
    return labels + samples + b"".join(_field(4, _native(at_ms, told)) for at_ms, told in series.native)


def _native(at_ms: int, told: Mapping[str, object]) -> bytes:
    counts, zero = told["counts"], told["zero_count"]
    scale, offset = told["histogram_scale"], told["histogram_offset"]
    assert isinstance(counts, list)
    assert isinstance(zero, float)
    assert isinstance(scale, int)
    assert isinstance(offset, int)
    deltas = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    span = _whole(1, _zigzag(offset + 1)) + _whole(2, len(counts))  # Prometheus counts buckets by their upper bound
    packed = b"".join(_varint(_zigzag(int(delta))) for delta in deltas)
    return b"".join(
        (
            _whole(1, int(sum(counts) + zero)),
            _double(3, 1.0),
            _whole(4, _zigzag(scale)),
            _double(5, 1e-128),
            _whole(6, int(zero)),
            _field(11, span),
            _field(12, packed),
            _whole(15, at_ms),
        )
    )


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _whole(place: int, number: int) -> bytes:
    return _varint(place << 3) + _varint(number)


def _double(place: int, number: float) -> bytes:
    return _varint(place << 3 | 1) + struct.pack("<d", number)


def _field(place: int, content: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(content)) + content
