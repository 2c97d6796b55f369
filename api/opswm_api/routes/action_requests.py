"""``/v1/systems/{system_id}/action-requests``: what is asked of opswm, which must obey the lifecycle of actions.

Observed facts (``/actions``) are never refused for breaking it; a request is, with 409.
"""

import uuid
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Response
from pydantic import Field

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentKey, CurrentServices
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, described
from opswm_api.routes.actions import ActionView, view
from opswm_api.services import Services
from opswm_schemas.actions.record import Action, Actor, Approval, Source, Target, Transition
from opswm_schemas.base import Closed, Identifier, ShortText
from opswm_schemas.ports import SystemKey
from opswm_schemas.questions import CandidateAction, Course

router = APIRouter(prefix="/systems/{system_id}/action-requests", tags=["action requests"], route_class=BoundedRoute)

ActionId = Annotated[Identifier, Path(description="The action that was requested.")]
RequestedStatus = Literal["approved", "rejected", "expired", "cancelled", "scheduled"]


class ActionRequest(Closed):
    """Asks that an action be done; it becomes ``proposed`` and waits for as many approvals as its capability needs.

    Attributes:
        action: What is asked for; must be within a capability of the system. ``delay_ticks`` is of no
            consequence here: whoever executes the action schedules it.
        requested_by: The person or program that asks, who cannot approve it.
        decision_id: The ranking it follows.
        reason: In words.
    """

    action: CandidateAction
    requested_by: Identifier
    requested_by_kind: Literal["human", "bot"] = "human"
    decision_id: Identifier | None = None
    incident_id: Identifier | None = None
    reason: ShortText = ""


class TransitionRequest(Closed):
    """Asks that a proposed action get another status.

    Attributes:
        status: What it should become; what an executor does to it is observed and belongs to ``/actions``.
        by: The person or program that decides.
    """

    status: RequestedStatus
    by: Identifier
    note: Annotated[ShortText, Field(default="")]


@router.post("", status_code=201, responses=described(404, 413, 415, 422, 503))
def request_action(asked: ActionRequest, key: CurrentKey, services: CurrentServices, response: Response) -> ActionView:
    """Propose an action; refused when no capability of the system allows it."""
    checked = services.advisor.check(key.system_id, Course(course_id="request", actions=[asked.action]))
    if checked.blocked_by:
        errors = [ProblemItem(pointer="#/action", detail=reason) for reason in checked.blocked_by]
        raise ProblemError(422, "the action is ruled out by a guardrail; see 'errors'", kind="guardrail", errors=errors)
    now = services.clock.now()
    action = Action(
        action_id=f"request-{uuid.uuid4().hex}",
        tenant_id=key.tenant_id,
        system_id=key.system_id,
        type=asked.action.params.type,
        target=Target(entity_id=asked.action.target),
        params=asked.action.params,
        transitions=[Transition.observed(now, status="proposed", source="opswm", note=asked.reason)],
        actor=Actor(kind=asked.requested_by_kind, id=asked.requested_by),
        source=Source(system="opswm", raw_ref=asked.decision_id),
        reversibility=checked.reversibility,
        incident_id=asked.incident_id,
    )
    stored = services.store.ledger.request_action(action, checked.approvals_needed)
    response.headers["Location"] = f"/v1/systems/{quote(key.system_id)}/actions/{stored.action_id}"
    return _request_view(stored, key, services)


@router.post("/{action_id:path}/transitions", responses=described(404, 409, 413, 415, 422, 503))
def request_transition(
    action_id: ActionId, asked: TransitionRequest, key: CurrentKey, services: CurrentServices
) -> ActionView:
    """Approve, reject, expire, cancel or schedule an action; 409 where the lifecycle does not allow it.

    Each approval is one person's; the action becomes ``approved`` with the last one that its capability needs, and
    at least one is needed. Whoever asked for the action is not among them.
    """
    ledger, now = services.store.ledger, services.clock.now()
    if asked.status in ("approved", "rejected"):
        word = Approval.observed(now, decision=asked.status, status=asked.status, responder=asked.by)
        return _request_view(ledger.respond(key, action_id, word, asked.note), key, services)
    fact = Transition.observed(now, status=asked.status, source=f"opswm:{asked.by}", note=asked.note)
    return _request_view(ledger.request_transition(key, action_id, fact), key, services)


def _request_view(action: Action, key: SystemKey, services: Services) -> ActionView:
    return view(action, services.store.ledger.approvals_needed(key, action.action_id))
