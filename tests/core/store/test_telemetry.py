"""The conformance suite of the telemetry port; every implementation passes it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.open import Telemetry
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import NOON, SHOP, after, readings

ALL = ["web.rps", "web.errors", "db.p99"]


def read(telemetry: Telemetry, system: SystemKey = SHOP, **changes: Any) -> list[dict[str, Any]]:
    """Return everything of the shop as rows, unless ``changes`` ask for less."""
    asked: dict[str, Any] = {
        "channel_ids": ALL,
        "since": after(-1e6),
        "until": after(1e6),
        "as_of": after(1e6),
    } | changes
    rows: list[dict[str, Any]] = telemetry.read_metrics(system, **asked).to_pylist()
    return rows


def values(telemetry: Telemetry, system: SystemKey = SHOP, **changes: Any) -> list[float]:
    """Return the values read, in order."""
    return [row["value"] for row in read(telemetry, system, **changes)]


def test_what_was_appended_is_read_in_order(telemetry: Telemetry) -> None:
    """Readings come back by channel, event and known time, in the columns of the contract."""
    rows = [("web.rps", 2, 9, 1.0), ("web.errors", 7, 7, 2.0), ("web.rps", 2, 3, 3.0), ("web.rps", 1, 5, 4.0)]
    telemetry.append_metrics(SHOP, readings(rows), "b1")
    assert values(telemetry) == [2.0, 4.0, 3.0, 1.0]
    assert telemetry.read_metrics(SHOP, ALL, after(0), after(9), after(9)).schema == METRICS


def test_interval_is_closed_below_and_open_above(telemetry: Telemetry) -> None:
    """A reading at ``since`` is in, one at ``until`` is not."""
    telemetry.append_metrics(SHOP, readings([("web.rps", second, second, float(second)) for second in range(5)]), "b1")
    assert values(telemetry, since=after(1), until=after(3)) == [1.0, 2.0]


def test_a_step_keeps_the_last_reading_of_each_channel_in_it(telemetry: Telemetry) -> None:
    """With a step, each channel gives its last reading of every step counted from ``since``."""
    rows = [("web.rps", at, at, float(at)) for at in (1, 2, 4, 5, 9)] + [("web.errors", 5, 5, 50.0)]
    telemetry.append_metrics(SHOP, readings([*rows, ("web.rps", 2, 3, 2.5)]), "b1")
    assert values(telemetry, since=after(1), step_s=3.0) == [50.0, 2.5, 5.0, 9.0]


def test_as_of_hides_what_was_known_later(telemetry: Telemetry) -> None:
    """A reading that arrived after ``as_of`` is not there, however early it happened."""
    telemetry.append_metrics(
        SHOP, readings([("web.rps", 1, 1, 1.0), ("web.rps", 1, 8, 2.0), ("web.rps", 2, 3, 3.0)]), "b1"
    )
    assert values(telemetry, as_of=after(3)) == [1.0, 3.0]
    assert values(telemetry, as_of=after(8)) == [1.0, 2.0, 3.0]


def test_a_batch_counts_once(telemetry: Telemetry) -> None:
    """The same batch id a second time adds nothing and gives a version that holds it."""
    batch = readings([("web.rps", 1, 1, 1.0), ("web.errors", 2, 2, 2.0)])
    first = telemetry.append_metrics(SHOP, batch, "b1")
    again = telemetry.append_metrics(SHOP, pa.concat_tables([batch.slice(1), batch.slice(0, 1)]), "b1")
    assert first == again == telemetry.version(SHOP)
    assert values(telemetry) == [2.0, 1.0]
    assert telemetry.append_metrics(SHOP, batch, "b2") > first
    assert values(telemetry) == [2.0, 2.0, 1.0, 1.0]


def test_a_used_batch_id_with_other_content_is_refused(telemetry: Telemetry) -> None:
    """A batch id that stands for other readings is an error, and the first readings stay."""
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0)]), "b1")
    with pytest.raises(BadInputError, match="other content"):
        telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.5)]), "b1")
    assert values(telemetry) == [1.0]


def test_systems_and_tenants_do_not_see_each_other(telemetry: Telemetry) -> None:
    """Batches and readings are apart by tenant and system, even with awkward names."""
    keys = [SHOP, SystemKey("default", "shop/eu:1#a"), SystemKey("acme@corp", "shop")]
    for number, key in enumerate(keys):
        telemetry.append_metrics(key, readings([("web.rps", 1, 1, float(number))]), "b1")
    assert [values(telemetry, key) for key in keys] == [[0.0], [1.0], [2.0]]
    assert values(telemetry, SystemKey("default", "nobody")) == []


def test_only_asked_channels_are_read(telemetry: Telemetry) -> None:
    """No channel asked, none read; an unknown channel has no readings."""
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0), ("web.errors", 1, 1, 2.0)]), "b1")
    assert values(telemetry, channel_ids=[]) == []
    assert values(telemetry, channel_ids=["web.errors", "nothing"]) == [2.0]


def test_histograms_come_back_as_they_were(telemetry: Telemetry) -> None:
    """Classic and native histograms survive the store bit for bit."""
    dated = {"channel_id": "db.p99", "known_at": after(3), "value": None}
    empty = dict.fromkeys(("upper_bounds", "histogram_scale", "histogram_offset", "zero_count"))
    classic = empty | dated | {"event_at": after(1), "upper_bounds": [0.1, 2.5], "counts": [1.0, 4.0, 4.0]}
    native = empty | dated | {"event_at": after(2), "counts": [3.0, 0.0, 5.0]}
    native |= {"histogram_scale": 3, "histogram_offset": -7, "zero_count": 2.0}
    telemetry.append_metrics(SHOP, pa.Table.from_pylist([classic, native], schema=METRICS), "b1")
    assert read(telemetry) == [{name: row[name] for name in METRICS.names} for row in (classic, native)]


def with_column(name: str, column: pa.Array) -> pa.Table:
    """Return two good readings with one column replaced or added."""
    table = readings([("web.rps", 1, 1, 1.0), ("web.rps", 2, 2, 2.0)])
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def instants(*moments: datetime | None, zone: str | None = "UTC") -> pa.Array:
    """Return instants as an Arrow column in a time zone."""
    return pa.array(moments, pa.timestamp("us", tz=zone))


def histogram(bounds: list[float] | None, counts: list[float | None], scale: int | None = None) -> pa.Table:
    """Return one good reading and one histogram."""
    row = {"channel_id": "db.p99", "event_at": NOON, "known_at": NOON, "upper_bounds": bounds, "counts": counts}
    good = readings([("web.rps", 1, 1, 1.0)])
    return pa.concat_tables([good, pa.Table.from_pylist([row | {"histogram_scale": scale}], schema=METRICS)])


REFUSED: dict[str, tuple[Callable[[], pa.Table], str]] = {
    "nan": (
        lambda: with_column("value", pa.array([1.0, float("nan")])),
        r"'value' is NaN or infinite in 1 row\(s\): 1",
    ),
    "infinity": (lambda: with_column("value", pa.array([float("inf"), 1.0])), r"row\(s\): 0"),
    "unknown column": (lambda: with_column("colour", pa.array(["r", "g"])), r"unknown columns \['colour'\]"),
    "missing column": (
        lambda: with_column("value", pa.array([1.0, 2.0])).drop_columns("known_at"),
        "missing.*known_at",
    ),
    "text as number": (lambda: with_column("value", pa.array(["1", "2"])), "'value' holds string"),
    "naive": (
        lambda: with_column("event_at", instants(datetime(2024, 3, 5), datetime(2024, 3, 6), zone=None)),
        "naive",
    ),
    "other zone": (lambda: with_column("known_at", instants(NOON, NOON, zone="Europe/Berlin")), "time zone UTC"),
    "date as text": (
        lambda: with_column("event_at", pa.array(["2024-03-05", "2024-03-06"])),
        "'event_at' holds string",
    ),
    "1970": (
        lambda: with_column("event_at", instants(NOON, datetime(1970, 1, 2, tzinfo=UTC))),
        "seconds, milliseconds",
    ),
    "2200": (lambda: with_column("event_at", instants(datetime(2200, 1, 2, tzinfo=UTC), NOON)), r"row\(s\): 0"),
    "no instant": (lambda: with_column("known_at", instants(NOON, None)), "'known_at' is empty"),
    "no channel": (lambda: with_column("channel_id", pa.array(["web.rps", None])), "'channel_id' is empty"),
    "no value": (lambda: with_column("value", pa.array([1.0, None])), "neither or both"),
    "empty": (lambda: readings([]), "no rows"),
    "count missing": (lambda: histogram([0.1, 0.2], [1.0, 2.0]), "infinite bucket"),
    "counts fall": (lambda: histogram([0.1, 0.2], [3.0, 2.0, 4.0]), "'counts' of a classic histogram must increase"),
    "bounds fall": (lambda: histogram([0.3, 0.2], [1.0, 2.0, 4.0]), "'upper_bounds' of a classic histogram must incr"),
    "negative count": (lambda: histogram(None, [1.0, -2.0], 3), "finite and >= 0"),
    "null count": (lambda: histogram(None, [1.0, None], 3), "finite and >= 0"),
    "both kinds": (lambda: histogram([0.1], [1.0, 2.0], 3), "goes with either"),
    "neither kind": (lambda: histogram(None, [1.0, 2.0]), "goes with either"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_batches_are_refused_whole(telemetry: Telemetry, case: str) -> None:
    """A batch with one bad row is refused with its place and what to do, and none of it is stored."""
    make, message = REFUSED[case]
    before = telemetry.version(SHOP)
    with pytest.raises(BadInputError, match=message):
        telemetry.append_metrics(SHOP, make(), "b1")
    assert values(telemetry) == []
    assert telemetry.version(SHOP) == before


def test_other_widths_and_resolutions_are_cast(telemetry: Telemetry) -> None:
    """Whole numbers, nanoseconds and left-out optional columns are as good as the contract's own types."""
    table = pa.table(
        {
            "value": pa.array([3, 4], pa.int32()),
            "channel_id": pa.array(["web.rps", "web.rps"]).dictionary_encode(),
            "event_at": instants(after(1), after(2)).cast(pa.timestamp("ns", tz="UTC")),
            "known_at": instants(after(1), after(2)).cast(pa.timestamp("s", tz="+00:00")),
        }
    )
    telemetry.append_metrics(SHOP, table, "b1")
    assert [(row["event_at"], row["value"]) for row in read(telemetry)] == [(after(1), 3.0), (after(2), 4.0)]


