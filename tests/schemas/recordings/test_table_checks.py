"""Row by row: what a metrics, logs or spans table must obey, found at once over all rows."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_schemas.columns import METRICS
from opswm_schemas.examples import system
from opswm_schemas.recordings.row_checks import MAX_LISTED
from opswm_schemas.recordings.table_checks import Context, table_problems

CONTEXT = Context(system.descriptor(), system.after(-60), system.after(100_000))
NULLABLE = pa.schema([field.with_nullable(True) for field in METRICS])


def metrics(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a metrics table in which anything may be missing."""
    return pa.Table.from_pylist(rows, schema=NULLABLE)


def point(second: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Return a valid row with some fields replaced."""
    instant = system.after(second)
    return {"channel_id": "checkout.requests", "event_at": instant, "known_at": instant, "value": 1.0} | fields


def classic(second: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Return a valid row of a classic histogram with some fields replaced."""
    shape = {"channel_id": "checkout.latency", "value": None, "upper_bounds": [1.0, 2.0], "counts": [1.0, 2.0, 4.0]}
    return point(second) | shape | fields


def native(second: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Return a valid row of a native histogram with some fields replaced."""
    shape = {
        "upper_bounds": None,
        "counts": [3.0, 1.0],
        "histogram_scale": 2,
        "histogram_offset": -1,
        "zero_count": 0.0,
    }
    return classic(second) | shape | fields


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        (point(1, value=float("nan")), "value", "has value nan"),
        (point(1, value=float("-inf")), "value", "has value -inf"),
        (point(1, value=None), "value", "neither a value nor a histogram"),
        (point(1, value=-2.0), "value", "is -2.0"),
        (point(1, channel_id="basket.requests"), "channel_id", "'basket.requests' is not in the descriptor"),
        (point(1, channel_id=None), "channel_id", "is empty"),
        (point(1, known_at=None), "known_at", "is empty"),
        (point(-61), "event_at", "outside the interval"),
        (point(1, event_at=system.START.replace(year=1970)), "event_at", "outside 2000 to 2100"),
        (point(1, known_at=system.after(-90_000)), "known_at", "more than a day before"),
        (point(1, channel_id="checkout.latency"), "value", "is a histogram and has a plain value"),
        (classic(1, channel_id="checkout.errors"), "counts", "is no histogram in the descriptor"),
        (classic(1, counts=[1.0, 2.0]), "counts", "one cumulative count for each bound"),
        (classic(1, counts=None), "counts", "histogram without counts"),
        (classic(1, counts=[1.0, 3.0, 2.0]), "counts", "not cumulative"),
        (classic(1, counts=[1.0, float("nan"), 2.0]), "counts", "not all finite"),
        (classic(1, counts=[-1.0, 0.0, 2.0]), "counts", "not all finite and at least 0"),
        (classic(1, upper_bounds=[2.0, 2.0]), "upper_bounds", "not finite and increasing"),
        (classic(1, upper_bounds=[1.0, float("inf")]), "upper_bounds", "not finite and increasing"),
        (classic(1, upper_bounds=[1.0, None]), "upper_bounds", "not finite and increasing"),
        (classic(1, upper_bounds=[], counts=[1.0]), "upper_bounds", "not finite and increasing"),
        (classic(1, upper_bounds=None), "counts", "counts without bounds or scale"),
        (classic(1, histogram_scale=1), "counts", "several of"),
        (native(1, histogram_scale=21), "histogram_scale", "has scale 21"),
        (native(1, zero_count=-1.0), "zero_count", "has zero_count -1.0"),
        (native(1, counts=[1.0, float("inf")]), "counts", "not all finite"),
    ],
)  # fmt: skip
def test_wrong_rows_are_named(row: dict[str, Any], field: str, what: str) -> None:
    """Each wrong row among good ones is named by its number and column, with its own value in the sentence."""
    good = [classic(0), native(2.5), point(0)]
    problems = table_problems("metrics", metrics([*good, row]), CONTEXT)
    assert any(found.row == 3 and found.field == field and what in found.what for found in problems), problems
    assert all(found.row == 3 for found in problems)
    assert table_problems("metrics", metrics([*good, classic(3), native(4), point(5)]), CONTEXT) == []


@pytest.mark.parametrize("count", [-(2**62), 2**62, -62_135_596_800_000_001, 253_402_300_800_000_000])
@pytest.mark.parametrize("field", ["event_at", "known_at"])
def test_instants_beyond_any_calendar_are_named(field: str, count: int) -> None:
    """An instant that no calendar has is named by its count, and the other rows are still checked."""
    table = metrics([point(0), point(1), point(2, value=float("nan"))])
    counts = table[field].cast(pa.int64()).to_pylist()
    wild = pa.array([counts[0], count, counts[2]]).cast(METRICS.field(field).type)
    table = table.set_column(METRICS.names.index(field), field, wild)
    first, second = table_problems("metrics", table, CONTEXT)
    assert (first.row, first.field) == (1, field)
    assert f"{count} microseconds since 1970 is outside 2000 to 2100" in first.what
    assert (second.row, second.field) == (2, "value")


def test_a_value_beside_a_histogram_is_wrong() -> None:
    """A row that is both a number and a histogram is named."""
    problems = table_problems("metrics", metrics([classic(0), classic(1, value=1.0)]), CONTEXT)
    assert {(found.row, found.field) for found in problems} == {(1, "counts"), (1, "value")}


def test_repeated_points_are_all_named() -> None:
    """Points of one channel at one instant known at one instant are all named; a later correction is none of them."""
    corrected = point(1, known_at=system.after(7))
    problems = table_problems("metrics", metrics([point(1), point(1, value=2.0), corrected, point(2)]), CONTEXT)
    assert [(found.row, found.field) for found in problems] == [(0, "channel_id"), (1, "channel_id")]
    assert "later 'known_at'" in problems[0].fix


def test_points_out_of_order_are_named() -> None:
    """A point that stands after a later one of its channel is named; channels may be interleaved."""
    rows = [point(1), point(0.5, channel_id="checkout.errors"), point(3), point(2), point(4)]
    (found,) = table_problems("metrics", metrics(rows), CONTEXT)
    assert (found.row, found.field) == (3, "event_at")


def test_a_source_clock_ahead_is_noted_once() -> None:
    """Rows known a little before they happened are one note: source clocks run ahead, and nothing is repaired."""
    rows = [point(second, known_at=system.after(second - 2)) for second in range(5)]
    (found,) = table_problems("metrics", metrics(rows), CONTEXT)
    assert (found.row, found.severity) == (0, "note")
    assert "4 more rows" in found.what


def test_long_lists_are_cut_and_counted() -> None:
    """Of very many wrong rows the first are listed and the rest counted."""
    rows = [point(second, value=float("nan")) for second in range(MAX_LISTED + 17)]
    problems = table_problems("metrics", metrics(rows), CONTEXT)
    assert [found.row for found in problems] == list(range(MAX_LISTED))
    assert "17 more rows like it" in problems[-1].what


def test_an_unknown_channel_is_named_once_with_its_rows() -> None:
    """An unknown channel is one problem at its first row, however many rows it has."""
    rows = [point(0), *(point(second, channel_id="basket") for second in range(1, 9))]
    (found,) = table_problems("metrics", metrics(rows), CONTEXT)
    assert found.row == 1
    assert "8 rows" in found.what


def test_a_ratio_that_looks_like_percent_is_noted() -> None:
    """A ratio in the hundreds is noted as a likely mistake of unit, by the declared unit."""
    declared = system.descriptor()
    plain = declared.model_copy(
        update={"channels": [channel.model_copy(update={"unit": "1"}) for channel in declared.channels[2:]]}
    )
    rows = [point(second, channel_id="checkout.errors", value=value) for second, value in enumerate([0.2, 97.0, 98.0])]
    assert table_problems("metrics", metrics(rows), CONTEXT) == []
    (found,) = table_problems("metrics", metrics(rows), Context(plain, None, None))
    assert (found.row, found.severity) == (1, "note")
    assert "'%'" in found.fix


@pytest.mark.parametrize(
    ("channel_id", "fields", "what"),
    [
        ("checkout.errors", {"value": -5.0}, "ratio 'checkout.errors' is -5.0"),
        ("checkout.errors", {"value": 1e305}, "beyond what is computed with"),
        ("checkout.latency", {"value": None, "upper_bounds": [1.0, 1e300], "counts": [1.0, 2.0, 3.0]}, "a bucket of"),
        ("checkout.latency", {"value": None, "histogram_scale": -9, "histogram_offset": 4, "counts": [1.0]}, "bucket"),
    ],
)
def test_what_no_system_reaches_is_refused(channel_id: str, fields: dict[str, Any], what: str) -> None:
    """A ratio below zero, and numbers and buckets that nothing could be computed with."""
    problems = table_problems("metrics", metrics([point(0, channel_id=channel_id, **fields)]), CONTEXT)
    (found,) = [problem for problem in problems if problem.severity == "error"]
    assert what in found.what


def test_without_a_descriptor_ids_are_not_checked() -> None:
    """When the descriptor cannot be read, values and clocks are still checked and ids are not."""
    rows = [point(0, channel_id="anything"), point(1, value=float("nan"))]
    assert [found.row for found in table_problems("metrics", metrics(rows), Context(None, None, None))] == [1]


def test_a_system_without_channels_has_no_metrics() -> None:
    """A point in a recording of a system without channels is of an unknown channel."""
    bare = system.descriptor().model_copy(update={"channels": []})
    (found,) = table_problems("metrics", metrics([point(0)]), Context(bare, None, None))
    assert found.field == "channel_id"


@given(
    seconds=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    channels=st.lists(st.sampled_from(["checkout.requests", "checkout.errors"]), min_size=20, max_size=20),
)
def test_order_and_repetition_are_found_exactly(seconds: list[int], channels: list[str]) -> None:
    """Among any rows, exactly those before an earlier one's time, and those that are repeated, are named."""
    keys = list(zip(channels, seconds, strict=False))
    problems = table_problems("metrics", metrics([point(s, channel_id=c) for c, s in keys]), CONTEXT)
    previous: dict[str, int] = {}
    backwards = set()
    for row, (channel, second) in enumerate(keys):
        if second < previous.get(channel, -1):
            backwards.add(row)
        previous[channel] = second
    assert {found.row for found in problems if found.field == "event_at"} == backwards
    assert {found.row for found in problems if found.field == "channel_id"} == {
        row for row, key in enumerate(keys) if keys.count(key) > 1
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trace_id": "xyz"}, "trace_id"),
        ({"span_id": "00F067AA0BA902B7"}, "span_id"),
        ({"parent_span_id": "1"}, "parent_span_id"),
        ({"entity_id": "basket"}, "entity_id"),
        ({"kind": "rpc"}, "kind"),
        ({"duration_s": -1.0}, "duration_s"),
        ({"duration_s": float("nan")}, "duration_s"),
        ({"failed": None}, "failed"),
    ],
)
def test_wrong_spans_are_named(spoiler: Any, changes: dict[str, Any], field: str) -> None:
    """A span with a wrong id, kind, duration or entity is named by row and column."""
    spoiler.rows("spans.parquet", lambda rows: rows.append({**rows[0], "span_id": "1" * 16, **changes}))
    found = spoiler.only_problem()
    assert (found.file, found.row, found.field) == ("spans.parquet", 1, field)


def test_spans_are_there_once(spoiler: Any) -> None:
    """A span that is there twice is named in both rows."""
    spoiler.rows("spans.parquet", lambda rows: rows.append(dict(rows[0])))
    assert [(found.row, found.field) for found in spoiler.problems()] == [(0, "span_id"), (1, "span_id")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"severity": "loud"}, "severity"), ({"entity_id": "basket"}, "entity_id"), ({"body": None}, "body")],
)
def test_wrong_logs_are_named(spoiler: Any, changes: dict[str, Any], field: str) -> None:
    """A log row with an unknown severity or entity, or without a body, is named by row and column."""
    spoiler.rows("logs.parquet", lambda rows: rows.append({**rows[0], **changes}))
    found = spoiler.only_problem()
    assert (found.file, found.row, found.field) == ("logs.parquet", 1, field)


def test_log_lines_may_repeat_but_not_go_back(spoiler: Any) -> None:
    """The same line may be logged twice; one that stands after a later one of its entity is named."""
    spoiler.rows("logs.parquet", lambda rows: rows.append(dict(rows[0])))
    assert spoiler.problems() == []
    earlier = timedelta(seconds=5)
    spoiler.rows("logs.parquet", lambda rows: rows[1].update(event_at=rows[1]["event_at"] - earlier))
    assert spoiler.only_problem().field == "event_at"
