"""The tensors that cross modules, with their legend.

``B`` batch, ``S`` scenario (candidate course), ``K`` sampled future, ``T`` context tick, ``H`` horizon tick,
``N`` entity, ``E`` relation, ``C`` channel slot, ``A`` action feature, ``D`` latent, ``Q`` quantile,
``M`` ensemble member, ``P`` action slot of a course or a log, ``O`` objective, ``R`` resource an action affects.

Masks are ``Bool``, true = there or seen. NaN never enters. Slots have no fixed order or sense of their own:
``meaning`` says what slot ``c`` of entity ``n`` is, by its index in ``opswm_schemas.vocabulary.MEANINGS``.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class _Moves:
    """Shared by the tensor records: device moves and selection along the batch axis."""

    def to(self, device: torch.device | str) -> "_Moves":
        """Return a copy on ``device``."""
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def take(self, rows: Tensor) -> "_Moves":
        """Return the batch rows named by an index tensor."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class Structure(_Moves):
    """What the descriptor says about each system of a batch.

    Attributes:
        entity: Which entity slots are filled.
        kind: Index into ``ENTITY_KINDS``.
        meaning: Index into ``MEANINGS`` of each channel slot.
        channel: Which channel slots are filled.
        relation: Source and target entity of each relation (load flows source to target).
        relation_kind: Index into ``RELATION_KINDS``.
        relation_there: Which relation slots are filled (and held at the decision, as known then).
        objective_entity: Entity that each objective is about.
        objective_there: Which objective slots are filled.
        objective_weight: Weights, summing to 1 over filled slots.
        objective_threshold: Feature of the threshold (latency or gauge), 0 where there is none.
        objective_meaning: Meaning the threshold is about (``latency_p99`` for request objectives with a
            latency threshold, ``error_ratio`` without; the channel's own for gauges).
        step_s: Length of a tick, seconds.
    """

    entity: Bool[Tensor, "B N"]
    kind: Int[Tensor, "B N"]
    meaning: Int[Tensor, "B N C"]
    channel: Bool[Tensor, "B N C"]
    relation: Int[Tensor, "B E 2"]
    relation_kind: Int[Tensor, "B E"]
    relation_there: Bool[Tensor, "B E"]
    objective_entity: Int[Tensor, "B O"]
    objective_there: Bool[Tensor, "B O"]
    objective_weight: Float[Tensor, "B O"]
    objective_threshold: Float[Tensor, "B O"]
    objective_meaning: Int[Tensor, "B O"]
    step_s: Float[Tensor, "B"]


@dataclass(frozen=True)
class ActionSlots(_Moves):
    """Typed actions aimed at entities: those requested by a course, or those seen in a history.

    A leading ``S`` axis is present for courses and absent (size 1) for histories.

    Attributes:
        there: Which slots are filled.
        type: Index into ``ACTION_TYPES``.
        target: Entities aimed at.
        features: ``ACTION_FEATURES`` of the parameters, relative to the state the action meets.
        affects: Stated signs per touched entity and resource, in {-1, 0, +1}.
        tick: Requested tick relative to the decision: >= 0 in courses, < 0 in histories.
        finished: For histories, whether success was known at the decision; false in courses.
        automatic: Whether an autoscaler or another controller acted rather than a person.
    """

    there: Bool[Tensor, "B S P"]
    type: Int[Tensor, "B S P"]
    target: Bool[Tensor, "B S P N"]
    features: Float[Tensor, "B S P A"]
    affects: Float[Tensor, "B S P N R"]
    tick: Float[Tensor, "B S P"]
    finished: Bool[Tensor, "B S P"]
    automatic: Bool[Tensor, "B S P"]


@dataclass(frozen=True)
class History(_Moves):
    """All that may be known at the decision, oldest tick first; the last context tick ends at the decision.

    Attributes:
        value: Features (``opswm.canonical.to_feature``) of each channel slot, 0 where unseen.
        seen: Which readings are there.
    """

    value: Float[Tensor, "B T N C"]
    seen: Bool[Tensor, "B T N C"]


@dataclass(frozen=True)
class Situation:
    """A batch of decision points: the systems, what was seen, and what was done before."""

    structure: Structure
    history: History
    past: ActionSlots

    def to(self, device: torch.device | str) -> "Situation":
        """Return a copy on ``device``."""
        return Situation(self.structure.to(device), self.history.to(device), self.past.to(device))  # type: ignore[arg-type]

    def take(self, rows: Tensor) -> "Situation":
        """Return the batch rows named by an index tensor."""
        return Situation(self.structure.take(rows), self.history.take(rows), self.past.take(rows))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Futures(_Moves):
    """One future per course, sampled jointly: sample ``k`` uses the same noise in every course.

    Attributes:
        quantiles: Levels, increasing.
        channel: Quantiles of each channel slot's feature per horizon tick, not decreasing along ``Q``.
        bad: Sampled bad share of first attempts per objective and tick, in [0, 1].
        effect: Sampled paired difference of SLO cost to the no-op course (scenario 0), in units of
            mean bad share over the horizon (multiply by H * step_s / 60 for bad minutes); negative helps.
        support: How near the question is to what was learned from, 0 to 1.
    """

    quantiles: Float[Tensor, "Q"]
    channel: Float[Tensor, "B S H N C Q"]
    bad: Float[Tensor, "B S K H O"]
    effect: Float[Tensor, "B S K"]
    support: Float[Tensor, "B S"]


@dataclass(frozen=True)
class Batch:
    """Training data: decision points, their branched courses and what happened in each.

    Scenario 0 is always no_op. Arms that were not run (logged data has one) are masked out.

    Attributes:
        bad: Mean bad share of first attempts per objective and horizon tick.
        effect: True or estimated mean effect on the mean bad share over the horizon against scenario 0.
        effect_error: Standard error of ``effect``.
        arm: Which arms have an outcome.
        channel: Feature of each channel slot in the realised future of one exogenous draw.
        channel_seen: Which of those are there.
    """

    situation: Situation
    courses: ActionSlots
    arm: Bool[Tensor, "B S"]
    bad: Float[Tensor, "B S H O"]
    effect: Float[Tensor, "B S"]
    effect_error: Float[Tensor, "B S"]
    channel: Float[Tensor, "B S H N C"]
    channel_seen: Bool[Tensor, "B S H N C"]
