"""How each action type turns its parameters into named features; the columns are ``ACTION_FEATURES``.

A parameter left out counts as the default that ``opswm_schemas.actions.parameters`` gives it, so that a course
written by hand and one made by a simulator agree to the last bit.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from opswm.canonical import log_amount, log_change, log_duration

Plain = float | int | str | bool | None
Params = Mapping[str, Plain]
Current = Mapping[str, float]
Features = dict[str, float]
Encoder = Callable[[Params, Current], Features]

OPERATIONS: Final[dict[str, tuple[str, str, dict[str, float]]]] = {
    "deploy": ("strategy", "rolling", {"rolling": 0.25, "canary": 0.5, "blue_green": 0.75, "recreate": 1.0}),
    "rollout_control": ("op", "", {"pause": 0.5, "promote": 1.0, "abort": -1.0}),
    "restart": ("scope", "rolling", {"one": 0.25, "rolling": 0.5, "all": 1.0}),
    "quarantine": ("mode", "maintenance", {"label": 0.25, "maintenance": 0.5, "network": 1.0}),
    "load_shed": ("priority", "low", {"low": 0.5, "all": 1.0}),
    "cache_op": ("op", "", {"warm": -1.0, "invalidate": 0.5, "flush": 1.0}),
    "queue_op": ("op", "", {"pause": 0.5, "purge": 1.0, "replay": -1.0}),
    "db_op": ("op", "", {"kill_query": 0.25, "vacuum": 0.5, "create_index": 0.75, "failback": 1.0}),
}
"""Per type: the parameter that says the operation, its default, and the code of each value (1 is most drastic)."""

_ON: Final = frozenset({"on", "true", "enabled", "yes", "1"})
_OFF: Final = frozenset({"off", "false", "disabled", "no", "0"})
_LATENCIES: Final = ("latency_p99", "latency_p95", "latency_p90", "latency_mean", "latency_p50")


def operation_code(action_type: str, params: Params) -> float:
    """Return the code of the operation that an action names, 0 where its type has none.

    Args:
        action_type: One of ``ACTION_TYPES``.
        params: Plain parameters by name.
    """
    if action_type not in OPERATIONS:
        return 0.0
    name, default, codes = OPERATIONS[action_type]
    stated = params.get(name)
    return codes.get(default if stated is None else str(stated), 0.0)


def _number(params: Params, name: str) -> float | None:
    value = params.get(name)
    return None if value is None or isinstance(value, str) else float(value)


def _reading(current: Current, *meanings: str) -> float | None:
    return next((current[name] for name in meanings if name in current), None)


def _change(new: float | None, *references: float | None) -> float:
    """Return ``log(new / old)`` against the first reference that is known and positive, 0 where none is."""
    if new is None:
        return 0.0
    old = next((reference for reference in references if reference is not None and reference > 0.0), None)
    return 0.0 if old is None else log_change(new, old)


def _sign(change: float) -> float:
    return float(np.sign(change))


def _switch(value: Plain) -> float:
    if isinstance(value, str):
        word = value.strip().lower()
        return 1.0 if word in _ON else -1.0 if word in _OFF else 0.0
    return 0.0 if value is None else 1.0 if value else -1.0


def _ratio(value: float | None, default: float = 0.0) -> float:
    return min(1.0, max(0.0, default if value is None else value))


def _span(params: Params, name: str) -> float:
    return log_duration(_number(params, name) or 0.0)


def _deploy(params: Params, current: Current) -> Features:
    return {"version_step": 1.0, "fraction": _ratio(_number(params, "surge_ratio"))}


def _rollback(params: Params, current: Current) -> Features:
    return {"version_step": -1.0}


def _rollout_control(params: Params, current: Current) -> Features:
    step = {"promote": 1.0, "abort": -1.0}.get(str(params.get("op")), 0.0)
    return {"version_step": step, "log_amount": log_amount(_number(params, "step") or 0.0)}


def _restart(params: Params, current: Current) -> Features:
    return {"log_duration": _span(params, "grace_s")}


def _kill_instance(params: Params, current: Current) -> Features:
    count = _number(params, "count") or 1.0
    replicas = _reading(current, "replicas_ready", "replicas_desired")
    share = _ratio(count / replicas) if replicas else 0.0
    return {"fraction": share, "log_amount": log_amount(count), "direction": -1.0}


def _scale_horizontal(params: Params, current: Current) -> Features:
    wanted = _number(params, "to_replicas")
    change = _change(
        wanted,
        _reading(current, "replicas_ready"),
        _number(params, "from_replicas"),
        _number(params, "previous_to_replicas"),
        _reading(current, "replicas_desired"),
    )
    return {"log_change": change, "direction": _sign(change), "log_amount": log_amount(wanted or 0.0)}


def _scale_vertical(params: Params, current: Current) -> Features:
    cores, memory = _number(params, "cpu_cores"), _number(params, "memory_bytes")
    change = _change(cores, _reading(current, "cores_allocated"), _number(params, "previous_cpu_cores"))
    second = _change(memory, _reading(current, "memory_allocated"), _number(params, "previous_memory_bytes"))
    return {
        "log_change": change,
        "second_log_change": second,
        "direction": _sign(change) or _sign(second),
        "log_amount": log_amount(cores or 0.0),
    }


def _autoscaler_policy(params: Params, current: Current) -> Features:
    most, least = _number(params, "max_replicas"), _number(params, "min_replicas")
    replicas = _reading(current, "replicas_ready", "replicas_desired")
    change, second = _change(most, replicas), _change(least, replicas)
    return {
        "log_change": change,
        "second_log_change": second,
        "direction": 1.0 if second > 0.0 else -1.0 if change < 0.0 else 0.0,
        "fraction": _ratio(_number(params, "target_ratio")),
        "log_amount": log_amount(most or 0.0),
    }


def _traffic_shift(params: Params, current: Current) -> Features:
    """``target_weight_ratio`` is what stays on the target; moving all away is fraction 1."""
    away = 1.0 - _ratio(_number(params, "target_weight_ratio"), 1.0)
    return {"fraction": away, "direction": -1.0 if away > 0.0 else 1.0}


def _failover(params: Params, current: Current) -> Features:
    return {"fraction": 1.0, "direction": -1.0}


def _withdraw(params: Params, current: Current) -> Features:
    return {"direction": -1.0, "log_duration": _span(params, "grace_s")}


def _feature_flag(params: Params, current: Current) -> Features:
    return {"direction": _switch(params.get("to")), "fraction": _ratio(_number(params, "rollout_ratio"), 1.0)}


def _config_change(params: Params, current: Current) -> Features:
    """``sets`` is the canonical meaning that the descriptor gives the key; the key's own name is never looked at."""
    new, old, sets = params.get("new"), _number(params, "old"), str(params.get("sets", ""))
    if isinstance(new, bool | str) or new is None:
        return {"direction": _switch(new)}
    new = float(new)
    named = {"log_amount": log_amount(abs(new))}
    change = _change(new, _reading(current, sets), old)
    if sets == "checkpoint_interval":
        return named | {"second_log_change": change, "direction": _sign(change), "operation": 0.5}
    return named | {"log_change": change, "direction": _sign(change), "operation": 1.0 if sets else 0.0}


