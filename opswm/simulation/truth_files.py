"""The branched truth of a recording as a file: what each candidate would have done, in words that a program reads."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from opswm.simulation.branch import DEFERRED_FACTOR, Verdict
from opswm.simulation.candidates import shuffled
from opswm.simulation.scene import Scene
from opswm_schemas.questions import Course

BRANCHES_FILE: Final = "branches.json"
FORMAT: Final = 1
"""Counts up when the same field means something else."""

_DIGITS: Final = 6


def branches_file(scene: Scene, courses: Sequence[Course], verdict: Verdict, horizon_ticks: int) -> bytes:
    """Return the content of ``truth/branches.json``.

    Each course stands with its mean SLO cost, its mean difference to waiting and that difference's standard error, in
    bad minutes; candidates are in an order that says nothing. ``is_flagged`` says that the futures did not suffice.

    Args:
        scene: The world.
        courses: The candidates, the first of which waits.
        verdict: What they truly do, in the same order.
        horizon_ticks: How far was looked.
    """
    order = shuffled(courses, scene.seed)
    document = {
        "format": FORMAT,
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
                **{
                    name: _rounded(value)
                    for name, value in asdict(verdict.outcomes[at]).items()
                    if name not in ("course_id", "is_settled")
                },
                "is_flagged": not verdict.outcomes[at].is_settled,
            }
            for at in order
        ],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
