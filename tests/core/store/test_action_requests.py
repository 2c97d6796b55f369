"""Requests for actions: their lifecycle, and who has to agree."""

from typing import Literal

import pytest

from opswm.errors import BadInputError, NotFoundError
from opswm.store.ledger import SqlLedger
from opswm_schemas.actions.lifecycle import LifecycleError
from opswm_schemas.actions.record import Actor, Approval
from tests.core.store.shop import SHOP, after, moved, scaling


def actor(name: str) -> Actor:
    """Return a person."""
    return Actor(kind="human", id=name)


def word(responder: str, second: float, decision: Literal["approved", "rejected"] = "approved") -> Approval:
    """Return what somebody says about a request."""
    return Approval.observed(after(second), decision=decision, responder=responder)


def test_requests_keep_to_the_lifecycle(ledger: SqlLedger) -> None:
    """A request begins proposed and new, and goes only where the lifecycle allows; a refusal changes nothing."""
    assert ledger.request_action(scaling("a1", moved("proposed", 1))).status == "proposed"
    with pytest.raises(BadInputError, match="known already"):
        ledger.request_action(scaling("a1", moved("proposed", 2)))
    with pytest.raises(BadInputError, match="starts with one transition 'proposed'"):
        ledger.request_action(scaling("a2", moved("started", 2)))
    with pytest.raises(LifecycleError, match="'proposed' cannot become 'succeeded'"):
        ledger.request_transition(SHOP, "a1", moved("succeeded", 3))
    with pytest.raises(BadInputError, match="follows from what approvers say"):
        ledger.request_transition(SHOP, "a1", moved("approved", 3))
    assert ledger.action(SHOP, "a1").status == "proposed"
    assert ledger.respond(SHOP, "a1", word("bo", 4)).status == "approved"
    assert ledger.request_transition(SHOP, "a1", moved("scheduled", 5)).status == "scheduled"
    with pytest.raises(NotFoundError, match="'a9'"):
        ledger.respond(SHOP, "a9", word("bo", 4))


def test_as_many_others_approve_as_are_needed(ledger: SqlLedger) -> None:
    """Approvals are kept one by one; the same person counts once, the one who asked never, however it is spelt."""
    ledger.request_action(scaling("a1", moved("proposed", 1)), approvals_needed=3)
    assert ledger.approvals_needed(SHOP, "a1") == 3
    told = [ledger.respond(SHOP, "a1", word(name, second)) for second, name in enumerate(["bo", "cy", "BO", "Cy"], 2)]
    assert [action.status for action in told] == ["proposed"] * 4
    with pytest.raises(LifecycleError, match="'ANA' asked for action 'a1' and cannot approve it"):
        ledger.respond(SHOP, "a1", word("ANA", 8))
    with pytest.raises(LifecycleError, match="'proposed' cannot become 'scheduled'"):
        ledger.request_transition(SHOP, "a1", moved("scheduled", 8))
    done = ledger.respond(SHOP, "a1", word("di", 9))
    assert (done.status, [given.responder for given in done.approvals]) == ("approved", ["bo", "cy", "di"])
    assert ledger.actions(SHOP, after(8))[0].status == "proposed"


def test_a_rejection_ends_a_request(ledger: SqlLedger) -> None:
    """One person's rejection is enough, and no approval follows it."""
    ledger.request_action(scaling("a1", moved("proposed", 1)), approvals_needed=2)
    ledger.respond(SHOP, "a1", word("bo", 2))
    assert ledger.respond(SHOP, "a1", word("cy", 3, "rejected"), "too risky").transitions[-1].note == "too risky"
    with pytest.raises(LifecycleError, match="'rejected' cannot become 'approved'"):
        ledger.respond(SHOP, "a1", word("di", 4))


def test_what_is_observed_neither_approves_nor_changes_a_request(ledger: SqlLedger) -> None:
    """Observed approvals, schedulings, requesters and parameters of a request are stored and do not count."""
    ledger.request_action(scaling("a1", moved("proposed", 1)), approvals_needed=2)
    forged = scaling("a1", moved("approved", 2), moved("scheduled", 3), to_replicas=99)
    forged = forged.model_copy(update={"approvals": [word("bo", 2), word("cy", 2)], "actor": actor("eve")})
    ledger.record_action(forged)
    stored = ledger.record_transition(SHOP, "a1", moved("approved", 4))
    assert (stored.status, stored.approvals, stored.actor.id) == ("proposed", [], "ana")
    assert stored.params.model_dump()["to_replicas"] == 5
    assert ledger.respond(SHOP, "a1", word("bo", 5)).status == "proposed"
    assert ledger.record_transition(SHOP, "a1", moved("started", 6)).status == "started"


def test_observed_actions_cannot_be_approved_here(ledger: SqlLedger) -> None:
    """What was only observed is approved and ended by whoever runs it."""
    ledger.record_action(scaling("a1", moved("proposed", 1)))
    with pytest.raises(LifecycleError, match="was observed, not requested"):
        ledger.respond(SHOP, "a1", word("bo", 2))
    with pytest.raises(LifecycleError, match="was observed, not requested"):
        ledger.request_transition(SHOP, "a1", moved("cancelled", 2))
