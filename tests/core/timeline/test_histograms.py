"""Classic and native histograms on the grid."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.timeline.classic import classic_quantile
from tests.core.timeline.shop import NUM_TICKS, Row, build, classic, column, metrics, native, number, shop

BOUNDS = [0.1, 0.2, 0.4]


def p90(rows: Sequence[Row]) -> list[float | None]:
    """Return the 0.9 quantile of the database's latency tick by tick."""
    return column(build(rows), "db.p99")


def test_a_classic_quantile_is_linear_inside_its_bucket() -> None:
    """Of ten observations in (0.1, 0.2], nine tenths lie at 0.19; what was counted before does not matter."""
    rows = [classic(5, BOUNDS, [50, 50, 50, 90]), classic(15, BOUNDS, [50, 60, 60, 100])]
    assert p90(rows) == [None, pytest.approx(0.19), None, None, None, None]


def test_the_first_bucket_begins_at_zero() -> None:
    """Observations below the first bound are spread from zero up to it."""
    rows = [classic(5, BOUNDS, [0, 0, 0, 0]), classic(15, BOUNDS, [10, 10, 10, 10])]
    assert p90(rows)[1] == pytest.approx(0.09)


def test_beyond_the_last_bound_nothing_more_is_known() -> None:
    """A quantile in the infinite bucket is reported as the last finite bound."""
    rows = [classic(5, BOUNDS, [0, 0, 0, 0]), classic(15, BOUNDS, [1, 1, 1, 10])]
    assert p90(rows)[1] == pytest.approx(0.4)


def test_a_tick_without_observations_is_unseen() -> None:
    """Histograms that did not grow say nothing about latency."""
    rows = [classic(5, BOUNDS, [5, 6, 7, 8]), classic(15, BOUNDS, [5, 6, 7, 8]), classic(25, BOUNDS, [5, 6, 8, 9])]
    assert [value is None for value in p90(rows)] == [True, True, False, True, True, True]


def test_a_classic_histogram_that_shrinks_was_restarted() -> None:
    """After a restart everything counted is new."""
    rows = [classic(5, BOUNDS, [90, 90, 90, 90]), classic(15, BOUNDS, [0, 10, 10, 10])]
    assert p90(rows)[1] == pytest.approx(0.19)


def test_changed_bounds_hide_one_step() -> None:
    """Between two layouts the growth is unknown, unless the total shrank; within each it is known."""
    first = [classic(5, BOUNDS, [10, 20, 30, 40]), classic(15, BOUNDS, [10, 30, 40, 50])]
    grown = [*first, classic(25, [0.2, 0.5], [30, 60, 60]), classic(35, [0.2, 0.5], [30, 70, 70])]
    assert p90(grown) == [None, pytest.approx(0.19), None, pytest.approx(0.47), None, None]
    shrunk = [*first, classic(25, [0.2, 0.5], [0, 10, 10]), classic(35, [0.2, 0.5], [0, 20, 20])]
    assert p90(shrunk)[2:4] == [pytest.approx(0.47), pytest.approx(0.47)]


def test_milliseconds_become_seconds_after_the_quantile() -> None:
    """Bounds are in the unit of the channel; the quantile is converted."""
    rows = [classic(5, [100.0, 200.0], [0, 0, 0]), classic(15, [100.0, 200.0], [0, 10, 10])]
    system = shop()
    channels = [system.channels[0].model_copy(update={"unit": "ms"}), *system.channels[1:]]
    timeline = build(rows, system=system.model_copy(update={"channels": channels}))
    assert column(timeline, "db.p99")[1] == pytest.approx(0.19)


def test_a_native_quantile_is_logarithmic_inside_its_bucket() -> None:
    """At scale 0, ten observations in (4, 8] have their 0.9 quantile at 4 * 2 ** 0.9."""
    rows = [native(5, 0, 2, [3]), native(15, 0, 2, [13])]
    assert p90(rows) == [None, pytest.approx(4 * 2**0.9), None, None, None, None]


def test_zeros_come_before_every_bucket() -> None:
    """With 19 of 20 observations zero, the 0.9 quantile is zero and the tick is seen."""
    rows = [native(5, 3, -9, [0], 0), native(15, 3, -9, [1], 19)]
    assert p90(rows)[1] == 0.0
    assert p90([native(5, 0, 2, [0], 0), native(15, 0, 2, [15], 5)])[1] == pytest.approx(4 * 2 ** (13 / 15))


def test_buckets_may_move_and_merge_between_readings() -> None:
    """A later reading with another offset, or of a lower scale, is compared at the coarser scale."""
    moved = [native(5, 0, 2, [3, 1]), native(15, 0, 1, [0, 3, 11])]
    assert p90(moved)[1] == pytest.approx(8 * 2**0.9)
    merged = [native(5, 1, 4, [2, 1]), native(15, 0, 2, [13])]
    assert p90(merged)[1] == pytest.approx(4 * 2**0.9)


