"""The action record: a stream of facts about one operator action, and the fold that gives its state.

Facts come late, twice and out of order (webhooks do), so observed transitions are appended and never
refused; contradictions are flagged. Only requests to opswm that break the lifecycle are refused.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.actions.lifecycle import ActionStatus, contradictions, derive_status
from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.base import (
    Closed,
    Fact,
    Identifier,
    JsonObject,
    NonNegative,
    NotText,
    Number,
    PositiveSeconds,
    Ratio,
    ShortText,
    UtcDatetime,
    Versioned,
)
from opswm_schemas.kinds import ActionType, Reversibility


class Target(Closed):
    """What an action is aimed at: one entity, or a selector over entity attributes."""

    entity_id: Identifier | None = None
    selector: dict[str, ShortText] | None = Field(default=None, max_length=16)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.entity_id is None) == (self.selector is None):
            raise ValueError("a target names either 'entity_id' or 'selector', one of them")
        return self


class Transition(Fact):
    """One observed or requested change of an action's status."""

    status: ActionStatus
    source: ShortText = ""
    note: ShortText = ""


class Approval(Fact):
    """A responder's word on a proposal, after CDEvents 0.6 (``decision`` apart from ``status``)."""

    decision: Literal["escalated", "delegate", "deferred", "requestChanges", "approved", "rejected"]
    status: Literal["approved", "rejected", "cancelled", "expired"] | None = None
    responder: Identifier


class Realised(Closed):
    """What was measured after the action. A realised outcome is not an effect."""

    slo_cost_bad_minutes: NonNegative
    window_s: PositiveSeconds
    known_at: UtcDatetime


class EstimatedEffect(Closed):
    """What the action is claimed to have changed against doing nothing, in bad minutes."""

    value_bad_minutes: Number
    interval_bad_minutes: tuple[Number, Number]
    method: ShortText
    model_id: ShortText


class Actor(Closed):
    """Who acted; autoscalers answer load, so training on them unlabelled is confounded."""

    kind: Literal["human", "bot", "autoscaler", "fault_injector"]
    id: Identifier


class Source(Closed):
    """Where the record came from and how far it is trusted."""

    system: ShortText
    event_id: ShortText | None = None
    raw_ref: ShortText | None = None
    trust: Literal["low", "normal", "high"] = "normal"


class Evidence(Closed):
    """A pointer that supports the record."""

    kind: ShortText
    ref: ShortText


class Action(Versioned):
    """One typed operator action.

    Attributes:
        params: Typed by the ``type`` tag inside; must equal ``type``.
        transitions: Facts in the order they became known; ``status`` is derived from them.
        propensity: Probability with which the policy chose this action; meaningless without
            ``policy_id`` and ``candidates_considered``, so it needs both.
        confidence: That this is what happened (an inferred action has less than 1).
    """

    action_id: Identifier
    tenant_id: Identifier = "default"
    system_id: Identifier
    type: ActionType
    target: Target
    resolved_targets: list[Identifier] = Field(default_factory=list, max_length=5_000)
    params: Parameters
    previous_params: JsonObject | None = None
    transitions: list[Transition] = Field(default_factory=list, max_length=1_000)
    approvals: list[Approval] = Field(default_factory=list, max_length=100)
    progress_ratio: Ratio | None = None
    realised: Realised | None = None
    estimated_effect: EstimatedEffect | None = None
    actor: Actor
    source: Source
    policy_id: Identifier | None = None
    candidates_considered: list[Identifier] = Field(default_factory=list, max_length=1_000)
    propensity: Annotated[float, Field(gt=0.0, le=1.0), NotText] | None = None
    confidence: Ratio = 1.0
    reversibility: Reversibility = "reversible"
    inverse_action_id: Identifier | None = None
    incident_id: Identifier | None = None
    evidence: list[Evidence] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.params.type != self.type:
            raise ValueError(f"type {self.type!r} does not match params of type {self.params.type!r}")
        if self.propensity is not None and not (self.policy_id and self.candidates_considered):
            raise ValueError(
                "'propensity' means nothing without 'policy_id' and 'candidates_considered': give all three"
            )
        return self

    @property
    def targets(self) -> list[str]:
        """Entity ids it acted on: the resolved ones, else the named one."""
        if self.resolved_targets:
            return list(self.resolved_targets)
        return [self.target.entity_id] if self.target.entity_id else []

    @property
    def status(self) -> ActionStatus:
        """The status derived from all transitions."""
        return derive_status(self.transitions)

    def status_as_of(self, moment: datetime) -> ActionStatus:
        """Return the status as it was known at ``moment``."""
        return derive_status([fact for fact in self.transitions if fact.known_by(moment)])

    def contradictions(self) -> list[str]:
        """Return a sentence for each pair of facts that cannot both be right."""
        return contradictions(self.transitions)

    def first_at(self, status: ActionStatus, as_of: datetime | None = None) -> datetime | None:
        """Return when a status was first reached, as known at ``as_of`` (everything known if left out)."""
        moments = [
            fact.event_at
            for fact in self.transitions
            if fact.status == status and (as_of is None or fact.known_by(as_of))
        ]
        return min(moments, default=None)

    def with_facts(self, *facts: Transition) -> Self:
        """Return the record with further transitions appended; repeated facts are kept once."""
        kept = list(self.transitions)
        kept.extend(fact for fact in facts if fact not in kept)
        return self.model_copy(update={"transitions": kept})
