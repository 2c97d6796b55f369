"""Which actions were in force in which tick, as far as that was known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.timeline.grid import Grid, to_microseconds
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import ConfigChange, FaultInjection, FeatureFlag, NoOp
from opswm_schemas.actions.record import Action

SUPERSEDES: Final[dict[str, str]] = {
    "deploy": "version",
    "rollback": "version",
    "scale_horizontal": "replicas",
    "scale_vertical": "size",
    "autoscaler_policy": "autoscaler",
    "traffic_shift": "routing",
    "failover": "routing",
    "cordon": "service",
    "drain": "service",
    "quarantine": "service",
    "feature_flag": "flag",
    "config_change": "configuration",
    "rate_limit": "rate limit",
    "load_shed": "shedding",
    "circuit_break": "breaker",
    "timeout_retry": "retries",
    "pool_resize": "pool",
}
"""What a lasting action sets: it holds until another sets the same thing of the same target (flags and
configuration: the same key). Actions that are not listed are momentary and hold only while they run."""

_ENDINGS: Final[tuple[ActionStatus, ...]] = ("succeeded", "timed_out", "failed")
_UNDONE: Final[tuple[ActionStatus, ...]] = ("failed", "cancelled", "rolled_back")


def known_actions(actions: Sequence[Action], at: datetime) -> tuple[Action, ...]:
    """Return actions as they were known at a moment, by when they became known, then by id.

    Facts known later are gone, and so is what only they can have told: outcomes, estimated effects, progress
    and the action that undid it. An action of which nothing was known yet is left out.

    Args:
        actions: With any facts.
        at: The moment.
    """
    found: list[tuple[datetime, str, Action]] = []
    for action in actions:
        facts = [fact for fact in action.transitions if fact.known_by(at)]
        words = [word for word in action.approvals if word.known_by(at)]
        if not facts and not words:
            continue
        update: dict[str, object] = {"transitions": facts, "approvals": words}
        if len(facts) < len(action.transitions) or len(words) < len(action.approvals):
            update |= {"progress_ratio": None, "estimated_effect": None, "inverse_action_id": None}
        if action.realised is not None and action.realised.known_at > at:
            update["realised"] = None
        first = min(fact.known_at for fact in (*facts, *words))
        found.append((first, action.action_id, action.model_copy(update=update)))
    return tuple(action for _, _, action in sorted(found, key=lambda item: item[:2]))


def in_force(actions: Sequence[Action], grid: Grid) -> NDArray[np.bool_]:
    """Return ``[T, num_actions]``: whether an action's change held at some time of a tick.

    An action holds from its start (its ending, where no start was reported). A lasting one (``SUPERSEDES``)
    holds until it fails, is cancelled or rolled back, or another sets the same thing; a momentary one until it
    ended; ``fault_injection`` and ``no_op`` with a stated length until that has passed.

    Args:
        actions: From :func:`known_actions`.
        grid: The ticks.
    """
    intervals = [_interval(action) for action in actions]
    successions: dict[tuple[str, ...], list[tuple[datetime, str, int]]] = {}
    for position, (action, interval) in enumerate(zip(actions, intervals, strict=True)):
        if interval is not None:
            for thing in _things_set(action):
                successions.setdefault(thing, []).append((interval[0], action.action_id, position))
    successors: dict[int, list[datetime | None]] = {}
    for line in successions.values():
        line.sort()
        for here, following in zip(line, [*line[1:], None], strict=True):
            successors.setdefault(here[2], []).append(following[0] if following else None)
    held = np.zeros((grid.num_ticks, len(actions)), dtype=bool)
    for position, interval in enumerate(intervals):
        if interval is not None:
            until = _earlier(interval[1], successors.get(position, []))
            held[:, position] = grid.spans(
                to_microseconds(interval[0]), None if until is None else to_microseconds(until)
            )
    return held


def _interval(action: Action) -> tuple[datetime, datetime | None] | None:
    """Return when an action began and ended by itself; None when it never began."""
    since = action.first_at("started")
    if since is None:
        since = min((moment for status in _ENDINGS if (moment := action.first_at(status)) is not None), default=None)
    if since is None:
        return None
    ends = [moment for status in _UNDONE if (moment := action.first_at(status)) is not None]
    if action.type not in SUPERSEDES:
        ends += [moment for status in _ENDINGS if (moment := action.first_at(status)) is not None]
    length_s = _length_s(action)
    if length_s is not None:
        ends.append(since + timedelta(seconds=length_s))
    return since, max(since, min(ends)) if ends else None


def _length_s(action: Action) -> float | None:
    match action.params:
        case FaultInjection(duration_s=seconds) | NoOp(window_s=seconds):
            return seconds
    return None


def _things_set(action: Action) -> list[tuple[str, ...]]:
    """Return what a lasting action sets, per target; nothing for a momentary one."""
    if action.type not in SUPERSEDES:
        return []
    key = ""
    match action.params:
        case FeatureFlag(key=key) | ConfigChange(key=key):
            pass
    return [(SUPERSEDES[action.type], key, target) for target in action.targets]


def _earlier(own: datetime | None, successors: Sequence[datetime | None]) -> datetime | None:
    """Return the end of an action: its own, or when the last of its targets was set anew, if all were."""
    anew = [moment for moment in successors if moment is not None]
    ends = [max(anew)] if anew and len(anew) == len(successors) else []
    return min([*ends, own] if own is not None else ends, default=None)
