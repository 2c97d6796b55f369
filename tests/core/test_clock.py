"""Clocks show aware instants in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from opswm.clock import Clock, FixedClock, SystemClock, to_utc
from opswm.errors import BadInputError


def test_the_system_clock_is_aware_and_goes_on() -> None:
    """Its time is UTC, and later calls are not earlier."""
    clock = SystemClock()
    first = clock.now()
    assert first.utcoffset() == timedelta(0)
    assert clock.now() >= first
    assert isinstance(clock, Clock)


def test_a_fixed_clock_stands_still_in_utc() -> None:
    """It shows the instant it was given, in UTC."""
    clock = FixedClock(datetime(2024, 3, 5, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == clock.now() == datetime(2024, 3, 5, 12, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_naive_instants_are_refused() -> None:
    """An instant without a time zone means nothing."""
    with pytest.raises(BadInputError, match="no time zone"):
        FixedClock(datetime(2024, 3, 5))
    with pytest.raises(BadInputError, match="no time zone"):
        to_utc(datetime(2024, 3, 5))
