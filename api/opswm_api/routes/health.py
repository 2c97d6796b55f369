"""``/health``: whether the process runs, and whether it can answer."""

from typing import Literal

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from opswm_api.services import Services

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    """The process runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """Whether questions can be answered.

    Attributes:
        checks: Each part that an answer needs, with ``ok`` or what is wrong with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


@router.get("/live")
async def get_liveness() -> Live:
    """Answer as long as the process can."""
    return Live()


@router.get("/ready", responses={503: {"model": Ready, "description": "Some part that an answer needs is missing."}})
async def get_readiness(request: Request, response: Response) -> Ready:
    """Read from the store and ask for the world model; 503 while either is not there.

    It has threads of its own, so that it answers however busy all others are.
    """
    services: Services | None = request.app.state.services
    checks = {"service": "starting"}
    if services is not None:
        checks = await anyio.to_thread.run_sync(services.checks, limiter=services.probes)
    ready = all(state == "ok" for state in checks.values())
    response.status_code = 200 if ready else 503
    return Ready(status="ready" if ready else "not_ready", checks=checks)
