"""Candidate courses from a descriptor's capabilities: where the trouble looks to be, of many types.

Deterministic in (descriptor, timeline, seed) and blind to any outcome.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from opswm.errors import BadInputError
from opswm.planning.guardrails import Candidate, check, unmet_preconditions
from opswm.planning.heat import heat
from opswm.planning.magnitudes import settings_for
from opswm.planning.readings import Readings
from opswm.timeline.timeline import Timeline
from opswm.windows.points import NO_OP
from opswm_schemas.descriptor import Objective, SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course

MAX_CONSIDERED: Final = 1_024
"""Settings looked at before the caps choose among them; the warmest targets come first."""

_AGAIN_TYPE, _AGAIN_TARGET, _AGAIN_BOTH = 1.5, 0.1, 0.3
"""What choosing the same type, target, or type on the same target once more is worth in degrees of heat."""


@dataclass(frozen=True)
class Enumeration:
    """Candidates and what could not become one.

    Attributes:
        candidates: ``no_op`` first.
        notes: A sentence for each capability that nothing could be enumerated from.
    """

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Option:
    action: CandidateAction
    warmth: float
    level: int
    tiebreak: str


def enumerate_candidates(
    descriptor: SystemDescriptor,
    timeline: Timeline,
    max_candidates: int,
    seed: int,
    objectives: Sequence[Objective] | None = None,
) -> Enumeration:
    """Return candidate courses, ``no_op`` first and at most ``max_candidates`` in all.

    Each capability is tried on each of its targets with a few magnitudes. What has a precondition that is
    known not to hold is no candidate; what a guardrail blocks stays one and is marked. The cap keeps a
    balance: the next course is on the part that looks most suspect (``heat``) among the types and targets chosen
    least so far.

    Args:
        descriptor: The system.
        timeline: Up to the decision.
        max_candidates: At least 1.
        seed: Breaks what is still equal.
        objectives: Instead of the descriptor's own.

    Raises:
        BadInputError: When ``max_candidates`` is less than 1.
    """
    if max_candidates < 1:
        raise BadInputError(f"max_candidates is {max_candidates}; it must be at least 1, for no_op")
    descriptor = descriptor.model_copy(update={"relations": list(timeline.relations)})
    readings = Readings(descriptor, timeline)
    wanted = descriptor.objectives if objectives is None else objectives
    warmth = heat(timeline, wanted)
    notes: list[str] = []
    options = _options(descriptor, readings, warmth, seed, notes)
    chosen = _balanced(options, max_candidates - 1)
    courses = [Course(course_id=_name(option.action), actions=[option.action]) for option in chosen]
    checked = [check(descriptor, timeline, readings, course) for course in courses]
    return Enumeration((Candidate(NO_OP), *checked), tuple(notes))


def given_candidates(descriptor: SystemDescriptor, timeline: Timeline, courses: Sequence[Course]) -> Enumeration:
    """Return a caller's own courses as candidates, with ``no_op`` put first.

    Args:
        descriptor: The system.
        timeline: Up to the decision.
        courses: Single or composite courses; a ``no_op`` among them is the one compared with.

    Raises:
        BadInputError: When a target or capability is unknown, or a course injects a fault.
    """
    readings = Readings(descriptor, timeline)
    first, *others = with_no_op_first(courses)
    checked = [check(descriptor, timeline, readings, course) for course in others]
    return Enumeration((Candidate(first), *checked), ())


def with_no_op_first(courses: Sequence[Course]) -> list[Course]:
    """Return courses with a ``no_op`` in front: the first of theirs, or one of our own under a free id.

    Args:
        courses: In any order; further waits stay where they are.
    """
    waits = [course for course in courses if course.is_no_op]
    taken = {course.course_id for course in courses}
    name = NO_OP.course_id
    while not waits and name in taken:
        name += "-"
    first = waits[0] if waits else NO_OP.model_copy(update={"course_id": name})
    return [first, *(course for course in courses if course is not first)]


def _options(
    descriptor: SystemDescriptor, readings: Readings, warmth: dict[str, float], seed: int, notes: list[str]
) -> list[_Option]:
    pairs = [
        (warmth[target], capability, target)
        for capability in descriptor.capabilities
        if capability.type != "no_op"
        for target in dict.fromkeys(capability.targets)
    ]
    pairs.sort(key=lambda pair: -pair[0])
    options: list[_Option] = []
    impossible: dict[str, str] = {}
    for warm, capability, target in pairs:
        if len(options) >= MAX_CONSIDERED:
            break
        settings, problem = settings_for(descriptor, capability, target, readings.at(target))
        if problem:
            impossible.setdefault(capability.capability_id, f"{target}: {problem}")
        for level, params in enumerate(settings):
            action = CandidateAction(target=target, params=params, capability_id=capability.capability_id)
            if not unmet_preconditions(action, capability, readings):
                options.append(_Option(action, warm, level, _hash(f"{seed}:{_content(action)}")))
    notes.extend(f"capability {name!r} gave no candidate for {problem}" for name, problem in sorted(impossible.items()))
    return options


def _balanced(options: Iterable[_Option], wanted: int) -> list[_Option]:
    """Greedy choice: the warmest target, less what its type, target and both together were chosen before."""
    left = list(options)
    types: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()

    def cost(option: _Option) -> float:
        kind, target = option.action.params.type, option.action.target
        taken = _AGAIN_TYPE * types[kind] + _AGAIN_TARGET * targets[target] + _AGAIN_BOTH * pairs[kind, target]
        return taken - option.warmth

    chosen: list[_Option] = []
    while left and len(chosen) < wanted:
        best = min(left, key=lambda option: (cost(option), option.level, option.tiebreak))
        left.remove(best)
        chosen.append(best)
        types[best.action.params.type] += 1
        targets[best.action.target] += 1
        pairs[best.action.params.type, best.action.target] += 1
    return chosen


def _content(action: CandidateAction) -> str:
    return json.dumps(action.model_dump(mode="json", by_alias=True), sort_keys=True)


def _name(action: CandidateAction) -> str:
    """A short id that the content decides, so that the same course has the same id in every ranking."""
    return f"{action.params.type}-{_hash(_content(action))[:10]}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