def _rate_limit(params: Params, current: Current) -> Features:
    limit = _number(params, "limit_rps")
    change = _change(limit, _reading(current, "request_rate"), _number(params, "previous_limit_rps"))
    second = _change(_number(params, "burst"), limit)
    named = {"log_change": change, "second_log_change": second, "log_amount": log_amount(limit or 0.0)}
    return named | {"direction": _sign(change)}


def _load_shed(params: Params, current: Current) -> Features:
    fraction = _ratio(_number(params, "fraction_ratio"))
    return {"fraction": fraction, "direction": -1.0 if fraction > 0.0 else 1.0}


def _circuit_break(params: Params, current: Current) -> Features:
    most = _number(params, "max_connections")
    change = _change(most, _reading(current, "in_flight", "pool_in_use"), _number(params, "previous_max_connections"))
    named = {"log_change": change, "log_duration": _span(params, "eject_s"), "log_amount": log_amount(most or 0.0)}
    return named | {"direction": -1.0}


def _timeout_retry(params: Params, current: Current) -> Features:
    """The timeout is set against the present tail latency, the retries against those now made per request."""
    retries, requests, made = (
        _number(params, "max_retries"),
        current.get("request_rate", 0.0),
        current.get("retry_rate"),
    )
    per_request = 1.0 + made / requests if made is not None and requests > 0.0 else None
    before = _number(params, "previous_max_retries")
    second = 0.0
    if retries is not None:
        second = _change(retries + 1.0, per_request, None if before is None else before + 1.0)
    return {
        "log_change": _change(
            _number(params, "timeout_s"), _reading(current, *_LATENCIES), _number(params, "previous_timeout_s")
        ),
        "second_log_change": second,
        "log_duration": _span(params, "backoff_s"),
        "direction": -1.0 if retries == 0.0 else _sign(second),
        "log_amount": log_amount(retries or 0.0),
    }


def _pool_resize(params: Params, current: Current) -> Features:
    size = _number(params, "size_connections")
    change = _change(
        size, _reading(current, "pool_size"), _number(params, "previous_size_connections"), current.get("pool_in_use")
    )
    return {"log_change": change, "direction": _sign(change), "log_amount": log_amount(size or 0.0)}


def _cache_op(params: Params, current: Current) -> Features:
    return {"direction": 1.0 if params.get("op") == "warm" else -1.0, "log_duration": _span(params, "ttl_s")}


def _queue_op(params: Params, current: Current) -> Features:
    return {"direction": 1.0 if params.get("op") == "replay" else -1.0}


def _fault_injection(params: Params, current: Current) -> Features:
    magnitude = abs(_number(params, "magnitude") or 0.0)
    return {"direction": 1.0, "log_amount": log_amount(magnitude), "log_duration": _span(params, "duration_s")}


ENCODERS: Final[dict[str, Encoder]] = {
    "deploy": _deploy,
    "rollback": _rollback,
    "rollout_control": _rollout_control,
    "restart": _restart,
    "kill_instance": _kill_instance,
    "scale_horizontal": _scale_horizontal,
    "scale_vertical": _scale_vertical,
    "autoscaler_policy": _autoscaler_policy,
    "traffic_shift": _traffic_shift,
    "failover": _failover,
    "cordon": _withdraw,
    "drain": _withdraw,
    "quarantine": _withdraw,
    "feature_flag": _feature_flag,
    "config_change": _config_change,
    "rate_limit": _rate_limit,
    "load_shed": _load_shed,
    "circuit_break": _circuit_break,
    "timeout_retry": _timeout_retry,
    "pool_resize": _pool_resize,
    "cache_op": _cache_op,
    "queue_op": _queue_op,
    "fault_injection": _fault_injection,
}
"""Encoder of each type whose parameters say more than its operation; the others have none."""
