"""``opswm import``: another system's export into recordings, through the connector of that name."""

from pathlib import Path
from typing import Annotated

import typer

from opswm_api.console import AsJson, print_json, progress, stdout


def import_recordings(
    connector: Annotated[str, typer.Argument(help="Name of the connector, for instance demeter.")],
    directory: Annotated[Path, typer.Argument(help="What it reads.")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the recordings go to.")],
    as_json: AsJson = False,
) -> None:
    """Turn an export into recordings: each appears whole or not at all."""
    from opswm_api.wiring import importer

    read = importer(connector)
    with progress(f"importing {connector}", "recordings") as advance:
        written = read(directory, out, advance)
    if as_json:
        print_json([str(path) for path in written])
        return
    for path in written:
        stdout().print(str(path), markup=False)
    stdout().print(f"{len(written)} recordings in {out}", markup=False)
