"""Runs the application under uvicorn: a socket of our own, so that the port is known before anybody connects."""

import errno
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import typer
import uvicorn

from opswm.errors import BadInputError, CheckpointError
from opswm_api.app import create_app
from opswm_api.own_log import set_up_log
from opswm_api.self_telemetry import SelfTelemetry, from_environment
from opswm_api.service_wiring import open_services
from opswm_api.services import Services
from opswm_api.settings import Settings
from opswm_api.workers import BACKLOG, GRACE_S, serve_with_workers


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address.

    Args:
        host: Name or address of a local interface.
        port: TCP port; 0 for any that is free.

    Raises:
        BadInputError: When the address is taken or is not ours.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise BadInputError(f"host {host!r} is no address of this machine: {problem}") from problem
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as problem:
        bound.close()
        taken = problem.errno == errno.EADDRINUSE
        why = f"port {port} is taken; choose another with --port, or 0 for any" if taken else str(problem)
        raise BadInputError(f"cannot listen on {host}:{port}: {why}") from problem
    return bound


def bind_or_any(host: str, port: int) -> tuple[socket.socket, bool]:
    """Return a socket bound to the port, or to any free one, and whether it is the one asked for."""
    try:
        return bind(host, port), True
    except BadInputError:
        return bind(host, 0), False


def url_of(bound: socket.socket) -> str:
    """Return the URL under which a bound socket is reached."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve_until_stopped(
    settings: Settings,
    *,
    services: Services | None = None,
    bound: socket.socket | None = None,
    as_json: bool = False,
    tell: Callable[[str], object] = typer.echo,
) -> None:
    """Serve until a signal stops it, in one process or several; requests under way are finished first.

    Args:
        settings: Where it listens and keeps its state.
        services: What it answers with; opened from the settings, and checked before anything listens, where
            left out.
        bound: The socket to listen on; made from the settings where left out.
        as_json: Tell the address as a JSON line instead of words.
        tell: Where it is told; a line on stdout where left out.

    Raises:
        BadInputError: When the address cannot be listened on.
        CheckpointError: When the checkpoint cannot be loaded.
        StoreError: When the store cannot be opened.
    """
    set_up_log(settings)
    listening = bound or bind(settings.host, settings.port)
    url = url_of(listening)
    line = json.dumps({"url": url, "store": str(settings.store)}) if as_json else f"opswm listens on {url}"
    told = partial(tell, line)
    if settings.workers > 1 and services is None:
        with listening:
            serve_with_workers(settings, listening, told)
        return
    telemetry = from_environment()
    telemetry.make_global()
    try:
        if services is not None:
            _serve(settings, services, listening, telemetry, told)
            return
        with open_services(settings, telemetry) as opened:
            if opened.ready_advisor is None:
                raise CheckpointError(opened.model_problem)
            _serve(settings, opened, listening, telemetry, told)
    finally:
        listening.close()
        telemetry.shutdown()


def _serve(
    settings: Settings,
    services: Services,
    listening: socket.socket,
    telemetry: SelfTelemetry,
    told: Callable[[], object],
) -> None:
    listening.listen(BACKLOG)  # whoever reads the line may connect at once; until the application is up, they wait
    told()
    config = uvicorn.Config(
        create_app(settings, services=services, self_telemetry=telemetry),
        log_level=settings.log_level,
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    with suppress(KeyboardInterrupt):  # how an interactive service is stopped: an end, not an error
        uvicorn.Server(config).run(sockets=[listening])
