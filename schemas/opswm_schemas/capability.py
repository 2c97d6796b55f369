"""What operators can do to a system: typed capabilities with their bounds, conditions and costs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.actions.parameters import Custom, Parameters
from opswm_schemas.base import Closed, CostMinutes, Identifier, JsonObject, NotText, Number, Seconds, ShortText
from opswm_schemas.bounds import Bound, bound_problems, schema_problems, value_problems
from opswm_schemas.kinds import ActionType, MeaningName, Resource, Reversibility


class Affect(Closed):
    """What a capability is said to change: a resource of its target or of a named entity or relation.

    Attributes:
        entity_id: The entity it touches; the action's own target where left out.
        relation: ``[source, target]`` of the relation it touches, instead of an entity.
        sign: +1 raises the resource, -1 lowers it, 0 where the direction depends.
    """

    entity_id: Identifier | None = None
    relation: tuple[Identifier, Identifier] | None = None
    resource: Resource
    sign: Literal[-1, 0, 1]

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if self.entity_id is not None and self.relation is not None:
            raise ValueError(
                "'affects' names either 'entity_id' or 'relation' (or neither: the target itself), not both"
            )
        return self


class Condition(Closed):
    """A test on the present telemetry, for preconditions and guardrails.

    Attributes:
        entity_id: The entity looked at; the action's own target where left out.
        threshold: In the canonical unit of ``meaning``.
    """

    entity_id: Identifier | None = None
    meaning: MeaningName
    comparison: Literal["above", "below"]
    threshold: Number
    reason: ShortText = ""


class Capability(Closed):
    """Something an operator can do to this system, and what is known about doing it.

    Attributes:
        targets: The entities it may be aimed at.
        bounds: Allowed values by parameter name; names carry their units (``grace_s``).
        affects: Which resources it moves; the only mechanism a model sees of an unfamiliar action.
        preconditions: All must hold for it to be a candidate.
        forbid_if: Guardrails: any that holds rules it out, whatever the model says.
        cooldown_s: Shortest time between two uses on the same target, seconds.
        cost_bad_minutes: What doing it costs in itself, on the SLO cost scale (bad minutes).
        typical_delay_s: Usual time from request to effect, seconds, where known.
        reconciled_by: What would undo it by itself (``hpa``, ``argo_self_heal``...).
        custom_schema: JSON Schema of the parameters of a ``custom`` type.
    """

    capability_id: Identifier
    type: ActionType
    targets: list[Identifier] = Field(min_length=1, max_length=5_000)
    bounds: dict[str, Bound] = Field(default_factory=dict, max_length=32)
    affects: list[Affect] = Field(default_factory=list, max_length=64)
    preconditions: list[Condition] = Field(default_factory=list, max_length=16)
    forbid_if: list[Condition] = Field(default_factory=list, max_length=16)
    cooldown_s: Seconds = 0.0
    cost_bad_minutes: CostMinutes = 0.0
    typical_delay_s: Seconds | None = None
    reversibility: Reversibility = "reversible"
    reconciled_by: list[ShortText] = Field(default_factory=list, max_length=8)
    approvals_needed: Annotated[int, Field(ge=0, le=10), NotText] = 0
    approver_team: ShortText = ""
    executor: Identifier | None = None
    custom_schema: JsonObject | None = None

    @model_validator(mode="after")
    def _custom_needs_schema(self) -> Self:
        if (self.type == "custom") != (self.custom_schema is not None):
            raise ValueError(f"capability {self.capability_id!r}: 'custom_schema' goes with type 'custom', only there")
        if self.type == "fault_injection":
            raise ValueError(f"capability {self.capability_id!r}: faults are recorded for training, never offered")
        return self

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> Self:
        problems = schema_problems(self.custom_schema) if self.custom_schema is not None else []
        problems += bound_problems(self.type, self.bounds, self.custom_schema)
        if problems:
            raise ValueError(f"capability {self.capability_id!r}: {'; '.join(problems)}")
        return self


def validate_parameters(capability: Capability, params: Parameters) -> list[str]:
    """Return a sentence for each way in which parameters break a capability; an empty list when they fit.

    Args:
        capability: What is used: its type, the bounds it puts on parameters, and for ``custom`` its JSON Schema.
        params: What is asked for; parameters that were left out are not held against the bounds.
    """
    if params.type != capability.type:
        offered = f"capability {capability.capability_id!r} of type {capability.type!r}"
        return [f"parameters of type {params.type!r} do not fit {offered}"]
    values = params.values if isinstance(params, Custom) else params.model_dump(by_alias=True, exclude={"type"})
    problems: list[str] = []
    if isinstance(params, Custom) and capability.custom_schema is not None:
        problems += value_problems(capability.custom_schema, params.values)
    for name, bound in capability.bounds.items():
        given = values.get(name)
        parts = given if isinstance(given, dict) else {"": given}
        for part, value in parts.items():
            if value is not None and not bound.allows(value):
                where = f"{name}.{part}" if part else name
                problems.append(f"{where} is {value!r:.80}, allowed is {bound.described()}")
    return problems
