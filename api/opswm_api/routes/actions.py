"""``/v1/systems/{system_id}/actions``: what was observed to be done; facts, which are never refused for being late."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentDescriptor, CurrentKey, CurrentServices
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, described
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.record import Action, Transition
from opswm_schemas.base import Closed, Identifier, UtcDatetime
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey

router = APIRouter(prefix="/systems/{system_id}/actions", tags=["actions"], route_class=BoundedRoute)

ActionId = Annotated[Identifier, Path(description="The action, as whoever recorded it named it.")]


class ActionView(Closed):
    """An action with what its facts add up to.

    Attributes:
        status: Derived from the transitions, whatever order they came in.
        contradictions: Facts that cannot all be right, or that do not count, in words.
        approvals_needed: How many others have to approve an action that was requested here; null where this answer
            does not say, or nobody requested it here.
    """

    action: Action
    status: ActionStatus
    contradictions: list[str]
    approvals_needed: int | None = None


class ActionList(Closed):
    """Actions as they were known at a moment, in the order they became known."""

    as_of: UtcDatetime
    actions: list[ActionView]


def view(action: Action, approvals_needed: int | None = None, given: Sequence[Transition] = ()) -> ActionView:
    """Return an action with its derived status and contradictions.

    Args:
        action: With its facts.
        approvals_needed: Of a request.
        given: Facts just stored; those that do not count for the action are named.
    """
    counted = {(fact.status, fact.event_at, fact.known_at) for fact in action.transitions}
    void = [fact.status for fact in given if (fact.status, fact.event_at, fact.known_at) not in counted]
    told = [f"{status!r} was observed and does not count: a request is {status} at /action-requests" for status in void]
    words = [*action.contradictions(), *told]
    return ActionView(action=action, status=action.status, contradictions=words, approvals_needed=approvals_needed)


@router.post("", status_code=201, responses=described(404, 413, 415, 422, 503))
def record_action(
    action: Action, key: CurrentKey, descriptor: CurrentDescriptor, services: CurrentServices
) -> ActionView:
    """Record an observed action, or further facts about a known one; contradictions are flagged, not refused."""
    require_same_system(action.tenant_id, action.system_id, key)
    require_known_targets(action.targets, descriptor)
    return view(services.store.ledger.record_action(action), given=action.transitions)


@router.post("/{action_id:path}/transitions", responses=described(404, 413, 415, 422, 503))
def record_transition(
    action_id: ActionId, transition: Transition, key: CurrentKey, services: CurrentServices
) -> ActionView:
    """Append one observed change of status to a recorded action."""
    return view(services.store.ledger.record_transition(key, action_id, transition), given=[transition])


@router.get("", responses=described(404, 422, 503))
def list_actions(
    key: CurrentKey,
    descriptor: CurrentDescriptor,
    services: CurrentServices,
    as_of: Annotated[UtcDatetime | None, Query(description="Only what was known then; now, where left out.")] = None,
) -> ActionList:
    """List a system's actions with only the facts that were known at ``as_of``."""
    moment: datetime = as_of or services.clock.now()
    return ActionList(as_of=moment, actions=[view(action) for action in services.store.ledger.actions(key, moment)])


@router.get("/{action_id:path}", responses=described(404, 422, 503))
def get_action(action_id: ActionId, key: CurrentKey, services: CurrentServices) -> ActionView:
    """Return one action."""
    return view(services.store.ledger.action(key, action_id))


def require_same_system(tenant_id: str, system_id: str, key: SystemKey) -> None:
    """Check that a document is about the system in the path.

    Raises:
        ProblemError: 422 when it is about another.
    """
    if (tenant_id, system_id) != (key.tenant_id, key.system_id):
        detail = f"the body is about {tenant_id}/{system_id}, the path about {key.tenant_id}/{key.system_id}"
        raise ProblemError(422, detail, kind="wrong-system", errors=[ProblemItem(pointer="#/system_id", detail=detail)])


def require_known_targets(targets: list[str], descriptor: SystemDescriptor) -> None:
    """Check that the descriptor lists every entity aimed at.

    Raises:
        ProblemError: 422 naming those it does not.
    """
    known = {entity.entity_id for entity in descriptor.entities}
    unknown = sorted(set(targets) - known)
    if unknown:
        detail = (
            f"entities {', '.join(map(repr, unknown[:10]))} are not in revision {descriptor.revision} of the "
            "descriptor; correct the target or register a revision that lists them"
        )
        raise ProblemError(422, detail, kind="unknown-entity", errors=[ProblemItem(pointer="#/target", detail=detail)])
