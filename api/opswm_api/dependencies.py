"""What routes ask for in their signatures."""

from typing import Annotated

from fastapi import Depends, Path, Request

from opswm_api.problems import ProblemError
from opswm_api.services import Services
from opswm_api.settings import Settings
from opswm_schemas.base import Identifier
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _services(request: Request) -> Services:
    services: Services | None = request.app.state.services
    if services is None:
        raise ProblemError(503, "the service is still starting; try again shortly", headers={"Retry-After": "2"})
    return services


CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentServices = Annotated[Services, Depends(_services)]
SystemId = Annotated[Identifier, Path(description="The system, as its descriptor names it.")]


def _system_key(system_id: SystemId, settings: CurrentSettings) -> SystemKey:
    return SystemKey(settings.tenant_id, system_id)


CurrentKey = Annotated[SystemKey, Depends(_system_key)]


def _descriptor(key: CurrentKey, services: CurrentServices) -> SystemDescriptor:
    return services.store.ledger.descriptor(key)


CurrentDescriptor = Annotated[SystemDescriptor, Depends(_descriptor)]
"""The latest descriptor of the system in the path; 404 where nobody registered it."""
