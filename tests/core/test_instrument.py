"""Self-telemetry: nothing until a provider is installed, spans and durations afterwards."""

import subprocess
import sys

import pytest

from opswm.instrument import timed

CONFIGURED = """
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opswm.instrument import timed

with timed("before.configuration"):
    pass
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
with timed("outer", system="shop") as span:
    span.set_attribute("rows", 7)
    with pytest.raises(KeyError), timed("inner"):
        raise KeyError("gone")
inner, outer = exporter.get_finished_spans()
assert (inner.name, outer.name, inner.parent.span_id) == ("inner", "outer", outer.context.span_id)
assert dict(outer.attributes) == {"system": "shop", "rows": 7} and outer.status.is_unset
assert inner.attributes["error.type"] == "KeyError" and not inner.status.is_ok
(metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
assert (metric.name, metric.unit) == ("opswm.operation.duration", "s")
labels = [dict(point.attributes) for point in metric.data.data_points]
assert sorted(labels, key=lambda label: label["operation"]) == [
    {"operation": "inner", "error.type": "KeyError"}, {"operation": "outer"}]
"""


def test_without_a_provider_nothing_is_recorded() -> None:
    """The block runs, its span records nothing, and errors pass through."""
    with timed("quiet", rows=3) as span:
        assert not span.is_recording()
    with pytest.raises(ZeroDivisionError), timed("quiet"):
        _ = 1 / 0


def test_with_a_provider_spans_and_durations_are_recorded() -> None:
    """In a process of its own, since providers are set once: nested spans, errors and one histogram."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CONFIGURED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
