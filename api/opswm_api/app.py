"""The HTTP application: a value built from its arguments, without any state of the module's own."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from opswm_api.bodies import BodyLimit, BodyLimitMiddleware
from opswm_api.errors import install_error_handlers
from opswm_api.problem_schemas import complete_openapi
from opswm_api.routes import (
    action_requests,
    actions,
    events,
    forecasts,
    health,
    rankings,
    recordings,
    systems,
    telemetry,
    webhooks,
    whatif,
)
from opswm_api.self_telemetry import SelfTelemetry, silent
from opswm_api.service_wiring import open_services
from opswm_api.services import Services
from opswm_api.settings import Settings

_NOUNS = (
    systems, telemetry, recordings, events, actions, webhooks, action_requests, forecasts, whatif, rankings,
)  # fmt: skip

_DESCRIPTION = (
    "What happens if I do X? Telemetry, topology and typed operator actions go in; ranked interventions with honest "
    "uncertainty come out. Every error is an RFC 9457 problem document."
)


def create_app(
    settings: Settings, *, services: Services | None = None, self_telemetry: SelfTelemetry | None = None
) -> FastAPI:
    """Build the application.

    Args:
        settings: Where it keeps its state and what it accepts.
        services: What it answers with, opened and closed by the caller; opened from ``settings`` when the
            application starts, and closed when it stops, where left out.
        self_telemetry: Where its own traces and metrics go; nowhere where left out.
    """
    instruments = self_telemetry or silent()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as opened:
            if services is None:
                manager = open_services(settings, instruments)
                app.state.services = await anyio.to_thread.run_sync(opened.enter_context, manager)
            yield
            app.state.services = services

    app = FastAPI(
        title="opswm",
        version=version("opswm"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        telemetry={
            "tracer_provider": instruments.tracer_provider,
            "meter_provider": instruments.meter_provider,
            "tracing": not instruments.is_silent,
            "metrics": not instruments.is_silent,
            "logs": False,
        },
        middleware=[
            Middleware(
                BodyLimitMiddleware,
                default_bytes=settings.max_body_bytes,
                rules=[
                    BodyLimit(
                        re.compile(r"/v1/systems/[^/]+/(telemetry|webhooks/[^/]+)"), settings.max_telemetry_bytes
                    ),
                    BodyLimit(re.compile(r"/v1/systems/[^/]+/recordings"), settings.max_recording_bytes),
                ],
            )
        ],
    )
    app.state.settings = settings
    app.state.services = services
    app.include_router(health.router)
    for noun in _NOUNS:
        router: APIRouter = noun.router
        app.include_router(router, prefix="/v1")
    install_error_handlers(app)
    complete_openapi(app)
    return app
