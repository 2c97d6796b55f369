"""Gaps, silent channels and clocks: each that is planted is found, and nothing is found in what is only uneven."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.store.inspection.findings import Finding
from opswm.store.inspection.readings import Thresholds, inspect_readings
from opswm_schemas.descriptor import SystemDescriptor
from tests.core.store.inspection.stores import CHANNELS, NOW, STEP_S, after, descriptor, readings, ticks

NUM_TICKS = 300


def seconds(leave_out: Sequence[int] = (), step_s: float = STEP_S, last: int = NUM_TICKS) -> list[float]:
    """When a channel was read, in seconds after noon."""
    return [step_s * tick for tick in ticks(0, last, leave_out)]


def found(times: Mapping[str, list[float]], delay_s: float = 0.5, of: SystemDescriptor | None = None) -> list[Finding]:
    """What is found in readings; channels that are not named are read at every tick."""
    table = readings({**{name: seconds() for name in CHANNELS}, **times}, delay_s)
    return inspect_readings(of or descriptor(), [table], NOW, Thresholds())


def test_a_gap_of_one_channel_is_told_with_its_place() -> None:
    """Channel, number of readings missing and the instants of the longest gap are said; the other channels are not."""
    (gap,) = found({"web.rps": seconds([*range(100, 108), *range(200, 205)])})
    assert (gap.severity, gap.check, gap.where) == ("warning", "gap", "default/shop, channel web.rps")
    assert "2 gaps, 13 readings missing at its step of 5 s" in gap.what
    assert "from 2024-03-05 12:08:1" in gap.what
    assert "to 2024-03-05 12:0" in gap.what


def test_a_gap_of_all_channels_is_told_once() -> None:
    """While nothing at all came in, one finding says so, and no channel is blamed for it."""
    hole = seconds(range(50, 90))
    (gap,) = found({name: hole for name in CHANNELS})
    assert gap.where == "default/shop"
    assert "no channel has a reading from 2024-03-05 12:04:0" in gap.what
    both = found({**{name: hole for name in CHANNELS}, "web.cpu": seconds([*range(40, 90), 200, 201, 202, 203])})
    assert [one.where for one in both] == ["default/shop", "default/shop, channel web.cpu"]
    assert "2 gaps" in both[1].what


def test_a_channel_that_ends_or_never_began_is_silent() -> None:
    """One that stopped is told with when, one without readings too; shorter than five minutes is nobody's silence."""
    stopped, absent = found({"web.rps": seconds(last=200), "web.cpu": []})
    assert (stopped.check, stopped.where) == ("silent", "default/shop, channel web.rps")
    assert "is silent since 2024-03-05 12:16:3" in stopped.what
    assert (absent.check, absent.where) == ("silent", "default/shop, channel web.cpu")
    assert "no reading in the last 24 h" in absent.what
    assert found({"web.rps": seconds(last=NUM_TICKS - 50)}) == []


def test_a_system_without_readings_is_told_once() -> None:
    """Not every channel of it by itself; a system that describes no channels lacks none."""
    (nothing,) = inspect_readings(descriptor(), [readings({"web.rps": [0.0]}).slice(0, 0)], NOW, Thresholds())
    assert (nothing.check, nothing.where) == ("silent", "default/shop")
    assert "none of its 3 channels" in nothing.what
    bare = descriptor().model_copy(update={"channels": []})
    assert inspect_readings(bare, [readings({"web.rps": [0.0]})], NOW, Thresholds()) == []


@pytest.mark.parametrize(("delay_s", "words"), [(-40.0, "known before they were measured, web"), (900.0, "as late, ")])
def test_clocks_that_do_not_agree_are_told(delay_s: float, words: str) -> None:
    """Readings known before they were measured, or always as late, tell of a clock; once for all channels."""
    (skew,) = found({}, delay_s)
    assert (skew.severity, skew.check, skew.where) == ("warning", "skew", "default/shop")
    assert words in skew.what
    assert "3 channels" in skew.what


def test_readings_of_the_future_are_told() -> None:
    """What was measured after now cannot have been, whenever it was known."""
    table = readings({name: seconds() for name in CHANNELS})
    early = after(0.0) + timedelta(minutes=20)
    (skew,) = inspect_readings(descriptor(), [table], early, Thresholds())
    assert skew.check == "skew"
    assert "and it is 2024-03-05 12:20:00 here" in skew.what


def test_history_that_was_handed_in_later_is_no_skew() -> None:
    """A night's readings sent at once in the morning are late, each by another time: no clock does that."""
    table = readings({name: seconds() for name in CHANNELS})
    sent = pa.array([after(20_000.0)] * table.num_rows, table["known_at"].type)
    assert inspect_readings(descriptor(), [table.set_column(2, "known_at", sent)], NOW, Thresholds()) == []


def test_channels_keep_their_own_steps() -> None:
    """A channel of a minute among channels of five seconds has no gaps, unless some of its own are missing."""
    slow = descriptor()
    channels = [
        one.model_copy(update={"step_s": 60.0 if one.channel_id == "web.cpu" else None}) for one in slow.channels
    ]
    slow = slow.model_copy(update={"channels": channels})
    assert found({"web.cpu": seconds(step_s=60.0, last=25)}, of=slow) == []
    (gap,) = found({"web.cpu": seconds([10, 11, 12, 13], step_s=60.0, last=25)}, of=slow)
    assert "4 readings missing at its step of 60 s" in gap.what


def test_channels_that_are_no_longer_described_are_left_alone() -> None:
    """Readings of a channel that a later revision took out are neither silent nor full of gaps."""
    assert found({"web.gone": [0.0, 500.0]}) == []


@settings(max_examples=40)
@given(
    missed=st.sets(st.integers(0, NUM_TICKS // 3 - 1), max_size=40),
    channel=st.sampled_from(sorted(CHANNELS)),
    seed=st.integers(0, 2**31 - 1),
)
def test_nothing_is_found_in_what_is_only_uneven(missed: set[int], channel: str, seed: int) -> None:
    """Scrapes that are missed here and there and times that are a little off are life, not findings."""
    uneven = [3 * tick for tick in missed]
    table = readings({**{name: seconds() for name in CHANNELS}, channel: seconds(uneven)}, seed=seed)
    shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
    assert inspect_readings(descriptor(), [shuffled], NOW, Thresholds()) == []


@settings(max_examples=40)
@given(first=st.integers(1, NUM_TICKS - 20), length=st.integers(3, 15), channel=st.sampled_from(sorted(CHANNELS)))
def test_every_gap_is_found(first: int, length: int, channel: str) -> None:
    """Wherever three readings or more in a row are missing, exactly that channel is told with exactly that number."""
    (gap,) = found({channel: seconds(range(first, first + length))})
    assert gap.where == f"default/shop, channel {channel}"
    assert f"has a gap, {length} readings missing" in gap.what


def test_channels_looked_at_one_by_one_come_to_the_same() -> None:
    """A gap that all share and one of a single channel are told alike, whatever is in memory at once."""
    hole = range(50, 90)
    times = {"web.rps": seconds(hole), "web.errors": seconds(hole), "web.cpu": seconds([*range(40, 90), 200, 201, 202])}
    whole = readings(times)
    parts = [whole.filter(pc.field("channel_id") == name) for name in reversed(CHANNELS)]
    told = inspect_readings(descriptor(), parts, NOW, Thresholds())
    assert told == inspect_readings(descriptor(), [whole], NOW, Thresholds())
    assert [one.where for one in told] == ["default/shop", "default/shop, channel web.cpu"]
