"""What can and cannot be asked about a system, and why, from its descriptor and its data alone."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.vocabulary import ACTION_TYPES

MIN_TICKS: Final = 12
"""The shortest history that says anything about a trend."""


@dataclass(frozen=True)
class Askable:
    """One kind of question about one system.

    Attributes:
        question: The question, in words.
        is_possible: Whether it can be answered.
        why: What makes it possible, or what to add.
    """

    question: str
    is_possible: bool
    why: str


def askable(descriptor: SystemDescriptor, num_ticks: float) -> list[Askable]:
    """Return what can and cannot be asked.

    Args:
        descriptor: The system.
        num_ticks: How many ticks of telemetry there are.
    """
    meant = [channel for channel in descriptor.channels if channel.meaning != "other"]
    missing = []
    if not meant:
        missing.append("no channel has a known meaning; map at least one in the descriptor")
    if num_ticks < MIN_TICKS:
        missing.append(f"there are {num_ticks:.0f} ticks of telemetry, {MIN_TICKS} are the least that say something")
    telemetry = "; ".join(missing)
    kinds = Counter(capability.type for capability in descriptor.capabilities if capability.type != "no_op")
    offered = ", ".join(sorted(kinds))
    objectives = ", ".join(objective.objective_id for objective in descriptor.objectives)
    may_act = bool(kinds)
    return [
        Askable(
            "What happens if nothing is done?",
            not missing,
            telemetry or f"{len(meant)} channels with a known meaning, {num_ticks:.0f} ticks",
        ),
        Askable(
            "What happens if I do X?",
            not missing and may_act,
            telemetry or (f"X is one of: {offered}" if may_act else "the descriptor lists no capabilities"),
        ),
        Askable(
            "What should I do?",
            not missing and may_act and bool(objectives),
            telemetry
            or (f"judged by: {objectives}" if objectives else "no objectives; add one, or give some with the question"),
        ),
        *_never(descriptor, set(kinds)),
    ]


def _never(descriptor: SystemDescriptor, kinds: set[str]) -> list[Askable]:
    found = []
    absent = [name for name in ACTION_TYPES if name not in kinds | {"no_op", "custom", "fault_injection"}]
    if absent:
        why = f"no capability offers them: {', '.join(absent)}"
        found.append(Askable("What would other typed actions do?", False, why))
    measured = {channel.entity_id for channel in descriptor.channels}
    blind = [entity.entity_id for entity in descriptor.entities if entity.entity_id not in measured]
    if blind:
        found.append(Askable("How are these themselves?", False, f"no channel measures them: {', '.join(blind)}"))
    vague = [capability.capability_id for capability in descriptor.capabilities if not capability.affects]
    if vague:
        why = f"no 'affects' says what they touch: {', '.join(vague)}"
        found.append(Askable("By which mechanism do these capabilities act?", False, why))
    return found
