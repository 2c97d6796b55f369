"""What several tests of the validation look at, computed once."""

import pytest

from tests.core.simulation.validation.courses import Course, courses


@pytest.fixture(scope="session")
def mean_courses() -> list[Course]:
    """Two stories of a load that steps up and down, in 1,500 worlds."""
    return courses(1500)
