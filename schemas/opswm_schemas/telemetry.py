"""Telemetry records as they cross a boundary: points, logs, spans and events, each on two clocks."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.base import Closed, Fact, Identifier, NonNegative, NotText, Number, Seconds, ShortText, Truth

Severity = Literal["trace", "debug", "info", "warn", "error", "fatal"]
SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
Counts = Annotated[list[NonNegative], Field(max_length=2_000)]


class ClassicHistogram(Closed):
    """A cumulative histogram with explicit bounds (Prometheus classic, OTLP explicit).

    Attributes:
        upper_bounds: Increasing finite bounds in the channel's unit; the last, infinite bucket is implied.
        cumulative_counts: One count per bound and one for the infinite bucket, never decreasing.
    """

    kind: Literal["classic"] = "classic"
    upper_bounds: Annotated[list[Number], Field(min_length=1, max_length=1_000)]
    cumulative_counts: Counts

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if len(self.cumulative_counts) != len(self.upper_bounds) + 1:
            raise ValueError(
                f"{len(self.upper_bounds)} bounds need {len(self.upper_bounds) + 1} cumulative counts "
                f"(one for the infinite bucket), got {len(self.cumulative_counts)}"
            )
        for name, values in (("upper_bounds", self.upper_bounds), ("cumulative_counts", self.cumulative_counts)):
            strict = name == "upper_bounds"
            for left, right in pairwise(values):
                if right < left or (strict and right == left):
                    rule = "increase" if strict else "not decrease"
                    raise ValueError(f"{name} must {rule}: {left} is followed by {right}")
        return self


class NativeHistogram(Closed):
    """A cumulative exponential histogram of non-negative values (Prometheus native, OTLP exponential, data model 1.0).

    Bucket ``i`` of ``positive_counts`` holds values in ``(base**(offset+i), base**(offset+i+1)]`` with
    ``base = 2 ** (2 ** -scale)``, as in the OpenTelemetry metrics data model.
    """

    kind: Literal["native"] = "native"
    scale: Annotated[int, Field(ge=-10, le=20), NotText]
    offset: Annotated[int, Field(ge=-(2**20), le=2**20), NotText] = 0
    zero_count: NonNegative = 0.0
    positive_counts: Counts


class MetricPoint(Fact):
    """One reading of one channel: a number, or a histogram where the channel is one."""

    channel_id: Identifier
    value: Number | None = None
    histogram: Annotated[ClassicHistogram | NativeHistogram, Field(discriminator="kind")] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.value is None) == (self.histogram is None):
            raise ValueError(f"channel {self.channel_id!r}: give either 'value' or 'histogram', one of them")
        return self


class LogRecord(Fact):
    """One log line; ``body`` is untrusted text."""

    entity_id: Identifier
    severity: Severity
    body: Annotated[str, Field(max_length=65_536)]
    template_id: ShortText | None = None
    attributes: dict[str, ShortText] = Field(default_factory=dict, max_length=64)


class Span(Fact):
    """One span; ``event_at`` is its start."""

    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    span_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    parent_span_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    entity_id: Identifier
    name: ShortText
    kind: SpanKind = "internal"
    duration_s: Seconds
    failed: Truth = False


class Event(Fact):
    """Something that happened to an entity or to the system: an alert, a state change, a note."""

    event_id: Identifier
    type: Literal["alert_fired", "alert_resolved", "incident_opened", "incident_closed", "state_change", "note"]
    entity_id: Identifier | None = None
    name: ShortText
    severity: Severity = "warn"
    attributes: dict[str, ShortText] = Field(default_factory=dict, max_length=64)
