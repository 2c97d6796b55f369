"""The references themselves: known values, and agreement of the closed forms with ciw."""

import numpy as np
import pytest

from tests.core.simulation.validation import closed_forms, courses, discrete_events
from tests.core.simulation.validation.discrete_events import Station


def test_one_server_is_the_textbook_queue() -> None:
    """M/M/1 at four fifths waits four services, and its response time is exponential."""
    assert closed_forms.mean_wait_s(1, 0.8, 1.0) == pytest.approx(4.0)
    assert closed_forms.response_quantile_s(1, 0.8, 1.0) == pytest.approx(5.0 * np.log(20.0))
    assert closed_forms.mean_wait_s(1, 0.8, 1.0, scv=0.0) == pytest.approx(2.0)


def test_a_full_room_is_erlangs_loss() -> None:
    """Without a place to wait in, 10 erlangs on 10 servers lose 21.5 %; without patience just as many."""
    assert closed_forms.loss_with_places(10, 10.0, 1.0, 0) == pytest.approx(0.2146, abs=1e-4)
    assert closed_forms.loss_with_patience(10, 10.0, 1.0, 0.0) == pytest.approx(0.2146, abs=1e-4)


def test_a_course_ends_where_the_stationary_queue_is() -> None:
    """Kolmogorov's equations lead to the mean number present that Little's law and M/M/c give."""
    course = closed_forms.mean_course(3, 0.5, [(200.0, 4.0)], np.array([200.0]), 300)
    assert course[0] == pytest.approx(4.0 * (closed_forms.mean_wait_s(3, 4.0 / 6.0, 0.5) + 0.5), rel=1e-4)


def test_ciw_loses_what_the_closed_form_says() -> None:
    """With a patience of two services at 120 % load, both references lose the same within sampling error."""
    seen = discrete_events.visits([Station(4, 1.0, patience_s=2.0)], [[0.0]], 4.8, 3000.0, 200.0, 1)
    assert seen.lost_ratio == pytest.approx(closed_forms.loss_with_patience(4, 4.8, 1.0, 2.0), abs=0.015)


@pytest.mark.slow
def test_both_references_agree_on_mean_courses() -> None:
    """Over 200 runs of ciw the mean course is that of Kolmogorov's equations, within four standard errors."""
    for story in courses.STORIES:
        seen, error = courses.event_course(story, 200)
        exact = courses.exact_course(story)
        assert np.abs(seen - exact).max() < 0.1 * exact.max()
        assert (np.abs(seen - exact) < 4.0 * error + 0.05).mean() > 0.98
