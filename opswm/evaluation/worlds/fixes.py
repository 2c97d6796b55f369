"""What a course is to somebody who knows the fault: a type of action, at what is broken, next to it or elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.episodes import Course
from opswm.simulation.kernel.incidents import Incident

Place = Literal["nowhere", "at the fault", "next to it", "elsewhere"]


@dataclass(frozen=True)
class Fix:
    """An action as a rule of thumb names it, without its parameters.

    Attributes:
        type: Of the action.
        place: Where it is aimed, seen from the fault.
    """

    type: str
    place: Place


WAIT: Final = Fix("no_op", "nowhere")


def fixes_of(blueprint: Blueprint, incident: Incident, courses: Sequence[Course]) -> tuple[Fix, ...]:
    """Return what each course is, seen from the true fault; in good health everything is elsewhere.

    Next to a fault is what calls or is called by what it strikes, and hosts and those that run on them.

    Args:
        blueprint: The system.
        incident: What is wrong with it.
        courses: Of one action at most.
    """
    struck = _struck(blueprint, incident)
    beside = _beside(blueprint, struck)

    def place(target: str) -> Place:
        if target in struck:
            return "at the fault"
        return "next to it" if target in beside else "elsewhere"

    return tuple(
        WAIT if not course else Fix(course[0].ability.type, place(course[0].ability.target)) for course in courses
    )


def _struck(blueprint: Blueprint, incident: Incident) -> set[str]:
    named = {
        name
        for breakage in incident.breakages
        if breakage.kind == incident.label
        for name in (breakage.target, breakage.origin)
        if name
    }
    return named | {part.name for part in blueprint.parts if part.zone in named}


def _beside(blueprint: Blueprint, struck: set[str]) -> set[str]:
    links = [(link.source, link.target) for link in blueprint.links]
    links += [(part.name, part.host) for part in blueprint.parts if part.host]
    found = {other for one, other in links if one in struck} | {one for one, other in links if other in struck}
    return found - struck
