"""Numbers that stand for the content of batches: stores keep them, so they never change."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order
from opswm_schemas.columns import METRICS
from tests.core.store.shop import after, readings


def test_numbers_of_stored_batches_stay() -> None:
    """Plain numbers, texts beyond ASCII, histograms and left-out columns have the numbers they always had."""
    plain = readings([("web.rps", 1, 2, 0.5), ("näme.😀", 3, 4, -1.0), ("a", 5, 6, 2.0)])
    dated = {"channel_id": "db.p99", "known_at": after(3), "value": None}
    empty = dict.fromkeys(("upper_bounds", "histogram_scale", "histogram_offset", "zero_count"))
    classic = empty | dated | {"event_at": after(1), "upper_bounds": [0.1, 2.5], "counts": [1.0, 4.0, 4.0]}
    native = empty | dated | {"event_at": after(2), "counts": [3.0, 0.0, 5.0]}
    native |= {"histogram_scale": 3, "histogram_offset": -7, "zero_count": 2.0}
    number = {"channel_id": "web.rps", "event_at": after(1), "known_at": after(1), "value": 7.25}
    mixed = pa.Table.from_pylist([native, number, classic], schema=METRICS)
    short = plain.select(["value", "known_at", "event_at", "channel_id"])
    found = [content_number(in_order(admit_metrics(table))) for table in (plain, mixed, short, mixed.slice(1, 1))]
    assert found == [1134443624333821614, 4558351751765631783, 1134443624333821614, 4194884298688564333]


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "ab", "é", "😀", "z"]), st.integers(0, 2), st.integers(0, 2)), min_size=1
    ),
    distinct=st.booleans(),
)
@settings(max_examples=60)
def test_order_is_by_channel_then_times(rows: list[tuple[str, int, int]], distinct: bool) -> None:
    """Rows come by channel in the order of code points, then by both clocks; equal ones keep their order."""
    named = [
        (f"{name}{place if distinct else ''}", float(event_s), float(known_s), float(place))
        for place, (name, event_s, known_s) in enumerate(rows)
    ]
    table = in_order(admit_metrics(readings(named)))
    wanted = sorted(named, key=lambda row: row[:3])
    assert table["value"].to_pylist() == [row[3] for row in wanted]
    assert table["channel_id"].to_pylist() == [row[0] for row in wanted]
