"""Bounds on action parameters: for typed ones by name, for custom ones by their JSON Schema (draft 2020-12)."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self, get_origin

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from opswm_schemas.actions.parameters import parameter_model, parameter_names
from opswm_schemas.base import Closed, Number
from opswm_schemas.kinds import MeaningName


class Bound(Closed):
    """The values one action parameter may take.

    Attributes:
        minimum, maximum: Inclusive limits of a number, in the unit that the parameter's name carries.
        choices: The allowed values where it is not a free number.
        levels: The magnitudes to consider when candidates are enumerated.
        sets: Canonical meaning of the reading that the parameter sets, such as ``task_slots`` for the new value of a
            configuration key: what the key is called says nothing to a model.
    """

    minimum: Number | None = None
    maximum: Number | None = None
    choices: list[str | float | bool] | None = Field(default=None, max_length=64)
    levels: list[str | float | bool] = Field(default_factory=list, max_length=16)
    sets: MeaningName | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        for level in self.levels:
            if not self.allows(level):
                raise ValueError(f"level {level!r} is outside the bound itself: {self.described()}")
        return self

    def allows(self, value: Any) -> bool:
        """Return whether ``value`` lies within the limits and choices; true and 1 are different values."""
        if self.choices is not None:
            is_truth = isinstance(value, bool)
            return any(choice == value and isinstance(choice, bool) == is_truth for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.minimum is None and self.maximum is None
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def described(self) -> str:
        """Return what is allowed in words."""
        if self.choices is not None:
            return f"one of {', '.join(map(repr, self.choices))}"
        lowest = "" if self.minimum is None else f"at least {self.minimum:g}"
        highest = "" if self.maximum is None else f"at most {self.maximum:g}"
        return " and ".join(filter(None, (lowest, highest))) or "anything"


def bound_problems(
    action_type: str, bounds: Mapping[str, Bound], custom_schema: Mapping[str, Any] | None = None
) -> list[str]:
    """Return a sentence for each bound whose parameter does not exist, or that lists what it cannot be.

    Args:
        action_type: The type whose parameters are bounded.
        bounds: By parameter name as written in JSON.
        custom_schema: The JSON Schema of a ``custom`` type, whose properties are its parameters.
    """
    if action_type == "custom":
        names = tuple((custom_schema or {}).get("properties", {}))
        return [_unknown(name, action_type, names) for name in bounds if names and name not in names]
    names = parameter_names(action_type)
    problems = [_unknown(name, action_type, names) for name in bounds if name not in names]
    for name, bound in bounds.items():
        if name in names:
            values = [*(bound.choices or []), *bound.levels]
            problems += [
                f"bounds of {name!r} list {value!r}, which that parameter cannot be"
                for value in values
                if not _fits(action_type, name, value)
            ]
    return problems


def schema_problems(schema: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each way in which ``schema`` is no JSON Schema of an object's properties."""
    from jsonschema import Draft202012Validator  # loaded only where a system has custom actions

    errors = Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema)
    problems = [f"custom_schema{_place(error.absolute_path)}: {error.message:.300}" for error in errors]
    if schema.get("type", "object") != "object":
        problems.append(f"custom_schema has type {schema['type']!r}, parameters are an object")
    return problems


def value_problems(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each way in which custom parameters break their JSON Schema.

    References to other documents are never fetched; one that the schema itself does not hold is a problem.
    """
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = Draft202012Validator(schema, registry=Registry())
    try:
        errors = list(validator.iter_errors(values))
    except Unresolvable as problem:
        return [f"custom_schema refers to {problem.ref!r:.200}, which is not inside it: write it there"]
    return sorted(f"values{_place(error.absolute_path)}: {error.message:.300}" for error in errors)


@cache
def _adapter(action_type: str, name: str) -> TypeAdapter[Any] | None:
    fields = parameter_model(action_type).model_fields
    field = next(field for key, field in fields.items() if (field.alias or key) == name)
    if get_origin(field.annotation) is dict:  # a bound on shares per route holds for each share
        return None
    constrained: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(constrained)  # without the field itself: an alias such as "from" means nothing outside a model


def _fits(action_type: str, name: str, value: Any) -> bool:
    adapter = _adapter(action_type, name)
    if adapter is None:
        return True
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def _unknown(name: str, action_type: str, names: tuple[str, ...]) -> str:
    return f"bounds name {name!r}, which {action_type!r} does not have; it has {', '.join(names)}"


def _place(path: Any) -> str:
    return "".join(f".{part}" for part in path)
