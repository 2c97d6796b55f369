"""``/v1/systems/{system_id}/events``: alerts, state changes and notes, as they were observed."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentKey, CurrentServices
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, described
from opswm_schemas.base import Closed
from opswm_schemas.plausible import clock_problem
from opswm_schemas.telemetry import Event

router = APIRouter(prefix="/systems/{system_id}/events", tags=["telemetry"], route_class=BoundedRoute)

_MAX_LISTED = 50


class EventBatch(Closed):
    """Events that are stored together or not at all; each ``event_id`` counts once."""

    events: Annotated[list[Event], Field(min_length=1, max_length=10_000)]


class EventReceipt(Closed):
    """Events that are stored, now or before."""

    num_events: int
    num_new: int


@router.post("", responses=described(404, 413, 415, 422, 503))
def record_events(batch: EventBatch, key: CurrentKey, services: CurrentServices) -> EventReceipt:
    """Store observed events; those known already add nothing, and a used id with other content is refused."""
    early = [
        ProblemItem(pointer=f"#/events/{index}/known_at", detail=problem)
        for index, event in enumerate(batch.events)
        if (problem := clock_problem(event))
    ]
    if early:
        detail = f"{len(early)} of {len(batch.events)} events cannot be stored, so none was; see 'errors'"
        raise ProblemError(422, detail, kind="events", errors=early[:_MAX_LISTED])
    num_new = services.store.record_events(key, batch.events)
    return EventReceipt(num_events=len(batch.events), num_new=num_new)
