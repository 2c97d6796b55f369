"""Typed action parameters as the plain numbers that ``opswm.action_features`` reads."""

from collections.abc import Mapping
from typing import Any

from opswm.action_encodings import Plain
from opswm_schemas.actions.parameters import ConfigChange, Failover, FeatureFlag, Parameters, TrafficShift
from opswm_schemas.capability import Capability


def plain_parameters(
    params: Parameters,
    target: str,
    previous: Mapping[str, Any] | None = None,
    capability: Capability | None = None,
) -> dict[str, Plain]:
    """Return an action's parameters by name, without nesting.

    A traffic shift becomes ``target_weight_ratio``: what stays on its target. A target that is itself a
    route keeps its own weight. A target that is none is the router; what leaves it for any one route is
    then what the largest weight leaves over.

    Args:
        params: Of any type.
        target: Entity id that the action is aimed at.
        previous: Logged earlier parameters, kept as ``previous_<name>``.
        capability: That the action uses; it says what a configuration key sets.
    """
    if isinstance(params, TrafficShift):
        kept = params.weights.get(target, 1.0 - max(params.weights.values()))
        plain: dict[str, Plain] = {"target_weight_ratio": kept}
    elif isinstance(params, FeatureFlag | Failover):
        plain = _scalars(params.model_dump(by_alias=True))
    else:
        plain = _scalars(params.model_dump())
    plain.pop("type", None)
    if isinstance(params, ConfigChange) and (sets := _meaning_set(params, capability)) is not None:
        plain["sets"] = sets
    return plain | {f"previous_{name}": value for name, value in _scalars(previous or {}).items()}


def _meaning_set(params: ConfigChange, capability: Capability | None) -> str | None:
    """Return the canonical meaning that a configuration key sets, where the capability is about that key."""
    bounds = {} if capability is None else capability.bounds
    about_key = "key" not in bounds or bounds["key"].allows(params.key)
    return bounds["new"].sets if about_key and "new" in bounds else None


def _scalars(values: Mapping[str, Any]) -> dict[str, Plain]:
    return {name: value for name, value in values.items() if isinstance(value, bool | int | float | str)}
