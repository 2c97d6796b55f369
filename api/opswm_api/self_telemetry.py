"""The service's own telemetry: OpenTelemetry traces and metrics, exported over OTLP where an endpoint is named.

With ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or its per-signal variants) unset, or ``OTEL_SDK_DISABLED=true``, nothing is
recorded and nothing is sent. Variables are those of the OpenTelemetry specification 1.49, SDK configuration.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider, TracerProvider


@dataclass(frozen=True)
class SelfTelemetry:
    """Where the service sends its own traces and metrics.

    Attributes:
        tracer_provider: Makes the tracers; a no-op one records nothing.
        meter_provider: Makes the meters.
    """

    tracer_provider: TracerProvider
    meter_provider: MeterProvider

    @property
    def is_silent(self) -> bool:
        """Whether nothing is recorded."""
        return isinstance(self.tracer_provider, NoOpTracerProvider)

    def make_global(self) -> None:
        """Let code that asks OpenTelemetry's globals, such as the core's, record here too; once in a process."""
        if self.is_silent:
            return
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)

    def shutdown(self) -> None:
        """Send what is still held back, then stop."""
        for provider in (self.tracer_provider, self.meter_provider):
            stop = getattr(provider, "shutdown", None)
            if stop is not None:
                stop()


def silent() -> SelfTelemetry:
    """Return telemetry that goes nowhere."""
    return SelfTelemetry(NoOpTracerProvider(), NoOpMeterProvider())


def from_environment(environment: Mapping[str, str] = os.environ) -> SelfTelemetry:
    """Return telemetry as the OpenTelemetry variables ask for it.

    Args:
        environment: Where the variables are looked up to decide whether to export at all; the exporters
            read headers, timeouts and certificates from the process environment themselves.
    """
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    traces_url = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or (f"{base}/v1/traces" if base else "")
    metrics_url = environment.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or (f"{base}/v1/metrics" if base else "")
    if disabled or not (traces_url or metrics_url):
        return silent()
    return _exporting(traces_url, metrics_url)


def _exporting(traces_url: str, metrics_url: str) -> SelfTelemetry:
    # The SDK and its exporters are a tenth of a second of start-up that a silent service does not need.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk import metrics as sdk_metrics
    from opentelemetry.sdk import resources
    from opentelemetry.sdk import trace as sdk_trace
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = resources.OTELResourceDetector().detect().attributes  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
    ours = {"service.name": "opswm", "service.version": version("opswm")}
    resource = resources.Resource.create({**ours, **named})
    tracer_provider = sdk_trace.TracerProvider(resource=resource)
    if traces_url:
        tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=traces_url)))
    readers = [PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=metrics_url))] if metrics_url else []
    return SelfTelemetry(tracer_provider, sdk_metrics.MeterProvider(metric_readers=readers, resource=resource))
