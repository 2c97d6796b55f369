"""``opswm simulate``: incidents of simulated systems as recordings, with the truth kept apart."""

import os
from pathlib import Path
from typing import Annotated

import typer

from opswm.errors import BadInputError
from opswm_api.console import AsJson, print_json, progress, stderr, stdout

INTERRUPTED = 130


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder that the recordings go to; resumed where it has some.")],
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the first incident; the others follow.")] = 0,
    episodes: Annotated[int, typer.Option(min=1, max=100_000, help="How many incidents.")] = 1,
    entities: Annotated[
        int | None, typer.Option(min=3, max=1_000, help="Entities of each system, which is then a random one.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="web_shop (the default without --entities), or random: another one each time.")
    ] = None,
    engine: Annotated[str, typer.Option(help="kernel, or events: the independent one, request by request.")] = "kernel",
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Write what each candidate truly does to truth/branches.json.")
    ] = True,
    candidates: Annotated[
        int | None, typer.Option(min=2, max=64, help="Courses of the truth, no_op included; 16, 8 with events.")
    ] = None,
    futures: Annotated[
        int | None, typer.Option(min=8, max=64, help="Futures of each course at most; 64, 8 with events.")
    ] = None,
    as_zip: Annotated[bool, typer.Option("--zip", help="Write zip files instead of folders.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes; one for each core where left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate incidents up to the moment of decision and write each as a recording, whole or not at all.

    The same seed gives the same recording. A command that was interrupted goes on where it was.
    """
    chosen = system or ("web_shop" if entities is None else "random")
    if chosen not in ("web_shop", "random"):
        raise BadInputError(f"--system is {chosen!r}; allowed are web_shop and random")
    if chosen == "web_shop" and entities is not None:
        raise BadInputError(f"--entities is {entities}, and the web shop has its own number; use --system random")
    if engine not in ("kernel", "events"):
        raise BadInputError(f"--engine is {engine!r}; allowed are kernel and events")
    seeds = range(seed, seed + episodes)
    try:
        with progress("simulating", "incidents") as advance:
            advance(0, episodes, "(starting)")
            from opswm.simulation.campaign import Campaign, write_recordings

            campaign = Campaign(
                engine="kernel" if engine == "kernel" else "events",
                system="web_shop" if chosen == "web_shop" else "random",
                entities=entities,
                has_truth=truth,
                candidates=candidates,
                most_futures=futures,
            )
            paths = write_recordings(campaign, seeds, out, as_zip, workers or _cores(), advance)
    except KeyboardInterrupt as problem:
        stderr().print(
            f"opswm: interrupted; what is in {out} is whole, and the same command goes on", markup=False, soft_wrap=True
        )
        raise typer.Exit(INTERRUPTED) from problem
    if as_json:
        print_json([str(path) for path in paths])
        return
    for path in paths:
        stdout().print(str(path), markup=False)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
