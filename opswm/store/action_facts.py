"""An action as the ledger keeps it: facts appended one by one, folded again when somebody reads.

A submitted record splits into its head (all that is no dated fact) and its transitions and approvals. Each is
kept once. Reading "as of" a moment takes the facts known by then, and the newest head that was complete by
then; where none was, the earliest head without what only the outcome can have told.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from opswm.store.ledger_tables import to_microseconds
from opswm.store.redaction import redact_transition
from opswm_schemas.actions.record import Action, Approval, Transition
from opswm_schemas.actions.redaction import redact_action

_OUTCOME: Final = ("progress_ratio", "realised", "estimated_effect", "inverse_action_id")
"""Fields of a head that carry no date of their own, and that only what came later can have told."""

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
    """

    kind: FactKind
    known_at_us: int
    document: str
    sequence: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the document: the same fact delivered twice is one fact."""
        return hashlib.sha256(self.document.encode()).hexdigest()


def facts_of(action: Action) -> list[ActionFact]:
    """Split a record into its facts, the head last.

    Args:
        action: A record; secrets and personal data are taken out.
    """
    action, _ = redact_action(action)
    facts = [transition_fact(transition) for transition in action.transitions]
    facts += [ActionFact("approval", to_microseconds(word.known_at), _canonical(word)) for word in action.approvals]
    known_at_us = max((fact.known_at_us for fact in facts), default=0)
    if action.realised is not None:
        known_at_us = max(known_at_us, to_microseconds(action.realised.known_at))
    head = action.model_copy(update={"transitions": [], "approvals": []})
    return [*facts, ActionFact("record", known_at_us, _canonical(head))]


def transition_fact(transition: Transition) -> ActionFact:
    """Return one transition as a fact; secrets are taken out."""
    transition = redact_transition(transition)
    return ActionFact("transition", to_microseconds(transition.known_at), _canonical(transition))


def fold(facts: Iterable[ActionFact], as_of: datetime | None = None) -> Action | None:
    """Put an action together from its facts; the result does not depend on the order they are given in.

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
    dated = [fact for fact in known if fact.kind != "record"]
    if not heads or (horizon is not None and not dated):
        return None
    complete = [fact for fact in heads if fact in known]
    document: dict[str, Any] = json.loads((complete or heads[:1])[-1].document)
    if not complete:
        document |= dict.fromkeys(_OUTCOME)
    document["schema_version"] = max((json.loads(fact.document)["schema_version"] for fact in heads), key=_version)
    document["transitions"] = [json.loads(fact.document) for fact in dated if fact.kind == "transition"]
    document["approvals"] = [json.loads(fact.document) for fact in dated if fact.kind == "approval"]
    return Action.model_validate(document)


def _version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _canonical(document: Action | Approval | Transition) -> str:
    return json.dumps(document.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
