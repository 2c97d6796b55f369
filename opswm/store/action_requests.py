"""What is asked of opswm about an action: proposals, the words of approvers, and further steps of the lifecycle.

Approval is derived: an action is approved once as many different people as its capability needs, none of them the
one who asked, have said so here. What is only observed (``/actions``) never counts as an approval.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from opswm.errors import BadInputError, NotFoundError
from opswm.store.action_facts import ActionFact, approval_fact, asked, facts_of, fold, transition_fact
from opswm.store.action_rows import add_facts, read_facts, require_known, require_new
from opswm.store.system_rows import lock_system
from opswm_schemas.actions.lifecycle import LifecycleError, require_allowed
from opswm_schemas.actions.record import Action, Approval, Transition
from opswm_schemas.ports import SystemKey


def propose(connection: Connection, action: Action, approvals_needed: int) -> Action:
    """Add an action that somebody asks opswm for: one that is new and only ``proposed``.

    Args:
        connection: In a transaction that may write.
        action: What is asked for; its actor is the one who asks.
        approvals_needed: Of how many others; at least one always has to approve.

    Raises:
        BadInputError: When the action is known already, or carries other facts than one proposal.
        NotFoundError: When the system is not registered.
    """
    if [fact.status for fact in action.transitions] != ["proposed"] or action.approvals:
        raise BadInputError(
            f"a request for action {action.action_id!r} starts with one transition 'proposed' and no approvals; "
            "observed actions are recorded, not requested"
        )
    facts = asked(facts_of(action), max(1, approvals_needed))
    system = SystemKey(action.tenant_id, action.system_id)
    return add_facts(connection, system, action.action_id, facts, require_new)


def respond(connection: Connection, system: SystemKey, action_id: str, word: Approval, note: str = "") -> Action:
    """Add one person's approval or rejection; the action's status follows from all of them.

    Args:
        connection: In a transaction that may write, so that of several approvals at once none is lost.
        system: Whose action.
        action_id: Which action.
        word: ``approved`` or ``rejected``; the same person's approval a second time changes nothing.
        note: In the responder's words; kept with the status that follows.

    Raises:
        LifecycleError: When the action was not asked for here, waits for no approval, or the responder asked for it.
        NotFoundError: When the system or the action is not known.
        BadInputError: When the word is neither.
    """
    if word.decision not in ("approved", "rejected"):
        raise BadInputError(f"decision {word.decision!r} settles nothing; give 'approved' or 'rejected'")
    action, request = _requested(connection, system, action_id)
    require_allowed(action.status, word.decision)
    facts = [approval_fact(word)]
    if word.decision == "approved":
        if _person(word.responder) == _person(action.actor.id):
            raise LifecycleError(
                f"{word.responder!r} asked for action {action_id!r} and cannot approve it; another person has to"
            )
        approvers = {_person(given.responder) for given in action.approvals if given.decision == "approved"}
        if _person(word.responder) in approvers:
            return action
        if len(approvers) + 1 >= (request.approvals_needed or 1):
            count = f"{len(approvers) + 1} of {request.approvals_needed} approvals"
            facts.append(_step("approved", word, f"{count}; {note}" if note else count))
    else:
        facts.append(_step("rejected", word, note))
    return add_facts(connection, system, action_id, asked(facts), require_known)


def step(connection: Connection, system: SystemKey, action_id: str, fact: Transition) -> Action:
    """Take an action that was asked for here to another status.

    Raises:
        LifecycleError: When the lifecycle does not allow it from the present status, or it was not asked for here.
        NotFoundError: When the system or the action is not known.
        BadInputError: When the status is one that follows from what approvers say.
    """
    if fact.status in ("approved", "rejected"):
        raise BadInputError(f"status {fact.status!r} follows from what approvers say; give their words instead")
    action, _ = _requested(connection, system, action_id)
    require_allowed(action.status, fact.status)
    return add_facts(connection, system, action_id, asked([transition_fact(fact)]), require_known)


def approvals_needed(facts: Sequence[ActionFact]) -> int | None:
    """Return how many approvals an action waits for, None where it was not asked for here."""
    return next((fact.approvals_needed for fact in facts if fact.is_request), None)


def _requested(connection: Connection, system: SystemKey, action_id: str) -> tuple[Action, ActionFact]:
    lock_system(connection, system)
    facts = read_facts(connection, system, action_id)
    action = fold(facts)
    if action is None:
        raise NotFoundError(f"action {action_id!r} is not known; request it first")
    request = next((fact for fact in facts if fact.is_request), None)
    if request is None:
        raise LifecycleError(
            f"action {action_id!r} was observed, not requested through opswm; whoever runs it approves and ends it"
        )
    return action, request


def _step(status: str, word: Approval, note: str) -> ActionFact:
    source = f"opswm:{word.responder}"
    told = {"event_at": word.event_at, "known_at": word.known_at, "source": source, "note": note[:2_000]}
    return transition_fact(Transition.model_validate({"status": status, **told}))


def _person(name: str) -> str:
    return name.strip().casefold()
