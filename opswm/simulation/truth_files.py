"""The branched truth of a recording as a file: what each candidate would have done, in words that a program reads."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from opswm.errors import BadInputError
from opswm.simulation.branch import DEFERRED_FACTOR, Outcome, Verdict
from opswm.simulation.candidates import shuffled
from opswm.simulation.scene import Scene
from opswm_schemas.questions import Course

BRANCHES_FILE: Final = "branches.json"
FORMAT: Final = 2
"""Counts up when the same field means something else, or a field comes or goes."""

_DIGITS: Final = 6
_OUTCOME_FIELDS: Final = tuple(one.name for one in fields(Outcome) if one.name not in ("course_id", "is_settled"))


@dataclass(frozen=True)
class Generator:
    """Who made a world of its seed; a seed means the same world to the same generator only.

    Attributes:
        engine: Name of the simulator.
        version: Of what it makes of a seed.
        software: Version of opswm.
    """

    engine: str
    version: int
    software: str


@dataclass(frozen=True)
class BranchedTruth:
    """What each candidate of a recorded decision point would have done.

    Attributes:
        generator: Who made the world.
        world_seed: Of the world, which means something to that generator alone.
        decision_at: When.
        step_s, horizon_ticks: How far was looked.
        courses: The candidates, in an order that says nothing.
        verdict: What they truly do, in the same order.
    """

    generator: Generator
    world_seed: int
    decision_at: datetime
    step_s: int
    horizon_ticks: int
    courses: tuple[Course, ...]
    verdict: Verdict


def branches_file(
    scene: Scene, courses: Sequence[Course], verdict: Verdict, horizon_ticks: int, generator: Generator
) -> bytes:
    """Return the content of ``truth/branches.json``.

    Each course stands with its mean SLO cost, its mean difference to waiting and that difference's standard error, in
    bad minutes; candidates are in an order that says nothing. ``is_flagged`` says that the futures did not suffice.

    Args:
        scene: The world.
        courses: The candidates, the first of which waits.
        verdict: What they truly do, in the same order.
        horizon_ticks: How far was looked.
        generator: Who made the world.
    """
    order = shuffled(courses, scene.seed)
    document = {
        "format": FORMAT,
        "generator": asdict(generator),
        "world_seed": scene.seed,
        "decision_at": scene.at(scene.decision_s).isoformat(),
        "step_s": scene.blueprint.step_s,
        "horizon_ticks": horizon_ticks,
        "deferred_horizon_ticks": DEFERRED_FACTOR * horizon_ticks,
        "num_futures": verdict.num_futures,
        "noise_floor_bad_minutes": _rounded(verdict.noise_floor_bad_minutes),
        "is_flagged": not verdict.is_settled,
        "no_op": courses[0].course_id,
        "courses": [
            {
                "course": courses[at].model_dump(mode="json", by_alias=True, exclude_none=True),
                **{name: _rounded(getattr(verdict.outcomes[at], name)) for name in _OUTCOME_FIELDS},
                "is_flagged": not verdict.outcomes[at].is_settled,
            }
            for at in order
        ],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def read_branches(content: bytes, generator: Generator | None = None) -> BranchedTruth:
    """Return what a ``truth/branches.json`` says.

    Args:
        content: Of the file.
        generator: Who must have made the world, where its seed is to be used again; anybody where left out.

    Raises:
        BadInputError: When it is no such file, is of another format, or its world is of another generator.
    """
    again = "simulate the recording again with this version of opswm"
    try:
        document = json.loads(content)
        found = document["format"]
    except (ValueError, TypeError, KeyError) as problem:
        raise BadInputError(f"this is no {BRANCHES_FILE} ({problem!r}); it may be truncated, {again}") from problem
    if found != FORMAT:
        raise BadInputError(f"{BRANCHES_FILE} is of format {found!r}, and only {FORMAT} is read; {again}")
    try:
        truth = _parsed(document)
    except (ValueError, TypeError, KeyError) as problem:
        raise BadInputError(f"{BRANCHES_FILE} is damaged ({problem!r}); {again}") from problem
    if generator is not None and truth.generator != generator:
        raise BadInputError(
            f"world {truth.world_seed} was made by {truth.generator}, and its seed means another world to {generator}; "
            f"{again}"
        )
    return truth


def _parsed(document: dict[str, Any]) -> BranchedTruth:
    outcomes = [
        Outcome(
            course_id=entry["course"]["course_id"],
            is_settled=not entry["is_flagged"],
            **{name: entry[name] for name in _OUTCOME_FIELDS},
        )
        for entry in document["courses"]
    ]
    return BranchedTruth(
        generator=Generator(**document["generator"]),
        world_seed=document["world_seed"],
        decision_at=datetime.fromisoformat(document["decision_at"]),
        step_s=document["step_s"],
        horizon_ticks=document["horizon_ticks"],
        courses=tuple(Course.model_validate(entry["course"]) for entry in document["courses"]),
        verdict=Verdict(
            tuple(outcomes), document["noise_floor_bad_minutes"], document["num_futures"], not document["is_flagged"]
        ),
    )


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
