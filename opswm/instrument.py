"""What opswm tells about itself, through OpenTelemetry: no-ops until an application installs an SDK provider.

The API package alone hands out proxies (OpenTelemetry API specification 1.x, "no-op implementation"), which
start to record once a provider is set, so libraries never configure anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from opentelemetry import metrics, trace
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.trace import Span, Status, StatusCode, Tracer

SCOPE = "opswm"
"""Name of the instrumentation scope of every span and metric."""

Attribute = str | int | float | bool


def tracer() -> Tracer:
    """Return the tracer of opswm."""
    return trace.get_tracer(SCOPE)


def meter() -> Meter:
    """Return the meter of opswm."""
    return metrics.get_meter(SCOPE)


@cache
def _operation_duration() -> Histogram:
    """Return the one duration histogram; an SDK warns when an instrument is created twice."""
    return meter().create_histogram(
        "opswm.operation.duration", unit="s", description="Time an operation of opswm took."
    )


@contextmanager
def timed(span_name: str, **attributes: Attribute) -> Iterator[Span]:
    """Run a block inside a span and record how long it took.

    The duration goes to the histogram ``opswm.operation.duration`` (seconds) under ``operation`` = the name
    of the span; other attributes stay on the span, so that ids never multiply the series of the metric. An
    exception marks both (``error.type``) and is passed on.

    Args:
        span_name: What is done, for instance ``"timeline.build"``.
        **attributes: Of the span.

    Yields:
        The span, for attributes known only later.
    """
    since = perf_counter()
    labels: dict[str, Attribute] = {"operation": span_name}
    with tracer().start_as_current_span(span_name, attributes=attributes, set_status_on_exception=False) as span:
        try:
            yield span
        except BaseException as problem:
            labels["error.type"] = type(problem).__qualname__
            span.set_attribute("error.type", type(problem).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            _operation_duration().record(perf_counter() - since, labels)
