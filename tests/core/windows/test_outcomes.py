"""Bad shares from what was really seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.windows.layout import layout_of
from opswm.windows.outcomes import observed_bad_share, share_slower
from opswm_schemas.descriptor import Channel, Objective
from tests.core.windows.diner import READINGS, diner


def test_a_gauge_is_bad_beyond_its_threshold_and_unknown_in_gaps() -> None:
    """Above and below are told apart, and a tick without a reading says nothing."""
    descriptor = diner()
    objectives = [
        Objective(objective_id="a", entity_id="db", kind="gauge", channel_id="db.in_use", threshold=18.0, weight=0.5),
        Objective(
            objective_id="b",
            entity_id="db",
            kind="gauge",
            channel_id="db.in_use",
            threshold=18.0,
            weight=0.5,
            bad_when="below",
        ),
    ]
    value, seen = np.zeros((4, 9)), np.ones((4, 9), dtype=np.bool_)
    value[:, 5], seen[2, 5] = [17.0, 19.0, 99.0, 18.0], False
    bad, known = observed_bad_share(descriptor, layout_of(descriptor), objectives, value, seen)
    assert bad.tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert known.tolist() == [[True, True], [True, True], [False, False], [True, True]]


def test_requests_are_bad_once_by_error_or_by_latency() -> None:
    """Errors count as they are; of the rest, those slower than the threshold; without latency, errors alone."""
    first = diner()
    p50 = Channel(channel_id="web.p50", entity_id="web", meaning="latency_p50", unit="s")
    descriptor = first.model_copy(update={"channels": [*first.channels, p50]})
    value = np.array([[*READINGS.values(), 0.2]] * 3)
    value[:, 1], value[:, 2:4] = 0.1, 0.5
    seen = np.ones(value.shape, dtype=np.bool_)
    seen[1, [2, 3, 9]] = False
    seen[2, [1, 2, 3, 9]] = False
    bad, known = observed_bad_share(descriptor, layout_of(descriptor), first.objectives[:1], value, seen)
    assert bad[:, 0] == pytest.approx([0.1 + 0.9 * 0.01, 0.1, 0.0])
    assert known[:, 0].tolist() == [True, True, False]


def test_quantiles_are_met_exactly_and_the_tail_goes_on() -> None:
    """At a measured latency the share is the one measured; twice the last one follows the tail's power law."""
    levels, latency = np.array([0.5, 0.9, 0.99]), np.array([0.1, 0.3, 1.0])
    assert share_slower(levels, latency, 0.1) == pytest.approx(0.5)
    assert share_slower(levels, latency, 0.3) == pytest.approx(0.1)
    assert share_slower(levels, latency, 1.0) == pytest.approx(0.01)
    index = np.log(10.0) / np.log(1.0 / 0.3)
    assert share_slower(levels, latency, 2.0) == pytest.approx(0.01 * 0.5**index)
    assert share_slower(levels[2:], latency[2:], 2.0) == pytest.approx(0.01 / 4.0)


@given(
    latencies=st.lists(st.floats(1e-4, 100.0), min_size=3, max_size=3),
    thresholds=st.tuples(st.floats(1e-3, 200.0), st.floats(1e-3, 200.0)),
)
def test_fewer_attempts_are_slower_than_a_higher_threshold(
    latencies: list[float], thresholds: tuple[float, float]
) -> None:
    """The share is a share and falls with the threshold, even where noise put the quantiles out of order."""
    levels = np.array([0.5, 0.95, 0.99])
    low, high = (share_slower(levels, np.array(latencies), threshold) for threshold in sorted(thresholds))
    assert 0.0 <= high <= low + 1e-12 <= 1.0 + 1e-9
