"""Mean courses through an overload and out of it: the whole kernel against Kolmogorov's equations and ciw."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.core.simulation.validation import closed_forms, discrete_events
from tests.core.simulation.validation.discrete_events import Array, Station
from tests.core.simulation.validation.kernel_runs import COLUMN, server, system, telemetry

STATION = Station(4, 0.25)
CAPACITY_RPS = STATION.servers / STATION.service_s
SECONDS = 120
_LEAD_S, _SHORT_LEAD_S = 120.0, 20.0


@dataclass(frozen=True)
class Story:
    """A load that steps up and back down: arrival rates, each with the second until which it holds."""

    name: str
    steps: tuple[tuple[float, float], ...]


STORIES = (
    Story("overload and drain", ((30.0, 0.5 * CAPACITY_RPS), (70.0, 1.25 * CAPACITY_RPS), (120.0, 0.5 * CAPACITY_RPS))),
    Story("busy and calm again", ((30.0, 0.4 * CAPACITY_RPS), (70.0, 0.9 * CAPACITY_RPS), (120.0, 0.4 * CAPACITY_RPS))),
)
AT_S: Array = np.arange(1.0, SECONDS + 1.0)


@dataclass(frozen=True)
class Course:
    """Requests in the system, second by second.

    Attributes:
        exact: Expected number (Kolmogorov's forward equations).
        found: Mean over the kernel's worlds.
        error: Its standard error.
    """

    story: Story
    exact: Array
    found: Array
    error: Array


def courses(worlds: int, seed: int = 5) -> list[Course]:
    """Return the course of each story in so many worlds."""
    plans = []
    for story in STORIES:
        steps = _later(story, _LEAD_S)
        seconds = range(int(_LEAD_S) + SECONDS)
        profile = tuple(next(rate for until, rate in steps if second < until) / CAPACITY_RPS for second in seconds)
        part = server("queue", STATION.servers, STATION.service_s)
        plans.append(system([part], CAPACITY_RPS, profile=profile, profile_step_s=1.0))
    signals = telemetry(plans, worlds, int(_LEAD_S), SECONDS, seed)[:, :, :, 0, COLUMN["in_flight"]].double()
    found, spread = signals.mean(1).numpy(), signals.std(1).numpy()
    return [
        Course(story, exact_course(story), found[index], spread[index] / np.sqrt(worlds))
        for index, story in enumerate(STORIES)
    ]


def exact_course(story: Story) -> Array:
    """Return the expected number of requests in the system."""
    return closed_forms.mean_course(
        STATION.servers, STATION.service_s, _later(story, _SHORT_LEAD_S), AT_S + _SHORT_LEAD_S, 600
    )


def event_course(story: Story, runs: int, seed: int = 6) -> tuple[Array, Array]:
    """Return the mean number of requests in the system over so many runs of ciw, and its standard error."""
    return discrete_events.mean_course(STATION, _later(story, _SHORT_LEAD_S), AT_S + _SHORT_LEAD_S, runs, seed)


def phases(course: Course) -> list[tuple[float, float]]:
    """Return the mean number present in each phase of a story: as it should be, and as it is."""
    ends = [0, *(int(until) for until, _ in course.story.steps)]
    spans = [slice(start, end) for start, end in pairwise(ends)]
    return [(float(course.exact[span].mean()), float(course.found[span].mean())) for span in spans]


def settled(course: Course) -> Array:
    """Return which seconds are more than one averaging time of the arrival rate (50 arrivals) away from a step."""
    far = np.ones(SECONDS, dtype=bool)
    for (until, _), (_, rate) in zip(course.story.steps, course.story.steps[1:], strict=False):
        far &= (until >= AT_S) | (until + 50.0 / rate < AT_S)
    return far


def _later(story: Story, lead_s: float) -> tuple[tuple[float, float], ...]:
    """Return the steps of a story after some seconds at its first rate."""
    return tuple((until + lead_s, rate) for until, rate in story.steps)
