"""Telemetry records as Arrow rows and back; the columns are those of ``opswm_schemas.columns``."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from opswm_schemas.columns import LOGS, METRICS, SPANS
from opswm_schemas.telemetry import ClassicHistogram, LogRecord, MetricPoint, NativeHistogram, Span


def metrics_table(points: Iterable[MetricPoint]) -> pa.Table:
    """Return metric points as a table with the columns of ``METRICS``."""
    return pa.Table.from_pylist([_metric_row(point) for point in points], schema=METRICS)


def logs_table(records: Iterable[LogRecord]) -> pa.Table:
    """Return log records as a table with the columns of ``LOGS``."""
    rows = [{**record.model_dump(), "attributes": list(record.attributes.items())} for record in records]
    return pa.Table.from_pylist(rows, schema=LOGS)


def spans_table(spans: Iterable[Span]) -> pa.Table:
    """Return spans as a table with the columns of ``SPANS``."""
    return pa.Table.from_pylist([span.model_dump() for span in spans], schema=SPANS)


def metric_points(table: pa.Table) -> list[MetricPoint]:
    """Return the rows of a metrics table as records.

    Raises:
        pydantic.ValidationError: When a row is no valid metric point.
    """
    return [_metric_point(row) for row in table.to_pylist()]


def _metric_row(point: MetricPoint) -> dict[str, Any]:
    row: dict[str, Any] = {
        "channel_id": point.channel_id,
        "event_at": point.event_at,
        "known_at": point.known_at,
        "value": point.value,
    }
    match point.histogram:
        case ClassicHistogram(upper_bounds=bounds, cumulative_counts=counts):
            row |= {"upper_bounds": bounds, "counts": counts}
        case NativeHistogram(scale=scale, offset=offset, zero_count=zero_count, positive_counts=counts):
            row |= {"counts": counts, "histogram_scale": scale, "histogram_offset": offset, "zero_count": zero_count}
    return row


def _metric_point(row: dict[str, Any]) -> MetricPoint:
    histogram: ClassicHistogram | NativeHistogram | None = None
    if row["upper_bounds"] is not None:
        histogram = ClassicHistogram(upper_bounds=row["upper_bounds"], cumulative_counts=row["counts"])
    elif row["histogram_scale"] is not None:
        histogram = NativeHistogram(
            scale=row["histogram_scale"],
            offset=row["histogram_offset"] or 0,
            zero_count=row["zero_count"] or 0.0,
            positive_counts=row["counts"],
        )
    return MetricPoint(
        channel_id=row["channel_id"],
        event_at=row["event_at"],
        known_at=row["known_at"],
        value=row["value"],
        histogram=histogram,
    )