def test_instants_to_read_by_must_be_aware(telemetry: Telemetry) -> None:
    """A naive instant in a question is refused, one of another zone means the instant it is."""
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 1.0)]), "b1")
    with pytest.raises(BadInputError, match="no time zone"):
        values(telemetry, as_of=datetime(2024, 3, 5, 12))
    assert values(telemetry, as_of=after(1).astimezone(timezone(timedelta(hours=5)))) == [1.0]


ROWS = st.lists(
    st.tuples(st.sampled_from(ALL[:2]), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99).map(float)), min_size=1
)


@given(batches=st.lists(ROWS, max_size=4), as_of=st.integers(0, 9), since=st.integers(0, 9), until=st.integers(0, 9))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_reading_is_a_filter_over_all_batches(
    batches: list[list[tuple[str, int, int, float]]], as_of: int, since: int, until: int
) -> None:
    """Whatever was appended in whatever batches, reading is selection by interval and as-of, nothing else."""
    telemetry = ArrowTelemetry()
    for number, rows in enumerate(batches):
        telemetry.append_metrics(SHOP, readings(rows), f"b{number}")
    found = values(telemetry, since=after(since), until=after(until), as_of=after(as_of))
    expected = [row[3] for rows in batches for row in rows if since <= row[1] < until and row[2] <= as_of]
    assert sorted(found) == sorted(expected)


def test_the_version_as_of_a_moment_counts_what_was_known_by_then(telemetry: Telemetry) -> None:
    """Batches of the system that hold something known by the moment, to the microsecond; no other system's."""
    awkward = SystemKey("default", "shop/2@eu#1")
    for number, known_s in enumerate((5.0, 5.000001, 7.0)):
        rows = [("web.rps", 1.0, known_s, 5.0), ("web.rps", 2.0, 90.0, 5.0)]
        telemetry.append_metrics(awkward, readings(rows), f"b{number}")
    telemetry.append_metrics(SHOP, readings([("web.rps", 1.0, 1.0, 5.0)]), "b0")
    found = [telemetry.version(awkward, after(second)) for second in (4.999999, 5, 5.000001, 6.999999, 7, 99)]
    assert found == [0, 1, 2, 2, 3, 3]
    assert (telemetry.version(awkward), telemetry.version(SHOP), telemetry.version(SHOP, after(0))) == (3, 1, 0)
