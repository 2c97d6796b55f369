"""Actions and courses in the words an on-call person uses."""

from collections.abc import Sequence
from typing import Final

from opswm_schemas.actions.parameters import (
    AutoscalerPolicy,
    CacheOp,
    CircuitBreak,
    ConfigChange,
    Custom,
    DbOp,
    Deploy,
    Failover,
    FeatureFlag,
    KillInstance,
    LoadShed,
    Parameters,
    PoolResize,
    QueueOp,
    RateLimit,
    Restart,
    Rollback,
    RolloutControl,
    ScaleHorizontal,
    ScaleVertical,
    TimeoutRetry,
    TrafficShift,
)
from opswm_schemas.questions import CandidateAction, Course

MAX_CLAUSE: Final = 240
"""Longest clause about one course, in characters."""


def describe_course(course: Course) -> str:
    """Return what a course does, as a clause without a full stop.

    Args:
        course: Its label wins where it has one.
    """
    if course.label:
        return shorten(course.label)
    if course.is_no_op:
        return "do nothing"
    return shorten(", then ".join(describe_action(a) for a in course.actions if a.params.type != "no_op"))


def describe_action(action: CandidateAction) -> str:
    """Return what one action does, as a clause without a full stop.

    Args:
        action: Of any type.
    """
    later = f" after {action.delay_ticks} ticks" if action.delay_ticks else ""
    return _clause(action.params, action.target) + later


def shorten(text: str) -> str:
    """Return text that fits into a headline, cut where it is long (names in it come from outside).

    Args:
        text: Any.
    """
    return text if len(text) <= MAX_CLAUSE else f"{text[: MAX_CLAUSE - 3]}..."


def enumerate_words(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``.

    Args:
        words: At least one.
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _clause(params: Parameters, target: str) -> str:
    match params:
        case Deploy():
            return f"deploy {params.version} to {target}"
        case Rollback():
            return f"roll back {target}" + (f" to {params.to_version}" if params.to_version else "")
        case RolloutControl():
            return f"{params.op} the rollout of {target}"
        case Restart():
            return f"restart {target} ({params.scope})"
        case KillInstance():
            return f"kill {_count(params.count, 'instance')} of {target}"
        case ScaleHorizontal():
            return f"scale {target} to {_count(params.to_replicas, 'replica')}"
        case ScaleVertical():
            return f"give each replica of {target} {_resources(params)}"
        case AutoscalerPolicy():
            return f"set the autoscaler of {target} to {_set(params, 'min_replicas', 'max_replicas', 'target_ratio')}"
        case TrafficShift():
            shares = [f"{route} {weight:.0%}" for route, weight in sorted(params.weights.items())]
            return f"shift traffic of {target} to {enumerate_words(shares)}"
        case Failover():
            return f"fail {target} over from {params.from_} to {params.to}"
        case FeatureFlag():
            return f"set flag {params.key} of {target} to {_plain(params.to)}"
        case ConfigChange():
            return f"set {params.key} of {target} to {_plain(params.new)}"
        case RateLimit():
            return f"limit {target} to {params.limit_rps:g} requests/s"
        case LoadShed():
            which = "low-priority " if params.priority == "low" else ""
            return f"shed {params.fraction_ratio:.0%} of {which}requests at {target}"
        case CircuitBreak():
            return f"break the circuit to {target} ({_set(params, 'max_connections', 'eject_s')})"
        case TimeoutRetry():
            return f"set calls to {target} to {_set(params, 'timeout_s', 'max_retries', 'backoff_s')}"
        case PoolResize():
            return f"resize the pool of {target} to {params.size_connections} connections"
        case CacheOp() | QueueOp():
            return f"{params.op} {target}"
        case DbOp():
            return f"{params.op.replace('_', ' ')} on {target}"
        case Custom():
            return f"run the custom action on {target}"
        case _:
            return f"{params.type.replace('_', ' ')} {target}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _plain(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _resources(params: ScaleVertical) -> str:
    parts = [] if params.cpu_cores is None else [f"{params.cpu_cores:g} cores"]
    if params.memory_bytes is not None:
        parts.append(f"{params.memory_bytes / 2**30:.3g} GiB")
    return enumerate_words(parts) if parts else "the same resources"


def _set(params: AutoscalerPolicy | CircuitBreak | TimeoutRetry, *names: str) -> str:
    """Name each parameter that is set, with its unit spelled in its name."""
    given = [(name, getattr(params, name)) for name in names]
    stated = [f"{name.replace('_', ' ')} {value:g}" for name, value in given if value is not None]
    return enumerate_words(stated) if stated else "its defaults"
