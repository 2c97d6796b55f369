"""Files that are no tables, or other tables than the contract's, are named with what was expected."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opswm_schemas.columns import METRICS
from opswm_schemas.examples import system
from opswm_schemas.recordings.archive import ArchiveLimits
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.table_checks import Context, table_problems
from opswm_schemas.recordings.tables import decode_table, encode_table
from opswm_schemas.recordings.validation import validate_recording
from opswm_schemas.rows import metrics_table

Change = Callable[[pa.Table], pa.Table]


def recast(table: pa.Table, column: str, kind: pa.DataType) -> pa.Table:
    """Return a table with one column cast to another type."""
    return table.set_column(table.column_names.index(column), column, table[column].cast(kind))


def test_truncated_tables_are_named(spoiler: Any) -> None:
    """A Parquet file that was cut off is named with both what its bytes and what its decoding say."""
    path = spoiler.folder / "metrics.parquet"
    path.write_bytes(path.read_bytes()[:200])
    found = spoiler.problems()
    assert [problem.file for problem in found] == ["metrics.parquet"] * 2
    assert "another checksum" in found[0].what
    assert "it has 200 bytes" in found[0].what
    assert "truncated, damaged or no Parquet file" in found[1].what


@pytest.mark.parametrize("content", [b"", b"channel_id,value\na,1\n", b"PAR1" + bytes(40) + b"PAR1"])
def test_foreign_files_are_no_tables(spoiler: Any, content: bytes) -> None:
    """A file that is no Parquet is refused as such, whatever its checksum."""
    spoiler.rewrite("metrics.parquet", content)
    assert "truncated, damaged or no Parquet file" in spoiler.only_problem().what


@pytest.mark.parametrize(
    ("change", "field", "what"),
    [
        (lambda table: table.drop_columns(["value"]), "value", "is missing, a double"),
        (lambda table: table.append_column("unit", pa.array(["s"] * 7)), "unit", "is no column of this table"),
        (lambda table: table.append_column("value", table["value"]), "value", "is there twice"),
        (lambda table: recast(table, "value", pa.string()), "value", "expected double"),
        (lambda table: recast(table, "event_at", pa.timestamp("us")), "event_at", "has type timestamp[us], expected"),
        (lambda table: recast(table, "event_at", pa.timestamp("us", tz="Asia/Tokyo")), "event_at", "Asia/Tokyo"),
        (lambda table: recast(table, "event_at", pa.timestamp("ns", tz="UTC")), "event_at", "timestamp[ns, tz=UTC]"),
        (lambda table: recast(table, "event_at", pa.int64()), "event_at", "has type int64"),
    ],
)  # fmt: skip
def test_wrong_columns_are_named(spoiler: Any, change: Change, field: str, what: str) -> None:
    """A missing, unknown, repeated or mistyped column is named with the type that is expected."""
    spoiler.table("metrics.parquet", change)
    found = spoiler.only_problem()
    assert (found.file, found.field) == ("metrics.parquet", field)
    assert what in found.what


def test_all_wrong_columns_are_named_at_once(spoiler: Any) -> None:
    """Several wrong columns are all named in one pass."""
    spoiler.table("spans.parquet", lambda table: table.rename_columns({"trace_id": "trace"}).drop_columns(["kind"]))
    assert {found.field for found in spoiler.problems()} == {"trace", "trace_id", "kind"}


def test_tables_that_announce_too_much_are_refused_unread(spoiler: Any) -> None:
    """A small file that announces many rows or holds a long text is refused by its footer or dictionary."""
    rows = 30_000
    instant = pa.array([system.START] * rows, pa.timestamp("us", tz="UTC"))
    table = pa.table(
        {
            "entity_id": ["checkout"] * rows,
            "event_at": instant,
            "known_at": instant,
            "severity": ["info"] * rows,
            "body": ["b" * 5_000] * rows,
            "template_id": pa.nulls(rows, pa.string()),
            "attributes": pa.nulls(rows, pa.map_(pa.string(), pa.string())),
        }
    )
    spoiler.table("logs.parquet", lambda _: table)
    assert (spoiler.folder / "logs.parquet").stat().st_size < rows
    for limits, what in (
        (ArchiveLimits(num_rows=29_999), "announces 30000 rows"),
        (ArchiveLimits(text_bytes=4_999), "holds a text of 5000 bytes"),
    ):
        (found,) = validate_recording(spoiler.folder, limits)
        assert what in found.what
    assert spoiler.problems() == []


def test_any_parquet_writer_will_do(spoiler: Any) -> None:
    """Tables of another writer are read: other compression, plain encoding, large text, small row groups."""
    path = spoiler.folder / "metrics.parquet"
    table = pq.read_table(path)
    table = table.set_column(0, "channel_id", table["channel_id"].cast(pa.large_string()))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="gzip", use_dictionary=False, row_group_size=2)
    spoiler.rewrite("metrics.parquet", bytes(sink.getvalue()))
    assert spoiler.problems() == []
    with Recording.open(spoiler.folder) as opened:
        assert opened.metrics()["channel_id"].type == pa.string()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_a_problem_and_never_another_error(data: st.DataObject) -> None:
    """A Parquet file with any few bytes changed or cut is read with the right columns or refused with a problem."""
    content = bytearray(encode_table(metrics_table([system.metric_point(), system.native_metric_point()] * 9)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(8, len(content)))]
    try:
        table = decode_table("metrics", bytes(content), ArchiveLimits())
    except RecordingError:
        return
    assert table.schema.names == METRICS.names
    assert all(problem.fix for problem in table_problems("metrics", table, Context(system.descriptor(), None, None)))