def test_a_native_histogram_that_shrinks_or_sharpens_was_restarted() -> None:
    """A smaller bucket, fewer zeros or a finer scale means counting began anew."""
    expected = pytest.approx(4 * 2**0.9)
    assert p90([native(5, 0, 0, [5, 0, 3]), native(15, 0, 0, [0, 0, 30])])[1] == expected
    assert p90([native(5, 0, 2, [3], 7), native(15, 0, 2, [10], 0)])[1] == expected
    assert p90([native(5, -1, 1, [3]), native(15, 0, 2, [10])])[1] == expected


def test_both_kinds_in_one_channel_are_read_apart() -> None:
    """A channel that went from classic to native histograms keeps its past."""
    rows = [
        classic(2, BOUNDS, [0, 0, 0, 0]),
        classic(9, BOUNDS, [0, 10, 10, 10]),
        native(25, 0, 2, [3]),
        native(35, 0, 2, [13]),
    ]
    assert p90(rows) == [pytest.approx(0.19), None, None, pytest.approx(4 * 2**0.9), None, None]


def test_histograms_must_fit_their_channel_and_themselves() -> None:
    """A histogram in a channel of numbers, or one with a count missing, is refused."""
    with pytest.raises(BadInputError, match=r"'web.errors' is described as numbers"):
        build([classic(5, BOUNDS, [1, 2, 3, 4]) | {"channel_id": "web.errors"}])
    with pytest.raises(BadInputError, match="infinite bucket"):
        build([classic(5, BOUNDS, [1, 2, 3])])


OBSERVED = st.lists(st.floats(0.02, 0.99), min_size=1, max_size=40)
LADDER = [0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]


def true_quantile(observed: Sequence[float], quantile: float) -> float:
    """Return the smallest observation that at least a share ``quantile`` of all does not exceed."""
    return float(np.quantile(observed, quantile, method="inverted_cdf"))


@given(batches=st.lists(OBSERVED, min_size=1, max_size=5), quantile=st.sampled_from([0.05, 0.5, 0.9, 0.99]))
def test_a_classic_quantile_lies_in_the_bucket_of_the_true_one(batches: list[list[float]], quantile: float) -> None:
    """Reading by reading, the estimate is in the same bucket as the quantile of what was observed since."""
    seen: list[float] = []
    rows = [classic(-5, LADDER, [0.0] * 8)]
    for tick, batch in enumerate(batches):
        seen += batch
        cumulative = [float(sum(value <= bound for value in seen)) for bound in LADDER]
        rows.append(classic(10.0 * tick + 5, LADDER, [*cumulative, float(len(seen))]))
    estimates = column(build(rows, system=shop(quantile=quantile)), "db.p99")
    for batch, estimate in zip(batches, estimates, strict=False):
        true = true_quantile(batch, quantile)
        upper = next(bound for bound in LADDER if true <= bound)
        lower = max([0.0, *(bound for bound in LADDER if bound < true)])
        assert estimate is not None
        assert lower - 1e-9 <= estimate <= upper + 1e-9


@given(
    batches=st.lists(OBSERVED, min_size=1, max_size=5),
    scales=st.lists(st.integers(-1, 6), min_size=6, max_size=6).map(lambda scales: sorted(scales, reverse=True)),
    quantile=st.sampled_from([0.05, 0.5, 0.9, 0.99]),
)
def test_a_native_quantile_lies_in_the_bucket_of_the_true_one(
    batches: list[list[float]], scales: list[int], quantile: float
) -> None:
    """The same for native histograms, while the resolution falls from reading to reading."""
    rows, seen = [native(-5, scales[0], 0, [0.0])], list[float]()
    for tick, batch in enumerate(batches):
        seen += batch
        indices = [bucket_of(value, scales[tick + 1]) for value in seen]
        offset = min(indices)
        counts = np.bincount(np.array(indices) - offset).astype(float).tolist()
        rows.append(native(10.0 * tick + 5, scales[tick + 1], offset, counts))
    estimates = column(build(rows, system=shop(quantile=quantile)), "db.p99")
    for tick, (batch, estimate) in enumerate(zip(batches, estimates, strict=False)):
        width = 2.0 ** -scales[tick + 1]
        index = bucket_of(true_quantile(batch, quantile), scales[tick + 1])
        assert estimate is not None
        assert index * width - 1e-9 <= math.log2(estimate) <= (index + 1) * width + 1e-9


def bucket_of(value: float, scale: int) -> int:
    """Return the index of the native bucket that holds a value."""
    return math.ceil(math.log2(value) * 2.0**scale) - 1


@given(counts=st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any), low=st.floats(0.01, 0.98))
def test_a_higher_quantile_is_not_lower(counts: list[int], low: float) -> None:
    """Quantiles of one histogram rise with their level."""
    observed = np.array([counts], dtype=float)
    pair = [classic_quantile(np.array(BOUNDS), observed, level)[0] for level in (low, 0.99)]
    assert pair[0] <= pair[1] + 1e-12


def test_an_empty_table_gives_an_unseen_timeline() -> None:
    """Without a reading every tick of every channel is unseen, and there is no data age."""
    timeline = build([])
    assert not timeline.seen.any()
    assert timeline.value.shape == (NUM_TICKS, 5)
    assert timeline.newest_at is None
    assert timeline.data_age_s is None
    assert metrics([]).num_rows == 0
    assert build([number("web.errors", 12, 1.0)]).data_age_s == 48.0
