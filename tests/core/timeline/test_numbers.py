"""Gauges and counters on the grid."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from tests.core.timeline.shop import NUM_TICKS, SECONDS, STEP_S, build, column, number


def test_a_gauge_is_the_mean_of_its_readings_in_canonical_units() -> None:
    """Readings inside a tick are averaged and milliseconds become seconds; empty ticks stay unseen."""
    rows = [number("web.latency", 3, 100.0), number("web.latency", 7, 300.0), number("web.latency", 25, 50.0)]
    assert column(build(rows), "web.latency") == [pytest.approx(0.2), None, pytest.approx(0.05), None, None, None]


def test_a_setting_is_its_last_value() -> None:
    """Replicas count as they were at the end of a tick, since half a replica never ran."""
    rows = [number("web.replicas", 9, 6.0), number("web.replicas", 1, 3.0), number("web.replicas", 35, 4.0)]
    assert column(build(rows), "web.replicas") == [6.0, None, None, 4.0, None, None]


def test_ticks_are_open_below_and_closed_above() -> None:
    """A reading on a border belongs to the tick it ends, and one at the decision to the last tick."""
    rows = [number("web.errors", second, second) for second in (0, 10, 20, 60)]
    assert column(build(rows), "web.errors") == [0.1, 0.2, None, None, None, 0.6]
    assert build(rows).ticks_at[-1] == np.datetime64("2024-03-05T12:01:00", "us")


def test_a_counter_becomes_a_rate_over_the_readings_and_the_one_before() -> None:
    """The rate of a tick is the growth since the last reading before it, per second between them."""
    rows = [number("web.requests", s, v) for s, v in ((-5, 100.0), (5, 200.0), (9, 260.0), (32, 490.0), (38, 520.0))]
    expected = [pytest.approx(160 / 14), None, None, pytest.approx(260 / 29), None, None]
    assert column(build(rows), "web.requests") == expected


def test_a_counter_that_falls_was_restarted_from_zero() -> None:
    """After a restart the growth is the new value, not a negative number."""
    rows = [number("web.requests", s, v) for s, v in ((5, 900.0), (15, 40.0), (25, 60.0))]
    assert column(build(rows), "web.requests") == [None, 4.0, 2.0, None, None, None]


def test_a_counter_without_a_reading_before_is_unseen() -> None:
    """The first reading ever says nothing about a rate; two in one tick say what lies between them."""
    assert column(build([number("web.requests", 5, 70.0)]), "web.requests") == [None] * NUM_TICKS
    rows = [number("web.requests", 2, 70.0), number("web.requests", 7, 90.0)]
    assert column(build(rows), "web.requests")[0] == 4.0


def test_a_counter_does_not_reach_back_over_a_long_silence() -> None:
    """A reading before that is older than five minutes gives no rate; one just within does."""
    old = [number("web.requests", -297, 10.0), number("web.requests", 4, 40.0)]
    assert column(build(old), "web.requests")[0] is None
    young = [number("web.requests", -296, 10.0), number("web.requests", 4, 40.0)]
    assert column(build(young), "web.requests")[0] == pytest.approx(0.1)


def test_channels_keep_to_themselves() -> None:
    """Neighbouring channels never lend each other a reading."""
    rows = [number("web.replicas", 5, 1.0), number("web.requests", 6, 7.0), number("web.errors", 7, 50.0)]
    timeline = build(rows)
    assert timeline.seen.sum() == 2
    assert column(timeline, "web.requests") == [None] * NUM_TICKS


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    """NaN and infinities never enter; the message names the channel."""
    with pytest.raises(BadInputError, match=r"'web.latency' holds NaN"):
        build([number("web.latency", 5, value)])


def test_a_number_in_a_histogram_channel_is_refused() -> None:
    """A channel described as histograms takes no numbers."""
    with pytest.raises(BadInputError, match="described as histograms"):
        build([number("db.p99", 5, 1.0)])


COUNTER = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 1000)), min_size=2, max_size=30, unique_by=lambda pair: pair[0]
)


@given(points=COUNTER)
def test_the_integrated_rate_of_a_counter_is_its_increase(points: list[tuple[int, int]]) -> None:
    """Rate times covered time, over all seen ticks, is the growth with every fall counted as a restart."""
    points = sorted(points)
    rates = column(build([number("web.requests", second, float(value)) for second, value in points]), "web.requests")
    total, last_s = 0.0, points[0][0]
    for tick, rate in enumerate(rates):
        inside = [second for second, _ in points if tick * STEP_S < second <= (tick + 1) * STEP_S]
        if rate is not None:
            total += rate * (inside[-1] - last_s)
        last_s = inside[-1] if inside else last_s
    increase = sum(value - before if value >= before else value for (_, before), (_, value) in pairwise(points))
    assert total == pytest.approx(increase)


@given(values=st.dictionaries(st.integers(1, int(SECONDS)), st.floats(-1e6, 1e6), max_size=40))
def test_a_gauge_stays_within_what_was_read(values: dict[int, float]) -> None:
    """A tick is seen exactly when it holds a reading, and its value lies between the smallest and the largest."""
    ticked = column(
        build([number("web.latency", second, 1e3 * value) for second, value in values.items()]), "web.latency"
    )
    for tick, value in enumerate(ticked):
        inside = [reading for second, reading in values.items() if tick * STEP_S < second <= (tick + 1) * STEP_S]
        assert (value is None) == (not inside)
        if value is not None:
            slack = 1e-9 * max(map(abs, inside)) + 1e-12
            assert min(inside) - slack <= value <= max(inside) + slack
