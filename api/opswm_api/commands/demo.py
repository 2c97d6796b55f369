"""``opswm demo``: an incident of a simulated web shop, ranked interventions beside the truth, then the API."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from opswm_api.console import DONE, INCONCLUSIVE, AsJson, CheckpointFolder, print_json, stderr, stdout

DEFAULT_SEED = 7
LAST_SEED = 999_999


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after printing instead of serving the API.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Which incident.")] = DEFAULT_SEED,
    checkpoint: CheckpointFolder = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the API; a free one where it is taken.")] = 8000,
    as_json: AsJson = False,
) -> None:
    """Rank interventions for a simulated incident, show where the model was wrong, and serve the API with it."""
    console = stderr() if as_json else stdout()
    with tempfile.TemporaryDirectory(prefix="opswm-demo-") as folder:
        console.print("[dim]An incident is simulated and recorded; this takes a few seconds ...[/dim]")
        # Torch and the simulator take seconds to import: not before somebody asks.
        from opswm_api.demo.show import show

        shown = show(seed, Path(folder), checkpoint, console)
        if as_json:
            print_json(shown.to_json())
        code = INCONCLUSIVE if shown.answer.verdict == "inconclusive" else DONE
        if not once:
            from opswm_api.demo.serve import serve_incident

            serve_incident(shown, Path(folder), checkpoint, port, console)
    raise typer.Exit(code)
