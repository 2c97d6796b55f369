"""``opswm simulate``: incidents of simulated systems as recordings, with the truth kept apart."""

from pathlib import Path
from typing import Annotated

import typer

from opswm.errors import BadInputError
from opswm_api.console import AsJson, print_json, progress, stdout

AT_ONCE = 8
"""Worlds that are simulated together: more are faster each, and take more memory."""


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder that the recordings go to.")],
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the first incident; the others follow.")] = 0,
    episodes: Annotated[int, typer.Option(min=1, max=100_000, help="How many incidents.")] = 1,
    system: Annotated[str, typer.Option(help="web_shop, or random for another system each time.")] = "web_shop",
    as_zip: Annotated[bool, typer.Option("--zip", help="Write zip files instead of folders.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate incidents up to the moment of decision and write each as a recording, whole or not at all."""
    from opswm.simulation.kernel.episodes import EpisodePlan, live
    from opswm.simulation.recorder import write_recording

    if system not in ("web_shop", "random"):
        raise BadInputError(f"--system is {system!r}; allowed are web_shop and random")
    plan = EpisodePlan(system="web_shop" if system == "web_shop" else "random")
    ending = ".zip" if as_zip else ""
    paths = {
        number: out / f"{system.replace('_', '-')}-seed-{number}{ending}" for number in range(seed, seed + episodes)
    }
    taken = [str(path) for path in paths.values() if path.exists()]
    if taken:
        raise BadInputError(f"{taken[0]} is already there; remove it, or choose another --seed or --out")
    with progress("simulating", "incidents") as advance:
        for first in range(seed, seed + episodes, AT_ONCE):
            seeds = range(first, min(first + AT_ONCE, seed + episodes))
            lived = live(plan, seeds)
            for row, number in enumerate(seeds):
                write_recording(lived, row, paths[number])
            advance(seeds.stop - seed, episodes)
    if as_json:
        print_json([str(path) for path in paths.values()])
        return
    for path in paths.values():
        stdout().print(str(path), markup=False)
