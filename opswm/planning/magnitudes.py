"""Which parameters to consider for a capability on a target: stated levels first, else sizes that fit the state.

A bound's ``levels`` are taken as they are, its ``choices`` next. Where a descriptor gives neither, a type has a few
magnitudes relative to what is measured now; each must lie within the bound. A parameter that nobody can guess (the
version to deploy, a configuration key) makes the capability impossible to enumerate, which is said, not hidden.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from opswm_schemas.actions.parameters import Parameters, TrafficShift
from opswm_schemas.capability import Capability
from opswm_schemas.descriptor import SystemDescriptor

MAX_SETTINGS: Final = 6
"""Most parameter settings considered of one capability on one target."""

_EACH_ALONE: Final = frozenset({"timeout_retry", "scale_vertical", "autoscaler_policy", "circuit_break"})
"""Types whose parameters are separate settings, any of which may be left as it is."""

_ADAPTER: Final[TypeAdapter[Parameters]] = TypeAdapter(Parameters)
_State = Mapping[str, float]
_Options = dict[str, Sequence[Any]]


def settings_for(
    descriptor: SystemDescriptor, capability: Capability, target: str, state: _State
) -> tuple[list[Parameters], str]:
    """Return parameter settings worth considering, and why there are none where there are none.

    Args:
        descriptor: The system.
        capability: What can be done.
        target: One of its targets.
        state: Latest canonical readings at the target, by meaning.
    """
    if capability.type == "traffic_shift":
        return _traffic_shifts(descriptor, capability, target)
    options = {**_guessed(descriptor, capability, target, state), **_stated(capability)}
    for name, values in options.items():
        bound = capability.bounds.get(name)
        options[name] = [value for value in values if bound is None or bound.allows(value)]
        if not options[name]:
            return [], f"no value of {name!r} fits its bound in the present state"
    settings: list[Parameters] = []
    problem = ""
    for given in itertools.islice(_combinations(capability.type, options), MAX_SETTINGS):
        named = {"values": given} if capability.type == "custom" else given
        try:
            params = _ADAPTER.validate_python({"type": capability.type, **named})
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}; give 'levels' in its bounds"
            continue
        if params not in settings and not _changes_nothing(params, state):
            settings.append(params)
    return settings, "" if settings else problem or "every setting is the present one"


def _combinations(action_type: str, options: _Options) -> Iterator[dict[str, Any]]:
    """Every combination of values; where each parameter may be left as it is, single changes come first."""
    free = action_type in _EACH_ALONE
    values = [[*listed, None] if free else listed for listed in options.values()]
    whole = [dict(zip(options, chosen, strict=True)) for chosen in itertools.product(*values)]
    given = [{name: value for name, value in one.items() if value is not None} for one in whole]
    yield from sorted((one for one in given if one or not options), key=len) if free else given


def _stated(capability: Capability) -> _Options:
    """Levels, else choices; whole numbers as such, since counts refuse 3.0 where a bound can only say floats."""
    return {
        name: [_whole(value) for value in (bound.levels or bound.choices or [])]
        for name, bound in capability.bounds.items()
        if bound.levels or bound.choices
    }


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _guessed(descriptor: SystemDescriptor, capability: Capability, target: str, state: _State) -> _Options:
    """Magnitudes relative to the present, clipped into their bounds."""
    guess = _GUESSES.get(capability.type)
    options: _Options = guess(state) if guess else {}
    if capability.type == "failover":
        peers = equivalents(descriptor, capability, target)
        options = {"from": [target], "to": peers} if peers else {}
    for name, values in options.items():
        bound = capability.bounds.get(name)
        if bound is not None:
            numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
            if len(numbers) == len(values):
                low = -math.inf if bound.minimum is None else bound.minimum
                high = math.inf if bound.maximum is None else bound.maximum
                options[name] = [_whole(min(high, max(low, number))) for number in numbers]
    return options


def equivalents(descriptor: SystemDescriptor, capability: Capability, target: str) -> list[str]:
    """Return the entities that can take over from a target, in the descriptor's order.

    Those it is related to by ``replicates``, and those the capability says get more demand.

    Args:
        descriptor: The system.
        capability: A traffic shift or failover.
        target: Entity id.
    """
    found = {affect.entity_id for affect in capability.affects if affect.resource == "demand" and affect.sign > 0}
    for relation in descriptor.relations:
        if relation.kind == "replicates" and target in (relation.source, relation.target):
            found.add(relation.target if relation.source == target else relation.source)
    return [entity.entity_id for entity in descriptor.entities if entity.entity_id in found - {target}]


def _traffic_shifts(descriptor: SystemDescriptor, capability: Capability, target: str) -> tuple[list[Parameters], str]:
    """The levels of ``weights`` are the share left on the target; the rest goes to its equivalents evenly."""
    peers = equivalents(descriptor, capability, target)
    if not peers:
        return [], "no entity is known to take its traffic (a 'replicates' relation, or 'affects' demand +1 elsewhere)"
    bound = capability.bounds.get("weights")
    levels = bound.levels if bound is not None and bound.levels else [0.2, 0.0]
    kept = [float(level) for level in levels if isinstance(level, int | float)]
    shifts: list[Parameters] = [
        TrafficShift(weights={target: share, **{peer: (1.0 - share) / len(peers) for peer in peers}}) for share in kept
    ]
    return shifts, ""


def _changes_nothing(params: Parameters, state: _State) -> bool:
    if params.type == "scale_horizontal":
        ready, desired = state.get("replicas_ready"), state.get("replicas_desired")
        return params.to_replicas == ready and desired in (None, ready)
    return params.type == "pool_resize" and params.size_connections == state.get("pool_size")


def _replicas(state: _State) -> _Options:
    present = round(state.get("replicas_desired", state.get("replicas_ready", 0.0)))
    if present < 1:
        return {}
    wanted = {present + max(1, math.ceil(present / 2)), 2 * present, present - 1}
    return {"to_replicas": sorted(count for count in wanted if count >= 1)}


def _multiples(name: str, meaning: str, *factors: float) -> Callable[[_State], _Options]:
    """Multiples of a present reading; nothing where it is not measured."""

    def guess(state: _State) -> _Options:
        present = state.get(meaning, 0.0)
        return {name: [float(f"{present * factor:.3g}") for factor in factors]} if present > 0.0 else {}

    return guess


def _pool(state: _State) -> _Options:
    present = round(state.get("pool_size", 0.0))
    return {"size_connections": [math.ceil(present * 1.5), present * 2]} if present > 0 else {}


_GUESSES: Final[dict[str, Callable[[_State], _Options]]] = {
    "restart": lambda state: {"scope": ["rolling"]},
    "kill_instance": lambda state: {"count": [1]},
    "rollout_control": lambda state: {"op": ["abort", "pause", "promote"]},
    "scale_horizontal": _replicas,
    "scale_vertical": _multiples("cpu_cores", "cores_allocated", 1.5, 2.0),
    "rate_limit": _multiples("limit_rps", "request_rate", 0.8, 0.5),
    "load_shed": lambda state: {"fraction_ratio": [0.2, 0.5]},
    "circuit_break": lambda state: {"eject_s": [30]},
    "timeout_retry": lambda state: {"max_retries": [0]},
    "pool_resize": _pool,
    "cache_op": lambda state: {"op": ["warm", "flush"]},
    "queue_op": lambda state: {"op": ["pause"]},
    "quarantine": lambda state: {"mode": ["maintenance"]},
    "feature_flag": lambda state: {"to": [False]},
}
"""Magnitudes by type where the descriptor states none; destructive operations are considered only if it names them."""
