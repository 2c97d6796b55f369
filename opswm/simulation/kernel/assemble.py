"""Blueprints become a batch of worlds: names become positions, and differing sizes are padded."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Execution, Goal, Inlet, Link, Part
from opswm.simulation.kernel.checks import check_blueprint, check_faults
from opswm.simulation.kernel.faults import FAULT_INDEX, Shape
from opswm.simulation.kernel.parameters import (
    Edges,
    Entities,
    Entries,
    Faults,
    Objectives,
    Operations,
    WorldParameters,
)
from opswm_schemas.vocabulary import ACTION_TYPES, ENTITY_KINDS

T = TypeVar("T")
Item = TypeVar("Item")


def assemble(blueprints: Sequence[Blueprint], num_faults: int = 1, checked: bool = False) -> WorldParameters:
    """Return the worlds that the blueprints describe, one per row.

    Args:
        blueprints: Any number of systems with the same telemetry step.
        num_faults: Room for at least so many faults.
        checked: Whether they were assembled before and need not be checked again.

    Raises:
        ValueError: When there is none, steps differ or are not whole seconds, or a blueprint makes no sense (see
            ``checks.check_blueprint``).
    """
    if not blueprints:
        raise ValueError("give at least one blueprint")
    steps = {blueprint.step_s for blueprint in blueprints}
    if len(steps) > 1 or min(steps) < 1:
        raise ValueError(f"telemetry steps are {sorted(steps)} s; a batch has one step of whole seconds, 1 or more")
    for blueprint in () if checked else blueprints:
        check_blueprint(blueprint)
    return WorldParameters(
        step_s=blueprints[0].step_s,
        entities=_stack(Entities, [_table(b, b.parts, _part) for b in blueprints], Part("", "unknown")),
        edges=_stack(Edges, [_table(b, b.links, _link) for b in blueprints], Link("", "")),
        entries=_stack(Entries, [_table(b, b.inlets, _inlet) for b in blueprints], _NO_INLET),
        objectives=_stack(Objectives, [_table(b, b.goals, _goal) for b in blueprints], Goal("", "", "", 1.0, 0.0)),
        faults=_faults(blueprints, num_faults),
        operations=_stack(Operations, [_table(b, list(ACTION_TYPES), _operation) for b in blueprints], Execution()),
    )


def assemble_faults(blueprints: Sequence[Blueprint], num_faults: int = 1) -> Faults:
    """Return the faults alone of systems that are fine otherwise.

    Args:
        blueprints: The systems, assembled before without these faults.
        num_faults: Room for at least so many.

    Raises:
        ValueError: When a fault makes no sense (see ``checks.check_faults``).
    """
    for blueprint in blueprints:
        check_faults(blueprint)
    return _faults(blueprints, num_faults)


def _faults(blueprints: Sequence[Blueprint], room: int) -> Faults:
    return _stack(Faults, [_table(b, struck_by(b), _breakage) for b in blueprints], Breakage("none", ""), room)


def struck_by(blueprint: Blueprint) -> tuple[Breakage, ...]:
    """Return the faults of a system, those of a zone as one for each part in it."""
    zones = {part.name for part in blueprint.parts if part.kind == "zone"}
    return tuple(
        struck
        for breakage in blueprint.breakages
        for struck in (
            [replace(breakage, target=name, origin="") for name in blueprint.members(breakage.target)]
            if breakage.target in zones
            else [breakage]
        )
    )


def room_for_faults(blueprints: Sequence[Blueprint], most: int) -> int:
    """Return how many faults must fit when each system meets up to ``most``, some of which may strike a whole zone."""
    zones = [
        len(blueprint.members(part.name)) for blueprint in blueprints for part in blueprint.parts if part.kind == "zone"
    ]
    entries = max(len(blueprint.inlets) for blueprint in blueprints)
    return most + 2 * max(zones, default=0) + max(0, entries - 2)


def _table(
    blueprint: Blueprint, items: Sequence[Item], row: Callable[[Blueprint, Item], dict[str, Any]]
) -> list[dict[str, Any]]:
    return [{"there": 1.0, **row(blueprint, item)} for item in items]


def _part(blueprint: Blueprint, part: Part) -> dict[str, Any]:
    here = blueprint.index(part.name)
    return {
        **vars(part),
        "kind": ENTITY_KINDS.index(part.kind),
        "pooled": float(part.pool_size > 0),
        "host": blueprint.index(part.host) if part.host else here,
        "peer": blueprint.index(part.peer) if part.peer else -1,
        "consumer": blueprint.index(part.consumer) if part.consumer else -1,
    }


def _link(blueprint: Blueprint, link: Link) -> dict[str, Any]:
    row = {**vars(link), "source": blueprint.index(link.source), "target": blueprint.index(link.target)}
    if not link.synchronous:
        row |= {"timeout_s": _PATIENCE_S, "retries": 0.0, "breaker_ratio": 2.0}
    return row


def _inlet(blueprint: Blueprint, inlet: Inlet) -> dict[str, Any]:
    profile = inlet.profile or _NO_INLET.profile
    row = {**vars(inlet), "entity": blueprint.index(inlet.entity)}
    return row | {"profile": profile, "profile_points": float(len(profile))}


def _goal(blueprint: Blueprint, goal: Goal) -> dict[str, Any]:
    entries = [inlet.entity for inlet in blueprint.inlets]
    if goal.inlet not in entries:
        raise ValueError(
            f"{blueprint.name!r}: objective {goal.name!r} counts demand of {goal.inlet!r}, which is no entry"
        )
    return {**vars(goal), "entity": blueprint.index(goal.entity), "entry": entries.index(goal.inlet)}


def _breakage(blueprint: Blueprint, breakage: Breakage) -> dict[str, Any]:
    target = blueprint.index(breakage.target)
    return {
        **vars(breakage),
        "kind": FAULT_INDEX[breakage.kind],
        "shape": int(Shape[breakage.shape]),
        "target": target,
        "origin": blueprint.index(breakage.origin) if breakage.origin else target,
    }


def _operation(blueprint: Blueprint, action_type: str) -> dict[str, Any]:
    return dict(vars(blueprint.executions.get(action_type, Execution())))


def _stack(record: type[T], tables: Sequence[Sequence[dict[str, Any]]], blank: Any, room: int = 1) -> T:
    """Return one record of tensors, short tables padded with a blank that is not there."""
    longest = max(room, *(len(table) for table in tables))
    columns: dict[str, Tensor] = {}
    for field in fields(record):  # type: ignore[arg-type]
        whole = field.name in _WHOLE
        padding = _PADDING.get(field.name, getattr(blank, field.name, 0.0))
        rows = [[row[field.name] for row in table] + [padding] * (longest - len(table)) for table in tables]
        if field.name == "profile":
            points = max(len(item) for row in rows for item in row)
            rows = [[[*item, *[1.0] * (points - len(item))] for item in row] for row in rows]
        tensor = torch.tensor(rows, dtype=torch.int64 if whole else torch.float32)
        columns[field.name] = tensor > 0 if record is Entities and field.name == "there" else tensor
    return record(**columns)


_NO_INLET = Inlet("", 0.0, profile=(1.0,))
_PATIENCE_S = 1e4  # who sends a message does not wait for it
_WHOLE = frozenset({"kind", "host", "peer", "consumer", "source", "target", "entity", "entry", "origin", "shape"})
_PADDING: dict[str, float] = {
    "there": 0.0, "kind": 0, "host": 0, "peer": -1, "consumer": -1, "source": 0, "target": 0, "entity": 0, "entry": 0,
    "origin": 0, "shape": 0, "pooled": 0.0, "profile_points": 1.0,
}  # fmt: skip
