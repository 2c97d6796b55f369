"""The system embodiment descriptor: what a system is, what it shows and what can be done to it.

A model reads nothing about a system but this document, so it carries every local name, unit, relation and
capability, and a model that has never seen the system can still make sense of it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.base import (
    Closed,
    Identifier,
    NonNegative,
    NotText,
    Number,
    PositiveSeconds,
    Ratio,
    ShortText,
    StepSeconds,
    Truth,
    UtcDatetime,
    Versioned,
)
from opswm_schemas.bounds import Bound as Bound
from opswm_schemas.capability import Affect as Affect
from opswm_schemas.capability import Capability as Capability
from opswm_schemas.capability import Condition as Condition
from opswm_schemas.kinds import ActionType as ActionType
from opswm_schemas.kinds import EntityKind as EntityKind
from opswm_schemas.kinds import Instrument as Instrument
from opswm_schemas.kinds import MeaningName as MeaningName
from opswm_schemas.kinds import RelationKind as RelationKind
from opswm_schemas.kinds import Resource as Resource
from opswm_schemas.kinds import Reversibility as Reversibility
from opswm_schemas.units import check_convertible
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS


class Entity(Closed):
    """A logical part of the system: a service, database, queue, host... Replicas are its members.

    Attributes:
        attributes: OpenTelemetry resource attributes such as ``service.name`` or ``k8s.deployment.name``.
        zone: The zone it runs in, where that is one.
    """

    entity_id: Identifier
    kind: EntityKind
    name: ShortText = ""
    zone: Identifier | None = None
    attributes: dict[str, ShortText] = Field(default_factory=dict, max_length=64)


class Relation(Closed):
    """A typed, directed relation; load flows from ``source`` to ``target``, backpressure the other way.

    Attributes:
        synchronous: Whether the source waits for the target.
        calls_per_request: How often the target is used for one request at the source, where known.
        valid_from, valid_until: When it held in the system (open ends mean always).
        known_at: When it was learned; a replay before that moment does not see it.
    """

    source: Identifier
    target: Identifier
    kind: RelationKind
    synchronous: Truth = True
    calls_per_request: NonNegative | None = None
    valid_from: UtcDatetime | None = None
    valid_until: UtcDatetime | None = None
    known_at: UtcDatetime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from is not None and self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until.isoformat()} is before valid_from")
        return self


class Channel(Closed):
    """One measured series of one entity.

    Attributes:
        meaning: Canonical meaning (``opswm_schemas.vocabulary.MEANINGS``); ``other`` where nobody knows.
        unit: The unit the source uses, in UCUM (https://ucum.org, version 2.2); must convert to the
            meaning's canonical unit.
        instrument: A counter becomes a rate and a histogram a quantile on the way to ticks.
        quantile: Which quantile a histogram is read at, for instance 0.99.
        mapping: Whether a person confirmed the meaning, with the confidence of a guess.
        query: How a reader finds it, for instance a PromQL expression.
    """

    channel_id: Identifier
    entity_id: Identifier
    meaning: MeaningName
    unit: Annotated[str, Field(max_length=64)]
    instrument: Instrument = "gauge"
    quantile: Annotated[float, Field(gt=0.0, lt=1.0), NotText] | None = None
    step_s: StepSeconds | None = None
    mapping: Literal["confirmed", "guessed"] = "confirmed"
    mapping_confidence: Ratio = 1.0
    name: ShortText = ""
    query: ShortText = ""

    @model_validator(mode="after")
    def _unit_fits_meaning(self) -> Self:
        if (self.instrument == "histogram") != (self.quantile is not None):
            raise ValueError(f"channel {self.channel_id!r}: 'quantile' goes with instrument 'histogram', only there")
        if self.meaning != "other":
            canonical = MEANINGS[MEANING_INDEX[self.meaning]].unit
            check_convertible(self.unit, canonical, per_second=self.instrument == "counter")
        return self


class Objective(Closed):
    """A service level objective, after OpenSLO v1 (``spec.indicator``, ``objectives[].target``).

    Attributes:
        kind: ``request``: an attempt is bad once when it errors, is refused, times out or is slower than
            ``latency_threshold_s``. ``gauge``: a tick is bad while ``channel_id`` is beyond ``threshold``
            (for systems that publish no requests). ``deadline``: items past their deadline.
        target_ratio: The good share promised, for instance 0.999.
        window_s: The time window of the error budget, seconds.
        weight: Its share in the SLO cost; the weights of a descriptor sum to 1.
        threshold: For ``gauge``, in the canonical unit of the channel's meaning.
    """

    objective_id: Identifier
    entity_id: Identifier
    kind: Literal["request", "gauge", "deadline"] = "request"
    target_ratio: Annotated[float, Field(gt=0.0, lt=1.0), NotText] = 0.99
    window_s: PositiveSeconds = 2_592_000.0
    weight: Ratio = 1.0
    latency_threshold_s: PositiveSeconds | None = None
    channel_id: Identifier | None = None
    threshold: Number | None = None
    bad_when: Literal["above", "below"] = "above"

    @model_validator(mode="after")
    def _gauge_names_its_channel(self) -> Self:
        if self.kind == "gauge" and (self.channel_id is None or self.threshold is None):
            raise ValueError(f"objective {self.objective_id!r}: kind 'gauge' needs 'channel_id' and 'threshold'")
        return self


class SystemDescriptor(Versioned):
    """One system, whole: entities, relations, channels, capabilities, objectives.

    Attributes:
        revision: Counts up with every change; decisions store it.
        step_s: Length of a tick, seconds; at most a day.

    Raises:
        pydantic.ValidationError: On duplicate ids, references to entities or channels that do not exist,
            units that do not fit, or objective weights that do not sum to 1.
    """

    tenant_id: Identifier = "default"
    system_id: Identifier
    revision: Annotated[int, Field(ge=1), NotText] = 1
    name: ShortText = ""
    description: ShortText = ""
    step_s: StepSeconds = 5.0
    entities: list[Entity] = Field(min_length=1, max_length=10_000)
    relations: list[Relation] = Field(default_factory=list, max_length=100_000)
    channels: list[Channel] = Field(default_factory=list, max_length=200_000)
    capabilities: list[Capability] = Field(default_factory=list, max_length=5_000)
    objectives: list[Objective] = Field(default_factory=list, max_length=64)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        problems = list(_reference_problems(self))
        if problems:
            shown = "; ".join(problems[:10])
            more = f" (and {len(problems) - 10} more)" if len(problems) > 10 else ""
            raise ValueError(shown + more)
        return self

    def entity_index(self) -> dict[str, int]:
        """Return the position of each entity id in ``entities``."""
        return {entity.entity_id: index for index, entity in enumerate(self.entities)}

    def capability(self, capability_id: str) -> Capability:
        """Return one capability.

        Raises:
            KeyError: When the descriptor has no such capability.
        """
        for capability in self.capabilities:
            if capability.capability_id == capability_id:
                return capability
        raise KeyError(capability_id)


def _reference_problems(descriptor: SystemDescriptor) -> list[str]:
    problems: list[str] = []
    entities = {entity.entity_id for entity in descriptor.entities}
    channels = {channel.channel_id for channel in descriptor.channels}
    for what, ids in (
        ("entity_id", [entity.entity_id for entity in descriptor.entities]),
        ("channel_id", [channel.channel_id for channel in descriptor.channels]),
        ("capability_id", [capability.capability_id for capability in descriptor.capabilities]),
        ("objective_id", [objective.objective_id for objective in descriptor.objectives]),
    ):
        seen: set[str] = set()
        for identifier in ids:
            if identifier in seen:
                problems.append(f"{what} {identifier!r} is used twice")
            seen.add(identifier)

    def need(identifier: str | None, where: str, known: set[str] = entities, what: str = "entity") -> None:
        if identifier is not None and identifier not in known:
            problems.append(f"{where} names {what} {identifier!r}, which the descriptor does not list")

    for relation in descriptor.relations:
        need(relation.source, "a relation")
        need(relation.target, "a relation")
    for channel in descriptor.channels:
        need(channel.entity_id, f"channel {channel.channel_id!r}")
    for capability in descriptor.capabilities:
        where = f"capability {capability.capability_id!r}"
        for target in capability.targets:
            need(target, where)
        for affect in capability.affects:
            need(affect.entity_id, f"{where} 'affects'")
            for end in affect.relation or ():
                need(end, f"{where} 'affects'")
        for condition in [*capability.preconditions, *capability.forbid_if]:
            need(condition.entity_id, f"{where} condition")
    for objective in descriptor.objectives:
        need(objective.entity_id, f"objective {objective.objective_id!r}")
        need(objective.channel_id, f"objective {objective.objective_id!r}", channels, "channel")
    total = sum(objective.weight for objective in descriptor.objectives)
    if descriptor.objectives and abs(total - 1.0) > 1e-6:
        problems.append(f"objective weights sum to {total:g}, they must sum to 1")
    return problems
