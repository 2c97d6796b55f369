"""``opswm train``: a checkpoint from simulated decision points, by a named recipe."""

from pathlib import Path
from typing import Annotated

import typer

from opswm_api.console import AsJson, print_json, progress, stdout


def train(
    recipe: Annotated[str, typer.Option("--recipe", help="debug (under a minute) or demo (the shipped checkpoint).")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the checkpoint; must be empty or not there.")],
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder of data and state; a killed run goes on from there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Generate, train, calibrate and write a checkpoint; the same recipe goes on where a killed run was."""
    from dataclasses import asdict

    from opswm.training.recipes import recipe_named
    from opswm.training.run import run

    chosen = recipe_named(recipe)
    folder = work or out.with_name(f"{out.name}.work")
    with progress(f"recipe {recipe}") as advance:

        def told(stage: str, done: int, total: int, note: str) -> None:
            advance(done, total, f"{stage} {note}")

        finished = run(chosen, out, folder, told)
    if as_json:
        print_json({**asdict(finished), "folder": str(finished.folder)})
        return
    console = stdout()
    console.print(f"{finished.folder}: {finished.digest[:12]}, trained in {finished.training_s:.0f} s", markup=False)
    for worlds, score in (("validation", finished.validation), ("calibration", finished.calibration)):
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in asdict(score).items())
        console.print(f"  {worlds} worlds: {numbers}", markup=False)
    console.print(f"Data and state are kept in {folder}; remove it when they are no longer needed.", markup=False)
