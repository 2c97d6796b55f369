"""Numbers that stand for the content of batches: stores keep them, so they never change."""

import pyarrow as pa

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
