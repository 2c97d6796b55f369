"""Requested actions as tapes of the kernel, and as the plain parameters that the rest of the project speaks.

One table says how the parameters of each type map to the tape's ``amount``, ``second`` and ``option``; both directions,
and both the simulator's own candidates and those of a planner, go through it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.forcings import ActionTape, empty_tape
from opswm.simulation.kernel.incidents import Request
from opswm_schemas.vocabulary import ACTION_INDEX


@dataclass(frozen=True)
class Form:
    """Where the parameters of a type go: names of the numbers and of the operation, with its choices in order."""

    amount: str = ""
    second: str = ""
    third: str = ""
    option: str = ""
    choices: tuple[str, ...] = ()


FORMS: Final[Mapping[str, Form]] = {
    "deploy": Form(amount="surge_ratio", option="strategy", choices=("rolling", "canary", "blue_green", "recreate")),
    "rollback": Form(),
    "rollout_control": Form(option="op", choices=("pause", "promote", "abort")),
    "restart": Form(second="grace_s", option="scope", choices=("rolling", "all", "one")),
    "kill_instance": Form(amount="count"),
    "scale_horizontal": Form(amount="to_replicas"),
    "scale_vertical": Form(amount="cpu_cores"),
    "autoscaler_policy": Form(amount="min_replicas", second="max_replicas", third="target_ratio"),
    "traffic_shift": Form(amount="target_weight_ratio"),
    "failover": Form(),
    "cordon": Form(),
    "drain": Form(second="grace_s"),
    "quarantine": Form(option="mode", choices=("network", "maintenance", "label")),
    "config_change": Form(amount="new", option="key", choices=("worker_threads", "queue_capacity")),
    "feature_flag": Form(option="to", choices=("False", "True")),
    "rate_limit": Form(amount="limit_rps", second="burst"),
    "load_shed": Form(amount="fraction_ratio"),
    "circuit_break": Form(amount="eject_s"),
    "timeout_retry": Form(amount="timeout_s", second="max_retries"),
    "pool_resize": Form(amount="size_connections"),
    "cache_op": Form(option="op", choices=("flush", "warm", "invalidate")),
    "queue_op": Form(option="op", choices=("pause", "purge", "replay")),
    "db_op": Form(option="op", choices=("kill_query", "vacuum", "create_index", "failback")),
}
"""Types that a simulated system carries out, with the names of their parameters."""

_WHOLE: Final = frozenset({"to_replicas", "count", "size_connections", "max_retries", "min_replicas", "max_replicas"})
_SETS: Final = {"worker_threads": ("slots", "task_slots"), "queue_capacity": ("queue_limit", "")}
"""Of each configuration key: the field of a part that it sets, and the meaning of the reading, where one shows it."""
_LEFT_ALONE: Final = frozenset({"timeout_retry", "circuit_break", "autoscaler_policy"})


def plain_parameters(blueprint: Blueprint, ability: Ability, level: Level) -> dict[str, float | int | str | bool]:
    """Return an action's parameters under their own names, as ``opswm.action_features`` reads them.

    Args:
        blueprint: The system.
        ability: What is done.
        level: With which numbers.
    """
    form = FORMS[ability.type]
    plain: dict[str, float | int | str | bool] = {}
    for name, value in ((form.amount, level.amount), (form.second, level.second), (form.third, level.third)):
        if name and value >= 0.0:
            plain[name] = int(value) if name in _WHOLE else float(value)
    if form.option:
        choice = form.choices[level.option]
        plain[form.option] = choice == "True" if form.choices == ("False", "True") else choice
    if ability.type == "timeout_retry" and level.amount <= 0.0:
        plain.pop("timeout_s", None)
    if ability.type == "feature_flag":
        plain["key"] = ability.feature
    if ability.type == "failover":
        plain |= {"from": ability.target, "to": blueprint.parts[blueprint.index(ability.target)].peer or "standby"}
    if ability.type == "load_shed":
        plain["priority"] = "all"
    if ability.type == "deploy":
        plain["version"] = "next"
    if ability.type == "cordon":
        plain["node"] = ability.target
    if ability.type == "queue_op":
        plain["queue"] = ability.target
    if ability.type == "config_change":
        field, sets = _SETS[str(plain["key"])]
        plain["old"] = float(getattr(blueprint.parts[blueprint.index(ability.target)], field))
        if sets:
            plain["sets"] = sets
    return plain


def level_of(action_type: str, plain: Mapping[str, Any]) -> Level:
    """Return what a simulated system does with plain parameters.

    Raises:
        ValueError: When it does not know the type or the operation.
    """
    if action_type not in FORMS:
        raise ValueError(f"a simulated system cannot carry out {action_type!r}; it can: {', '.join(FORMS)}")
    form = FORMS[action_type]
    option = 0
    if form.option:
        chosen = str(plain.get(form.option, form.choices[0]))
        if chosen not in form.choices:
            raise ValueError(
                f"{action_type}: {form.option} is {chosen!r}; a simulated system knows {', '.join(form.choices)}"
            )
        option = form.choices.index(chosen)

    def number(name: str, missing: float) -> float:
        value = plain.get(name) if name else None
        return missing if value is None else float(value)

    missing = -1.0 if action_type in _LEFT_ALONE else 0.0
    return Level(number(form.amount, missing), number(form.second, -1.0), option, number(form.third, -1.0))


def tape_of(blueprints: Sequence[Blueprint], courses: Sequence[Sequence[Request]], room: int = 1) -> ActionTape:
    """Return the tape of one course per world; shorter courses leave slots empty.

    Args:
        blueprints: The system of each world.
        courses: What is requested in each.
        room: At least so many slots.
    """
    slots = max(room, *(len(course) for course in courses)) if courses else room
    tape = empty_tape(len(courses), slots)
    for row, (blueprint, course) in enumerate(zip(blueprints, courses, strict=True)):
        for slot, request in enumerate(course):
            ability, level = request.ability, request.level
            tape.there[row, slot] = True
            tape.type[row, slot] = ACTION_INDEX[ability.type]
            tape.target[row, slot] = blueprint.index(ability.target)
            tape.edge[row, slot] = _edge(blueprint, ability)
            tape.amount[row, slot] = level.amount
            tape.second[row, slot] = level.second
            tape.option[row, slot] = level.option
            tape.third[row, slot] = level.third
            tape.requested_s[row, slot] = request.requested_s
    return tape


def _edge(blueprint: Blueprint, ability: Ability) -> int:
    if not ability.feature or ability.type != "feature_flag":
        return -1
    for position, link in enumerate(blueprint.links):
        if link.feature == ability.feature and link.source == ability.target:
            return position
    raise ValueError(f"{blueprint.name!r}: {ability.target!r} has no call behind the flag {ability.feature!r}")
