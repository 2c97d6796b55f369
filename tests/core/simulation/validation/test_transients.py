"""A load that steps up and back down: mean courses against Kolmogorov's equations, and storms that outlive triggers."""

import numpy as np

from tests.core.simulation.validation.courses import Course, phases, settled
from tests.core.simulation.validation.storm import CLEARED_S, SHED_S, TRIGGER_LASTS_S, TRIGGER_S, bad_share


def test_each_phase_holds_as_many_requests_as_it_should(mean_courses: list[Course]) -> None:
    """Before a step up, after it and after the step back down, the mean number present is within 10 %."""
    for course in mean_courses:
        for exact, found in phases(course):
            assert abs(found - exact) <= 0.1 * exact, course.story.name


def test_the_course_is_right_second_by_second(mean_courses: list[Course]) -> None:
    """Away from the steps by the time over which the kernel averages arrivals, each second is within 10 % or 3."""
    for course in mean_courses:
        apart = np.abs(course.found - course.exact)
        assert (apart <= np.maximum(0.1 * course.exact, 3.0))[settled(course)].all(), course.story.name
        assert settled(course).mean() > 0.7


def test_overload_grows_and_drains_at_every_second_as_it_should(mean_courses: list[Course]) -> None:
    """Through an overload of 125 % and its drain, no second at all is further than 10 % or three requests off."""
    course = mean_courses[0]
    assert (np.abs(course.found - course.exact) <= np.maximum(0.1 * course.exact, 3.0)).all()
    assert course.exact.max() > 100.0


def test_a_retry_storm_outlives_its_trigger_and_is_cleared_by_less_load() -> None:
    """Twenty slow seconds start a storm that retries keep up; shedding load for a minute ends it for good."""
    quiet, storm, cleared = bad_share(4).mean(1)
    over, shed, freed = ((int(at_s) // 5) for at_s in (TRIGGER_S + TRIGGER_LASTS_S + 60.0, SHED_S, CLEARED_S + 30.0))
    assert float(quiet.max()) < 0.02
    assert float(storm[over:].min()) > 0.9
    assert float(cleared[over:shed].min()) > 0.9
    assert float(cleared[freed:].max()) < 0.02


def test_without_retries_the_same_trigger_passes() -> None:
    """The storm is the retries' doing: without them the backlog drains and everybody is served again."""
    _, triggered, _ = bad_share(2, retries=0.0).mean(1)
    over = int(TRIGGER_S + TRIGGER_LASTS_S + 90.0) // 5
    assert float(triggered[int(TRIGGER_S) // 5 + 1]) > 0.5
    assert float(triggered[over : int(SHED_S) // 5].max()) < 0.02
