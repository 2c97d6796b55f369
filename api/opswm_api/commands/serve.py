"""``opswm serve``: the HTTP service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from opswm_api.console import CheckpointFolder, Database, StoreFolder, stderr


def serve(
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    checkpoint: CheckpointFolder = None,
    host: Annotated[str, typer.Option("--host", envvar="OPSWM_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", envvar="OPSWM_PORT", min=0, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option("--workers", envvar="OPSWM_WORKERS", min=1, max=64, help="Processes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it listens as one JSON line on stdout.")] = False,
) -> None:
    """Serve the REST API until interrupted; every other setting comes from OPSWM_* variables."""
    from opswm_api.serving import serve_until_stopped
    from opswm_api.settings import Settings

    given: dict[str, Any] = {"store": store, "host": host, "port": port, "workers": workers}
    if database is not None:
        given["database"] = database
    if checkpoint is not None:
        given["checkpoint"] = checkpoint
    settings = Settings(**given)
    if settings.host not in ("127.0.0.1", "localhost", "::1"):
        stderr().print(f"opswm: listening on {settings.host}, where others can reach a service that asks for no token")
    serve_until_stopped(settings, as_json=as_json)
