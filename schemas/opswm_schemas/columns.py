"""The Arrow columns of telemetry tables, in recordings, stores and readers alike."""

from typing import Final

import pyarrow as pa

INSTANT: Final = pa.timestamp("us", tz="UTC")
"""Every instant in a table: microseconds, UTC."""

_TWO_CLOCKS: Final = [pa.field("event_at", INSTANT, nullable=False), pa.field("known_at", INSTANT, nullable=False)]

METRICS: Final = pa.schema(
    [
        pa.field("channel_id", pa.string(), nullable=False),
        *_TWO_CLOCKS,
        pa.field("value", pa.float64()),
        pa.field("upper_bounds", pa.list_(pa.float64())),
        pa.field("counts", pa.list_(pa.float64())),
        pa.field("histogram_scale", pa.int32()),
        pa.field("histogram_offset", pa.int32()),
        pa.field("zero_count", pa.float64()),
    ]
)
"""One reading a row. ``value`` for numbers; ``upper_bounds`` + cumulative ``counts`` for classic histograms;
``histogram_scale``, ``histogram_offset``, ``zero_count`` + ``counts`` (positive buckets) for native ones."""

LOGS: Final = pa.schema(
    [
        pa.field("entity_id", pa.string(), nullable=False),
        *_TWO_CLOCKS,
        pa.field("severity", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("template_id", pa.string()),
        pa.field("attributes", pa.map_(pa.string(), pa.string())),
    ]
)
"""One log line a row."""

SPANS: Final = pa.schema(
    [
        pa.field("trace_id", pa.string(), nullable=False),
        pa.field("span_id", pa.string(), nullable=False),
        pa.field("parent_span_id", pa.string()),
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        *_TWO_CLOCKS,
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("failed", pa.bool_(), nullable=False),
    ]
)
"""One span a row; ``event_at`` is its start."""

TABLES: Final[dict[str, pa.Schema]] = {"metrics": METRICS, "logs": LOGS, "spans": SPANS}
"""The Parquet tables of a recording by name."""
