"""What was kept of another version of the simulator is refused where it would mean something else now."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from opswm.errors import BadInputError
from opswm.simulation.branch import Outcome, Verdict, requests_of
from opswm.simulation.candidates import candidates_of
from opswm.simulation.engines import WORLDS_VERSION
from opswm.simulation.environment import EnvironmentConfig
from opswm.simulation.scene import Scene
from opswm.simulation.truth_files import FORMAT, BranchedTruth, Generator, branches_file, read_branches
from opswm_schemas.questions import Course

OURS = Generator("kernel", WORLDS_VERSION, "1.2.3")


@pytest.fixture
def courses(shop: Scene) -> list[Course]:
    """Five candidates of the shop."""
    return candidates_of(shop, 5)


@pytest.fixture
def content(shop: Scene, courses: list[Course]) -> bytes:
    """A file that says that each course saves as many minutes as it has letters before it."""
    outcomes = [
        Outcome(course.course_id, 9.0 - at, -float(at), 0.01 * at, -2.0 * at, 1.5, 40.0, at == 4, at != 2, 8 * at)
        for at, course in enumerate(courses)
    ]
    return branches_file(shop, courses, Verdict(tuple(outcomes), 0.05, 32, False), 16, OURS)


def test_truth_is_read_as_it_was_written(content: bytes, shop: Scene, courses: list[Course]) -> None:
    """Every course comes back with what it does, and the file says who made the world and when was decided."""
    truth = read_branches(content, OURS)
    assert isinstance(truth, BranchedTruth)
    assert (truth.generator, truth.world_seed, truth.step_s, truth.horizon_ticks) == (OURS, shop.seed, 5, 16)
    assert truth.decision_at == shop.at(shop.decision_s)
    assert sorted(course.course_id for course in truth.courses) == sorted(course.course_id for course in courses)
    verdict = truth.verdict
    assert (verdict.noise_floor_bad_minutes, verdict.num_futures, verdict.is_settled) == (0.05, 32, False)
    for course, outcome in zip(truth.courses, verdict.outcomes, strict=True):
        at = courses.index(course)
        assert outcome.course_id == course.course_id
        assert (outcome.cost_bad_minutes, outcome.effect_bad_minutes) == (9.0 - at, -float(at))
        assert (outcome.is_tied_with_best, outcome.is_settled, outcome.num_futures) == (at == 4, at != 2, 8 * at)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told | {"format": FORMAT - 1}, f"of format {FORMAT - 1}, and only {FORMAT} is read; simulate"),
        (lambda told: told | {"format": FORMAT + 1}, f"of format {FORMAT + 1}"),
        (lambda told: {name: value for name, value in told.items() if name != "format"}, "no branches.json"),
        (lambda told: told | {"courses": [{}]}, "damaged"),
        (lambda told: told | {"decision_at": "yesterday"}, "damaged"),
        (lambda told: [told], "no branches.json"),
    ],
)
def test_truth_of_another_format_is_refused(content: bytes, change: Callable[[Any], Any], message: str) -> None:
    """Another format, a field that is missing or makes no sense: what is wrong, and what to do."""
    with pytest.raises(BadInputError, match=message):
        read_branches(json.dumps(change(json.loads(content))).encode())


def test_truth_that_was_cut_is_refused(content: bytes) -> None:
    """Half a file is no file."""
    with pytest.raises(BadInputError, match="truncated"):
        read_branches(content[: len(content) // 2])


@pytest.mark.parametrize("other", [Generator("events", WORLDS_VERSION, "1.2.3"), Generator("kernel", 1, "1.2.3")])
def test_a_seed_of_another_generator_is_refused_where_it_matters(content: bytes, other: Generator) -> None:
    """The truth may be read whoever made it, but not by one who wants to make the world again otherwise."""
    assert read_branches(content).generator == OURS
    with pytest.raises(BadInputError, match="its seed means another world"):
        read_branches(content, other)


def test_an_environment_of_another_version_is_refused() -> None:
    """A configuration that was kept from another version names both and says what to do."""
    assert EnvironmentConfig(worlds_version=WORLDS_VERSION).system_seed == 0
    with pytest.raises(
        BadInputError, match=f"worlds_version is {WORLDS_VERSION - 1}.*worlds of version {WORLDS_VERSION}"
    ):
        EnvironmentConfig(worlds_version=WORLDS_VERSION - 1)


def test_a_course_for_another_descriptor_is_refused(shop: Scene, courses: list[Course]) -> None:
    """An entity or a capability that the system lacks is named, never replaced by what comes nearest."""
    (action,) = courses[1].actions
    lacking = action.model_copy(update={"capability_id": "restart/elsewhere/2"})
    with pytest.raises(ValueError, match=r"no capability 'restart/elsewhere/2'.*another revision of its descriptor"):
        requests_of(shop.blueprint, Course(course_id="one", actions=[lacking]), 0)
    gone = action.model_copy(update={"target": "retired-service"})
    with pytest.raises(ValueError, match="has no part 'retired-service'"):
        requests_of(shop.blueprint, Course(course_id="two", actions=[gone]), 0)
    assert requests_of(shop.blueprint, courses[1], 7)[0].requested_s == 7.0
