"""Telemetry records become Arrow rows and come back the same."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opswm_schemas.columns import LOGS, METRICS, SPANS
from opswm_schemas.examples.system import log_record, metric_point, native_metric_point, span
from opswm_schemas.rows import logs_table, metric_points, metrics_table, spans_table
from opswm_schemas.telemetry import ClassicHistogram, MetricPoint, NativeHistogram

START = datetime(2025, 6, 1, tzinfo=UTC)
COUNTS = st.integers(0, 10**6).map(float)
CLASSIC = st.lists(
    st.tuples(st.integers(-100, 100), COUNTS), min_size=1, max_size=6, unique_by=lambda pair: pair[0]
).map(
    lambda pairs: ClassicHistogram(
        upper_bounds=sorted(float(bound) for bound, _ in pairs),
        cumulative_counts=sorted([*(count for _, count in pairs), 10.0**6]),
    )
)
NATIVE = st.builds(
    NativeHistogram,
    scale=st.integers(-10, 20),
    offset=st.integers(-1_000, 1_000),
    zero_count=COUNTS,
    positive_counts=st.lists(COUNTS, max_size=5),
)
READINGS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: {"value": value}),
    (CLASSIC | NATIVE).map(lambda histogram: {"histogram": histogram}),
)
SECONDS = st.integers(0, 10**6).map(lambda count: START + timedelta(microseconds=count))
POINTS = st.builds(
    lambda channel, event_at, known_at, reading: MetricPoint(
        channel_id=channel, event_at=event_at, known_at=known_at, **reading
    ),
    st.sampled_from(["a", "b.c"]),
    SECONDS,
    SECONDS,
    READINGS,
)


@given(points=st.lists(POINTS, max_size=7))
def test_metric_points_survive_as_rows(points: list[MetricPoint]) -> None:
    """Numbers, classic and native histograms come back from a table exactly as they went in."""
    table = metrics_table(points)
    assert table.schema == METRICS
    assert metric_points(table) == points


def test_logs_keep_their_attributes() -> None:
    """A log row holds every field of the record, attributes as a map."""
    table = logs_table([log_record()])
    assert table.schema == LOGS
    (row,) = table.to_pylist()
    assert {**row, "attributes": dict(row["attributes"])} == log_record().model_dump()


def test_spans_keep_every_field() -> None:
    """A span row holds every field of the record."""
    table = spans_table([span()])
    assert table.schema == SPANS
    assert table.to_pylist() == [span().model_dump()]


def test_no_records_are_an_empty_table() -> None:
    """No records make a table without rows that has all columns."""
    assert (metrics_table([]).schema, logs_table([]).schema, spans_table([]).schema) == (METRICS, LOGS, SPANS)
    assert metrics_table([metric_point(), native_metric_point()]).num_rows == 2
