"""Several processes that serve one address: each opens the store for itself, and one that dies is replaced."""

import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from opswm.errors import CheckpointError, OpswmError
from opswm_api.app import create_app
from opswm_api.own_log import set_up_log
from opswm_api.self_telemetry import from_environment
from opswm_api.settings import Settings
from opswm_api.wiring import folder_store

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

GRACE_S: Final = 10
"""Seconds that requests under way are given at the end."""

_HUNG_S: Final = 60
"""A worker that does not answer its parent for so long is replaced; starting one takes seconds."""


def serve_with_workers(settings: Settings, listening: socket.socket, told: Callable[[], object]) -> None:
    """Serve with several processes until a signal ends it.

    The store is opened and closed here first: what is wrong with it is told before any process starts, and a database
    is migrated, and damage repaired, once.

    Args:
        settings: What each worker is built from.
        listening: Bound; shared by all workers.
        told: Called once the first worker answers.

    Raises:
        OpswmError: When the store cannot be opened, or the workers cannot start.
    """
    with folder_store(settings.store, database=settings.database_url):
        pass
    config = uvicorn.Config(
        partial(_application, settings),
        factory=True,
        workers=settings.workers,
        log_level=settings.log_level,
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        timeout_worker_healthcheck=_HUNG_S,
        server_header=False,
    )
    supervisor = _Supervisor(config, listening, told)
    supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        raise OpswmError("the workers could not start; the log says why")


class _Supervisor(Multiprocess):
    """Starts workers, says when the first answers, and replaces those that die."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, told: Callable[[], object]) -> None:
        super().__init__(config, [listening])
        self._told = told

    def init_processes(self) -> None:
        """Start the workers, and wait for the first that is up."""
        super().init_processes()
        while not self.should_exit.is_set():
            self.handle_signals()
            if any(process.is_ready(timeout=0.2) for process in self.processes):
                self._told()
                return
            self.keep_subprocess_alive()


def _application(settings: Settings) -> FastAPI:
    """Return a worker's application; it fails to start where questions could not be answered."""
    set_up_log(settings)
    telemetry = from_environment()
    telemetry.make_global()
    application = create_app(settings, self_telemetry=telemetry)
    opening = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        try:
            async with opening(app) as state:
                if app.state.services.ready_advisor is None:
                    raise CheckpointError(app.state.services.model_problem)
                yield state
        except OpswmError as problem:
            logging.getLogger(__name__).error("this worker cannot start: %s", problem)
            raise
        finally:
            telemetry.shutdown()

    application.router.lifespan_context = lifespan
    return application
