"""A simulated system as the descriptor that everything else reads: nothing about it is told in any other way."""

from typing import Any, Final

from pydantic import TypeAdapter

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Goal, Level, Touch
from opswm.simulation.kernel.courses import FORMS, plain_parameters
from opswm.simulation.kernel.relations import relations_of
from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Affect, Capability
from opswm_schemas.descriptor import Channel, Entity, Objective, Relation, SystemDescriptor

_ADAPTER: Final[TypeAdapter[Parameters]] = TypeAdapter(Parameters)
_LOWEST: Final = {"count": 1, "to_replicas": 0, "size_connections": 1, "fraction_ratio": 0.0, "limit_rps": 0.0}

LATENCY_QUANTILES: Final = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
"""Signals that a histogram can be read for, and where."""


def descriptor_of(blueprint: Blueprint, system_id: str | None = None, tenant_id: str = "default") -> SystemDescriptor:
    """Return the descriptor of a simulated system. Faults and hidden state are no part of it.

    Args:
        blueprint: The system.
        system_id: Its id; the blueprint's name where left out.
        tenant_id: Whose it is.
    """
    return SystemDescriptor(
        tenant_id=tenant_id,
        system_id=system_id or blueprint.name,
        name=blueprint.name,
        description="A simulated system.",
        step_s=float(blueprint.step_s),
        entities=[
            Entity(
                entity_id=part.name,
                kind=part.kind,  # type: ignore[arg-type]
                name=part.name,
                zone=part.zone or None,
                attributes={"service.name": part.name} if part.kind in ("service", "worker", "load_balancer") else {},
            )
            for part in blueprint.parts
        ],
        relations=[
            Relation(
                source=edge.source,
                target=edge.target,
                kind=edge.kind,  # type: ignore[arg-type]
                synchronous=edge.synchronous,
                calls_per_request=edge.calls_per_request,
            )
            for edge in relations_of(blueprint)
        ],
        channels=[
            Channel(
                channel_id=channel_id(sensor.part, sensor.signal),
                entity_id=sensor.part,
                meaning=sensor.signal,
                unit=sensor.unit,
                instrument=sensor.instrument,
                quantile=LATENCY_QUANTILES[sensor.signal] if sensor.instrument == "histogram" else None,
                name=sensor.name,
            )
            for sensor in blueprint.sensors
        ],
        capabilities=[_capability(blueprint, ability) for ability in blueprint.abilities],
        objectives=[_objective(goal) for goal in blueprint.goals],
    )


def channel_id(part: str, signal: str) -> str:
    """Return the id of a channel; counters keep the name of the rate they become."""
    return f"{part}/{signal}"


def capability_id(ability: Ability) -> str:
    """Return the id of an ability; two of one type on one target differ in their feature or their touches."""
    feature = f"/{ability.feature}" if ability.feature else ""
    return f"{ability.type}/{ability.target}{feature}"


def typed_parameters(blueprint: Blueprint, ability: Ability, level: Level) -> Parameters:
    """Return an ability's parameters as the contracts type them.

    Args:
        blueprint: The system.
        ability: What is done.
        level: With which numbers.
    """
    plain: dict[str, Any] = dict(plain_parameters(blueprint, ability, level))
    if ability.type == "traffic_shift":
        kept = float(plain.pop("target_weight_ratio"))
        peer = blueprint.parts[blueprint.index(ability.target)].peer
        plain["weights"] = {ability.target: kept, peer: 1.0 - kept}
    plain.pop("sets", None)  # which is said in the capability's bounds
    return _ADAPTER.validate_python({"type": ability.type, **plain})


def _capability(blueprint: Blueprint, ability: Ability) -> Capability:
    return Capability(
        capability_id=capability_id(ability),
        type=ability.type,  # type: ignore[arg-type]
        targets=[ability.target],
        bounds=_bounds(blueprint, ability),
        affects=[_affect(touch) for touch in ability.affects],
        cost_bad_minutes=ability.cost,
        typical_delay_s=round(_execution_delay(blueprint, ability.type), 1),
        reversibility=ability.reversibility,
        reconciled_by=list(ability.reconciled_by),
    )


def _execution_delay(blueprint: Blueprint, action_type: str) -> float:
    execution = blueprint.executions.get(action_type)
    return 8.0 if execution is None else execution.delay_s


def _affect(touch: Touch) -> Affect:
    return Affect(entity_id=touch.entity or None, relation=touch.relation, resource=touch.resource, sign=touch.sign)


def _bounds(blueprint: Blueprint, ability: Ability) -> dict[str, Bound]:
    """Return what each parameter may be: the levels it has here, within limits that the system can carry out."""
    form, part = FORMS[ability.type], blueprint.parts[blueprint.index(ability.target)]
    every = [plain_parameters(blueprint, ability, level) for level in ability.levels]
    if ability.type == "traffic_shift":
        return {"weights": Bound(minimum=0.0, maximum=1.0, levels=[level.amount for level in ability.levels])}
    if ability.type == "timeout_retry":
        return {"max_retries": Bound(minimum=0, maximum=3, levels=[0]), "timeout_s": Bound(minimum=0.01, maximum=60.0)}
    if ability.type == "failover":
        return {name: Bound(choices=[str(every[0][name])]) for name in ("from", "to")}
    bounds: dict[str, Bound] = {}
    for name in dict.fromkeys(name for plain in every for name in plain):
        values = list(dict.fromkeys(plain[name] for plain in every if name in plain))
        if name == "priority":  # simulated systems know one kind of request, so shedding means all of them
            bounds[name] = Bound(choices=["low", "all"], levels=values)
        elif name == "sets":
            bounds["new"] = bounds["new"].model_copy(update={"sets": values[0]})
        elif name in ("key", form.option) or isinstance(values[0], str):
            bounds[name] = Bound(choices=values, levels=values)
        else:
            top = {"to_replicas": part.replicas_max, "fraction_ratio": 1.0}.get(name)
            bounds[name] = Bound(minimum=_LOWEST.get(name, 0.0), maximum=top, levels=values)
    return bounds


def _objective(goal: Goal) -> Objective:
    return Objective(
        objective_id=goal.name,
        entity_id=goal.entity,
        kind="deadline" if goal.deadline else "request",
        weight=goal.weight,
        latency_threshold_s=goal.threshold_s,
    )
