"""The two simulators behind one face: worlds up to their decision, and courses continued from there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

from opswm.errors import BadInputError
from opswm.simulation.branch import FIRST_FUTURES, MOST_FUTURES, Continue, branch_one
from opswm.simulation.kernel.episodes import EpisodePlan, live

EngineName = Literal["kernel", "events"]
WORLDS_VERSION: Final = 2
"""Counts up when a seed means another world or another recording of it; what was kept of another version is refused."""

_EVENTS: Final = "opswm.simulation.events.episodes"


@dataclass(frozen=True)
class Engine:
    """One simulator.

    Attributes:
        name: How it is asked for.
        live: Returns worlds that have run up to their decision.
        branch: Continues one of them under several courses in shared exogenous futures.
        at_once: Worlds that are best simulated together.
        candidates: Courses of the truth where nobody says how many.
        most_futures: Where doubling of the futures of the truth stops where nobody says.
        looks_further: Whether the truth looks four horizons ahead as well.
    """

    name: EngineName
    live: Callable[[EpisodePlan, Sequence[int]], Any]
    branch: Continue
    at_once: int
    candidates: int = 16
    most_futures: int = MOST_FUTURES
    looks_further: bool = True


def engine_named(name: EngineName) -> Engine:
    """Return a simulator; the second one is imported when it is asked for.

    Args:
        name: ``kernel``, the vectorised one, or ``events``, the one that follows every request.

    Raises:
        BadInputError: When this installation lacks it.
    """
    if name == "kernel":
        return Engine("kernel", live, branch_one, 8)
    try:
        module = import_module(_EVENTS)
    except ModuleNotFoundError as problem:
        if problem.name is not None and not problem.name.startswith("opswm"):
            raise
        raise BadInputError(
            "--engine is 'events', which this installation of opswm does not have; use --engine kernel"
        ) from problem
    return Engine("events", module.live, module.branch_one, 1, 8, FIRST_FUTURES, looks_further=False)
