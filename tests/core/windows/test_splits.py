"""Splits that cannot leak."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.windows.splits import Span, span_of, split_by_group, split_by_time

START = datetime(2024, 1, 1, tzinfo=UTC)
seconds = st.integers(0, 5_000)


def at(offset: float) -> datetime:
    """Return the instant so many seconds after the start."""
    return START + timedelta(seconds=offset)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Return what a sample reads, with telemetry that may come late or from a clock that runs ahead."""
    event, known = draw(seconds), draw(st.integers(-50, 5_000))
    return Span(at(event), at(event + draw(seconds)), at(known), at(known + draw(seconds)))


@given(
    samples=st.lists(spans(), max_size=30),
    cuts=st.lists(st.integers(0, 9_000), min_size=1, max_size=3, unique=True),
    embargo=st.integers(0, 600),
)
def test_sides_in_time_share_nothing_on_either_clock(samples: list[Span], cuts: list[int], embargo: int) -> None:
    """All that an earlier side reads happened and was known before anything of a later side, embargo included."""
    sides = split_by_time(samples, [at(cut) for cut in sorted(cuts)], timedelta(seconds=embargo))
    assert len(sides) == len(cuts) + 1
    placed = [index for side in sides for index in side]
    assert len(placed) == len(set(placed))
    for earlier, later in ((i, j) for i in range(len(sides)) for j in range(i + 1, len(sides))):
        for first in (samples[index] for index in sides[earlier]):
            for second in (samples[index] for index in sides[later]):
                gap = timedelta(seconds=embargo)
                assert first.event_until + gap <= second.event_since
                assert first.known_until + gap <= second.known_since
                assert max(first.event_until, first.known_until) + gap <= min(second.event_since, second.known_since)


@given(decisions=st.lists(seconds, min_size=1, max_size=40), cut=seconds)
def test_windows_that_do_not_touch_the_boundary_all_have_a_side(decisions: list[int], cut: int) -> None:
    """Only windows across the boundary are left out, so a split loses no more than it must."""
    samples = [span_of(at(moment), 5.0, context_ticks=7, horizon_ticks=3) for moment in decisions]
    before, after = split_by_time(samples, [at(cut)])
    assert before == [index for index, moment in enumerate(decisions) if moment + 15 <= cut]
    assert after == [index for index, moment in enumerate(decisions) if moment - 35 >= cut]


def test_a_late_outcome_keeps_a_sample_out_of_the_earlier_side() -> None:
    """What was not yet known at the boundary cannot have been learned from."""
    late = span_of(at(100), 5.0, 4, 4, outcome_known_at=at(500))
    assert split_by_time([late], [at(300)]) == [[], []]


@given(groups=st.lists(st.text(max_size=4), max_size=40), more=st.lists(st.text(max_size=4), max_size=10), seed=seconds)
def test_groups_stay_whole_and_stay_where_they_are(groups: list[str], more: list[str], seed: int) -> None:
    """No group is on two sides, every sample has one, and later groups never move an earlier one."""
    shares = {"train": 0.6, "calibration": 0.15, "test": 0.25}
    sides = split_by_group(groups, shares, seed)
    assert sorted(index for members in sides.values() for index in members) == list(range(len(groups)))
    names = {name: {groups[index] for index in members} for name, members in sides.items()}
    assert not names["train"] & names["test"]
    assert not names["train"] & names["calibration"]
    assert not names["test"] & names["calibration"]
    longer = split_by_group([*groups, *more], shares, seed)
    for name, members in sides.items():
        assert [index for index in longer[name] if index < len(groups)] == members


def test_shares_are_kept_on_average() -> None:
    """Many groups fall on the sides in the stated shares."""
    names = [f"world-{index}" for index in range(4_000)]
    count = Counter({side: len(members) for side, members in split_by_group(names, {"a": 0.7, "b": 0.3}, 1).items()})
    assert count["a"] / 4_000 == pytest.approx(0.7, abs=0.03)


def test_senseless_splits_are_refused() -> None:
    """Shares that are no shares, boundaries out of order and spans that end before they start are errors."""
    with pytest.raises(BadInputError, match="sum to 1"):
        split_by_group(["a"], {"train": 0.5}, 0)
    with pytest.raises(BadInputError, match="increase"):
        split_by_time([], [at(2), at(1)])
    with pytest.raises(BadInputError, match="negative"):
        split_by_time([], [at(2)], timedelta(seconds=-1))
    with pytest.raises(BadInputError, match="ends before"):
        Span(at(1), at(0), at(0), at(1))
