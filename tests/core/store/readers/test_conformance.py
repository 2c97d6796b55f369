"""The conformance suite of readers: whichever serves the readings, a question has one answer."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from opswm.errors import BadInputError
from opswm_connectors.errors import TerminalSourceError
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey, TelemetryReader
from tests.core.store.readers.served import DELAY_S, SYSTEM, Serve, after, reading, table

ALL = ["web.rps", "web.errors", "web.requests", "web.p99", "web.native"]


def read(reader: TelemetryReader, system: SystemKey = SYSTEM, **changes: Any) -> list[dict[str, Any]]:
    """Return everything around noon as rows, unless ``changes`` ask for less."""
    asked: dict[str, Any] = {"channel_ids": ALL, "since": after(-3600), "until": after(3600), "as_of": after(7200)}
    rows: list[dict[str, Any]] = reader.read_metrics(system, **asked | changes).to_pylist()
    return rows


def values(reader: TelemetryReader, **changes: Any) -> list[float]:
    """Return the values read, in order."""
    return [row["value"] for row in read(reader, **changes)]


def test_readings_come_by_channel_then_time_in_the_columns_of_the_contract(serve: Serve) -> None:
    """Whatever order they were stored in, all that was stored comes back, in order."""
    rows = [reading("web.rps", at, float(at)) for at in (4, 2, 9.25)] + [reading("web.errors", 3, 0.5)]
    reader = serve(table(*rows))
    assert read(reader) == [rows[3], rows[1], rows[0], rows[2]]
    assert reader.read_metrics(SYSTEM, ALL, after(0), after(9), after(99)).schema == METRICS


def test_the_interval_is_closed_below_and_open_above(serve: Serve) -> None:
    """A reading at ``since`` is in, to the microsecond of the question; one at ``until`` is not."""
    reader = serve(table(*(reading("web.rps", at, float(at)) for at in range(6))))
    assert values(reader, since=after(1), until=after(3)) == [1.0, 2.0]
    assert values(reader, since=after(1.000001), until=after(3.000001)) == [2.0, 3.0]
    assert values(reader, since=after(3), until=after(3)) == []
    assert values(reader, since=after(4), until=after(1)) == []


def test_as_of_hides_what_was_known_later(serve: Serve) -> None:
    """A reading counts from the microsecond at which it was known."""
    reader = serve(table(*(reading("web.rps", at, float(at)) for at in range(6))))
    known = after(3 + DELAY_S)
    assert values(reader, as_of=known) == [0.0, 1.0, 2.0, 3.0]
    assert values(reader, as_of=known - timedelta(microseconds=1)) == [0.0, 1.0, 2.0]
    assert values(reader, as_of=after(0)) == []
    assert all(row["known_at"] == row["event_at"] + timedelta(seconds=DELAY_S) for row in read(reader))


def test_a_step_keeps_the_last_reading_of_each_channel_in_it(serve: Serve) -> None:
    """Steps are counted from ``since``, each channel on its own, and readings keep their own times."""
    rows = [reading("web.rps", at, float(at)) for at in (1, 2, 4, 5, 9)] + [reading("web.errors", 5, 0.5)]
    reader = serve(table(*rows))
    assert read(reader, since=after(1), step_s=3.0) == [rows[5], rows[1], rows[3], rows[4]]
    assert values(reader, since=after(2), step_s=3.0) == [0.5, 4.0, 5.0, 9.0]
    with pytest.raises((BadInputError, TerminalSourceError), match="step_s"):
        values(reader, step_s=0.0)


def test_channels_that_are_not_there_have_no_readings(serve: Serve) -> None:
    """A channel nobody asked for, one without readings and one nobody knows are simply not in the answer."""
    reader = serve(table(reading("web.rps", 1, 1.0), reading("web.errors", 1, 2.0)))
    assert values(reader, channel_ids=["web.errors", "web.requests", "nothing"]) == [2.0]
    assert values(reader, channel_ids=[]) == []
    assert values(reader, channel_ids=["web.errors", "web.errors"]) == [2.0]


def test_an_empty_place_has_no_readings(serve: Serve) -> None:
    """Where nothing was stored, an empty table in the columns of the contract comes back."""
    reader = serve(table())
    found = reader.read_metrics(SYSTEM, ALL, after(0), after(9), after(99))
    assert (found.num_rows, found.schema) == (0, METRICS)


def test_numbers_come_in_the_unit_of_the_source(serve: Serve) -> None:
    """Nothing is converted, clipped or rounded: per cent stay per cent, tiny and negative stay what they are."""
    # Twelve digits in all, from the largest number to the smallest, since VictoriaMetrics keeps about as many.
    given = [0.0, 99.5, -12.25, 1e-6, 123456.75]
    reader = serve(table(*(reading("web.errors", at, value) for at, value in enumerate(given))))
    assert values(reader) == given


def test_counters_come_as_they_count(serve: Serve) -> None:
    """A counter stays a counter, with its restart in it."""
    reader = serve(table(*(reading("web.requests", at, value) for at, value in enumerate([10.0, 25.0, 3.0, 8.0]))))
    assert values(reader) == [10.0, 25.0, 3.0, 8.0]


def test_classic_histograms_come_with_bounds_and_cumulative_counts(serve: Serve) -> None:
    """Bounds stay in the unit of the source, and other bounds from some instant on are other bounds."""
    rows = [
        reading("web.p99", 1, upper_bounds=[0.5, 100.0, 2500.0], counts=[1.0, 4.0, 4.0, 6.0]),
        reading("web.p99", 2, upper_bounds=[0.5, 100.0, 2500.0], counts=[1.0, 5.0, 9.0, 9.0]),
        reading("web.p99", 3, upper_bounds=[0.5, 2500.0], counts=[2.0, 9.0, 10.0]),
    ]
    assert read(serve(table(*rows))) == rows


def test_native_histograms_come_bit_for_bit(serve: Serve, kind: str) -> None:
    """Scale, offset, zero count and counts are those that were stored; what has nothing but zeros keeps the scale."""
    if kind == "victoriametrics":
        pytest.skip("this version of VictoriaMetrics keeps no native histograms")
    told: dict[str, Any] = {"histogram_scale": 3, "histogram_offset": -7, "zero_count": 2.0, "counts": [3.0, 0.0, 5.0]}
    rows = [reading("web.native", 1, **told), reading("web.native", 2, **told | {"counts": [4.0, 0.0, 5.0, 1.0]})]
    assert read(serve(table(*rows))) == rows


def test_instants_to_read_by_must_be_aware(serve: Serve) -> None:
    """A naive instant anywhere in a question is refused, one of another zone means the instant it is."""
    reader = serve(table(reading("web.rps", 1, 1.0)))
    for name in ("since", "until", "as_of"):
        with pytest.raises((BadInputError, TerminalSourceError), match="no time zone"):
            values(reader, **{name: datetime(2024, 3, 5, 12)})
    assert values(reader, as_of=after(60).astimezone(timezone(timedelta(hours=5)))) == [1.0]


def test_systems_are_apart(serve: Serve, kind: str) -> None:
    """Another system, or another tenant's system of the same name, has none of these readings."""
    if kind in ("prometheus", "victoriametrics"):
        pytest.skip("whose a series is, is said by each system's own descriptor")
    reader = serve(table(reading("web.rps", 1, 1.0)))
    assert read(reader, SystemKey(SYSTEM.tenant_id, "mall")) == []
    assert read(reader, SystemKey("default", SYSTEM.system_id)) == []


def test_the_version_changes_with_what_was_known(serve: Serve) -> None:
    """It is the same for the same moment, and differs where more was known."""
    reader = serve(table(reading("web.rps", 1, 1.0), reading("web.rps", 300, 2.0)))
    early, late = reader.version(SYSTEM, after(100)), reader.version(SYSTEM, after(400))
    assert early < late
    assert early == reader.version(SYSTEM, after(100))
    with pytest.raises((BadInputError, TerminalSourceError), match="no time zone"):
        reader.version(SYSTEM, datetime(2024, 3, 5, 12))
