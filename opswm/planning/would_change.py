"""What further evidence or telemetry would change the advice, one sentence each."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from opswm.planning.rank import Judged, Judgement, RankingPolicy
from opswm.planning.readings import PRESENT_TICKS
from opswm.planning.wording import describe_course, enumerate_words, shorten
from opswm.timeline.timeline import Timeline
from opswm.windows.layout import layout_of
from opswm_schemas.descriptor import Objective
from opswm_schemas.vocabulary import MEANING_INDEX

MIN_TICKS: Final = 12
"""The shortest history that shows a trend; less, and no course is advised."""

STALE_TICKS: Final = 6
"""Telemetry older than this many ticks is called old."""

_LATENCIES: Final = tuple(index for name, index in MEANING_INDEX.items() if name.startswith("latency_"))
_NAMED: Final = 3
"""Courses named in one sentence."""


def known_ticks(timeline: Timeline) -> int:
    """Return how many ticks of history there really are: those in which anything was seen, and all between.

    Args:
        timeline: Up to the decision.
    """
    ticks = np.flatnonzero(timeline.seen.any(axis=1))
    return int(timeline.num_ticks - ticks[0]) if ticks.size else 0


def unusable(timeline: Timeline) -> str:
    """Return why a history is no ground for any advice, empty where it is one.

    Args:
        timeline: Up to the decision.
    """
    if known_ticks(timeline) < MIN_TICKS:
        return "there is too little telemetry to tell a trend from noise"
    if not timeline.seen[-PRESENT_TICKS:].any():
        return f"the newest reading is {timeline.data_age_s:.0f} s old and says nothing about the present"
    return ""


def gaps(timeline: Timeline, objectives: Sequence[Objective]) -> list[str]:
    """Return a sentence for each thing that was not measured and would have mattered.

    Args:
        timeline: Up to the decision.
        objectives: Those of the question.
    """
    found: list[str] = []
    ticks, step_s = known_ticks(timeline), timeline.descriptor.step_s
    if ticks < MIN_TICKS:
        found.append(
            f"There are {ticks} ticks of telemetry; at least {MIN_TICKS} ({MIN_TICKS * step_s:.0f} s) are needed to "
            "tell a trend from noise."
        )
    age = timeline.data_age_s
    if age is not None and age > STALE_TICKS * step_s:
        found.append(f"The newest reading is {age:.0f} s old; newer telemetry may change the advice.")
    layout = layout_of(timeline.descriptor)
    seen = np.flatnonzero(timeline.seen[-MIN_TICKS:].any(axis=0))
    for objective in objectives:
        if objective.kind != "request":
            continue
        columns = layout.channels_at(layout.entity[objective.entity_id])
        there = set(layout.channel_meaning[np.intersect1d(columns, seen)].tolist())
        wanted = {"error_ratio": {MEANING_INDEX["error_ratio"]}}
        if objective.latency_threshold_s is not None:
            wanted["latency"] = set(_LATENCIES)
        missing = [name for name, indices in wanted.items() if not there & indices]
        if missing:
            found.append(
                f"Nothing recent measures {enumerate_words(missing)} at {objective.entity_id}, which objective "
                f"{objective.objective_id} is about; a channel for it would sharpen every estimate."
            )
    return found


def evidence_wanted(judgement: Judgement, policy: RankingPolicy, floor: float) -> list[str]:
    """Return a sentence for each thing that stands between the best courses and a recommendation.

    Args:
        judgement: The ranking.
        policy: How cautious it was.
        floor: Noise floor, bad minutes.
    """
    promising = [one for one in judgement.ranked if one.scenario and one.value < -floor]
    found: list[str] = []
    capped = [one for one in promising if one.capped]
    if capped:
        types = sorted({action.params.type for one in capped for action in one.candidate.course.actions} - {"no_op"})
        found.append(
            f"A passed shadow backtest of {enumerate_words(types)} on this system's own logs (grade E3), or a "
            f"randomised trial or twin run of it (E4), would lift {_names(capped)} from worth_testing to recommend."
        )
    risky = [one for one in promising if not one.candidate.blocked_by and one.p_harm > policy.harm_tolerance]
    if risky:
        found.append(
            f"{_names(risky)}: chance of harm above the tolerance of {policy.harm_tolerance:.0%}; a smaller magnitude, "
            "or telemetry of a few more ticks, may bring it below."
        )
    strange = [one for one in promising if one.support < policy.min_support]
    if strange:
        found.append(f"{_names(strange)}: nothing alike was in what the model learned from; training data would help.")
    blocked = [one for one in promising if one.candidate.blocked_by]
    if blocked:
        reasons = shorten("; ".join(reason for one in blocked[:_NAMED] for reason in one.candidate.blocked_by))
        found.append(f"{_names(blocked)}: expected to help, but ruled out now ({reasons}).")
    return found


def _names(courses: Sequence[Judged]) -> str:
    """The first few courses in quotes."""
    words = [f'"{describe_course(one.candidate.course)}"' for one in courses[:_NAMED]]
    more = len(courses) - len(words)
    return enumerate_words([*words, f"{more} more"] if more else words)
