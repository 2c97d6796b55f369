"""The service's own telemetry reaches a real OTLP receiver, and goes nowhere unless asked."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient

from opswm_api.app import create_app
from opswm_api.self_telemetry import from_environment
from opswm_api.settings import Settings
from tests.api.system import AT, descriptor_document, points


class Receiver(ThreadingHTTPServer):
    """An OTLP/HTTP receiver in this process that keeps what it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Take one export."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            self.server.traces.append(ExportTraceServiceRequest.FromString(body))
        elif self.path == "/v1/metrics":
            self.server.metrics.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs while the test does."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_traces_and_metrics_reach_an_otlp_receiver(receiver: Receiver, settings: Settings) -> None:
    """A ranking leaves a server span with its route, the counters of points and answers, and the answer's duration."""
    telemetry = from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url + "/"})
    with TestClient(create_app(settings, self_telemetry=telemetry)) as client:
        client.post("/v1/systems", json=descriptor_document()).raise_for_status()
        batch = {"batch_id": "b-1", "points": points()}
        client.post("/v1/systems/corner-shop/telemetry", json=batch).raise_for_status()
        verdict = client.post("/v1/rankings", json={"system_id": "corner-shop", "at": AT.isoformat()}).json()["verdict"]
    telemetry.shutdown()

    resources = [one for export in receiver.traces for one in export.resource_spans]
    names = {span.name for one in resources for scope in one.scope_spans for span in scope.spans}
    assert "POST /v1/rankings" in names
    attributes = {pair.key: pair.value.string_value for pair in resources[0].resource.attributes}
    assert attributes["service.name"] == "opswm"

    found = {
        metric.name: metric
        for export in receiver.metrics
        for resource in export.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert found["opswm.telemetry.points"].sum.data_points[0].as_int == len(points())
    (answers,) = found["opswm.answers"].sum.data_points
    assert {pair.key: pair.value.string_value for pair in answers.attributes}["opswm.verdict"] == verdict
    assert found["opswm.answer.duration"].histogram.data_points[0].count == 1
    assert "http.server.request.duration" in found


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("OTEL_SERVICE_NAME", "shop-advisor", "shop-advisor"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop-advisor,team=blue", "shop-advisor"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=blue", "opswm"),
    ],
)
def test_the_service_goes_by_the_name_that_the_environment_gives_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str
) -> None:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before the name it has by default."""
    monkeypatch.setenv(variable, value)
    telemetry = from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
    telemetry.tracer_provider.get_tracer("test").start_span("test").end()
    telemetry.shutdown()
    attributes = {
        pair.key: pair.value.string_value for pair in receiver.traces[0].resource_spans[0].resource.attributes
    }
    assert attributes["service.name"] == name


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_an_endpoint_nothing_is_recorded(environment: dict[str, str]) -> None:
    """No endpoint, or the SDK switched off, means that no span is ever recording."""
    telemetry = from_environment(environment)
    assert telemetry.is_silent
    assert not telemetry.tracer_provider.get_tracer("test").start_span("test").is_recording()
