"""An action as the ledger keeps it: facts appended one by one, folded again when somebody reads.

A submitted record splits into its head (all that is no dated fact) and its transitions and approvals. Each is
kept once. Reading "as of" a moment takes the facts known by then, and the newest head that was complete by
then; where none was, the earliest head without what only the outcome can have told.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from opswm.store.ledger_tables import to_microseconds
from opswm.store.redaction import redact_transition
from opswm_schemas.actions.record import Action, Approval, Transition
from opswm_schemas.actions.redaction import redact_action

_OUTCOME: Final = ("progress_ratio", "realised", "estimated_effect", "inverse_action_id")
"""Fields of a head that carry no date of their own, and that only what came later can have told."""

_ASKED: Final = (
    "type", "target", "resolved_targets", "params", "previous_params", "actor", "source", "reversibility",
    "incident_id",
)  # fmt: skip
"""Fields of an action asked of opswm that stay as they were asked for and approved, whatever is observed later."""

_GRANTED_HERE: Final = ("approved", "scheduled")
"""Statuses of an action asked of opswm that only opswm can give it."""

FactKind = Literal["record", "transition", "approval"]


@dataclass(frozen=True)
class ActionFact:
    """One row about an action.

    Attributes:
        kind: ``record`` (the head), ``transition`` or ``approval``.
        known_at_us: When it was known, microseconds since 1970; for a head, when the last of the facts it
            came with was known.
        document: Its JSON.
        sequence: Its number within the system; 0 while it is not stored.
        asked: Whether it was asked of opswm, as against observed.
        approvals_needed: Of a record that was asked for, how many others have to approve.
    """

    kind: FactKind
    known_at_us: int
    document: str
    sequence: int = 0
    asked: bool = False
    approvals_needed: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the document: the same fact delivered twice is one fact; one asked for is not one observed."""
        return hashlib.sha256((("asked:" if self.asked else "") + self.document).encode()).hexdigest()

    @property
    def is_request(self) -> bool:
        """Whether it is the record by which an action was asked for."""
        return self.asked and self.kind == "record"


def facts_of(action: Action) -> list[ActionFact]:
    """Split a record into its facts, the head last.

    Args:
        action: A record; secrets and personal data are taken out.
    """
    action, _ = redact_action(action)
    facts = [transition_fact(transition) for transition in action.transitions]
    facts += [approval_fact(word) for word in action.approvals]
    known_at_us = max((fact.known_at_us for fact in facts), default=0)
    if action.realised is not None:
        known_at_us = max(known_at_us, to_microseconds(action.realised.known_at))
    head = action.model_copy(update={"transitions": [], "approvals": []})
    return [*facts, ActionFact("record", known_at_us, _canonical(head))]


def transition_fact(transition: Transition) -> ActionFact:
    """Return one transition as a fact; secrets are taken out."""
    transition = redact_transition(transition)
    return ActionFact("transition", to_microseconds(transition.known_at), _canonical(transition))


def approval_fact(word: Approval) -> ActionFact:
    """Return one responder's word as a fact."""
    return ActionFact("approval", to_microseconds(word.known_at), _canonical(word))


def asked(facts: Sequence[ActionFact], approvals_needed: int | None = None) -> list[ActionFact]:
    """Return facts marked as asked of opswm.

    Args:
        facts: Not stored yet.
        approvals_needed: Of the record among them.
    """
    needed = {"record": approvals_needed}
    return [replace(fact, asked=True, approvals_needed=needed.get(fact.kind)) for fact in facts]


def fold(facts: Iterable[ActionFact], as_of: datetime | None = None) -> Action | None:
    """Put an action together from its facts; the result does not depend on the order they are given in.

    An action that was asked of opswm keeps what was asked for, and is approved and scheduled only here: what was
    observed to that effect stays in the ledger and does not count.

    Args:
        facts: All stored facts of one action.
        as_of: Only what was known at this moment; everything where left out.

    Returns:
        The record with transitions and approvals in the order they became known, or None when no head is
        stored or, with ``as_of``, no dated fact was known yet.
    """
    ordered = sorted(facts, key=lambda fact: (fact.known_at_us, fact.sequence, fact.document))
    horizon = to_microseconds(as_of) if as_of is not None else None
    known = [fact for fact in ordered if horizon is None or fact.known_at_us <= horizon]
    heads = [fact for fact in ordered if fact.kind == "record"]
    request = next((fact for fact in known if fact.is_request), None)
    dated = [fact for fact in known if fact.kind != "record" and (request is None or _counts(fact))]
    if not heads or (horizon is not None and not dated):
        return None
    complete = [fact for fact in heads if fact in known]
    document: dict[str, Any] = json.loads((complete or heads[:1])[-1].document)
    if not complete:
        document |= dict.fromkeys(_OUTCOME)
    if request is not None:
        document |= {name: json.loads(request.document)[name] for name in _ASKED}
    document["schema_version"] = max((json.loads(fact.document)["schema_version"] for fact in heads), key=_version)
    document["transitions"] = [json.loads(fact.document) for fact in dated if fact.kind == "transition"]
    document["approvals"] = [json.loads(fact.document) for fact in dated if fact.kind == "approval"]
    return Action.model_validate(document)


def _counts(fact: ActionFact) -> bool:
    """Return whether a dated fact about an action that was asked for says something only opswm can say, or any can."""
    if fact.asked:
        return True
    return fact.kind == "transition" and json.loads(fact.document)["status"] not in _GRANTED_HERE


def _version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _canonical(document: Action | Approval | Transition) -> str:
    return json.dumps(document.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
