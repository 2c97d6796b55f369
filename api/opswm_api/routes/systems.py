"""``/v1/systems``: what systems there are, and their descriptors."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentKey, CurrentServices, CurrentSettings
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, described
from opswm_schemas.base import Closed, Identifier, ShortText
from opswm_schemas.descriptor import SystemDescriptor

router = APIRouter(prefix="/systems", tags=["systems"], route_class=BoundedRoute)


class SystemSummary(Closed):
    """One system in a list."""

    system_id: Identifier
    name: ShortText
    revision: int
    num_entities: int
    num_channels: int
    num_capabilities: int
    num_objectives: int


class SystemList(Closed):
    """The systems of this tenant, by id."""

    systems: list[SystemSummary]


@router.post("", status_code=201, responses={200: {"model": SystemDescriptor}, **described(413, 415, 422, 503)})
def register_system(
    descriptor: SystemDescriptor, response: Response, services: CurrentServices, settings: CurrentSettings
) -> SystemDescriptor:
    """Register a system, or a new revision of it.

    The revision is counted here: 201 with a new one, 200 when the latest revision says the same already. It holds
    from now on: questions about earlier moments are answered by the revision that held then, and those about
    moments before the first revision by that one.
    """
    if descriptor.tenant_id != settings.tenant_id:
        detail = (
            f"this service answers for tenant {settings.tenant_id!r}, the descriptor is of {descriptor.tenant_id!r}"
        )
        raise ProblemError(422, detail, kind="tenant", errors=[ProblemItem(pointer="#/tenant_id", detail=detail)])
    if "/" in descriptor.system_id:
        detail = f"system_id {descriptor.system_id!r} holds a '/', which no path here can name; use '.' or '-'"
        raise ProblemError(422, detail, kind="system-id", errors=[ProblemItem(pointer="#/system_id", detail=detail)])
    stored, is_new = services.store.ledger.registered(descriptor)
    if not is_new:
        response.status_code = 200
    response.headers["Location"] = f"/v1/systems/{quote(stored.system_id)}"
    return stored


@router.get("", responses=described(503))
def list_systems(services: CurrentServices, settings: CurrentSettings) -> SystemList:
    """List the systems of this tenant."""
    found = services.store.ledger.systems(settings.tenant_id)
    return SystemList(
        systems=[
            SystemSummary(
                system_id=descriptor.system_id,
                name=descriptor.name,
                revision=descriptor.revision,
                num_entities=len(descriptor.entities),
                num_channels=len(descriptor.channels),
                num_capabilities=len(descriptor.capabilities),
                num_objectives=len(descriptor.objectives),
            )
            for descriptor in found
        ]
    )


@router.get("/{system_id}", responses=described(404, 422, 503))
def get_system(
    key: CurrentKey, services: CurrentServices, revision: Annotated[int | None, Query(ge=1, lt=2**31)] = None
) -> SystemDescriptor:
    """Return a system's descriptor, the latest revision where none is named."""
    return services.store.ledger.descriptor(key, revision)
