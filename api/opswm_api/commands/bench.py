"""``opswm bench``: how good the advice is, measured; the figures go to a table and a result file."""

import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from opswm.errors import BadInputError
from opswm.evaluation.results import ResultFile
from opswm_api.console import AsJson, CheckpointFolder, Seed, print_json, progress, require_writable, stderr, stdout

Out = Annotated[Path | None, typer.Option("--out", help="Result file, JSON; replaced when it is there.")]

bench = typer.Typer(help="Measure how good the advice is, against baselines.", no_args_is_help=True)


@bench.command("demo")
def bench_demo(
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=10_000, help="How many unseen incidents.")] = 20,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, max=900_000, help="The first of them.")] = 0,
    checkpoint: CheckpointFolder = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="What `opswm train` kept: boosted trees and mean effects learn from it too."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Regret over unseen incidents of the demo web shop, beside runbook, random, no_op and a clairvoyant."""
    from importlib.metadata import version

    from opswm.evaluation.demo.bench import bench_demo as run
    from opswm.evaluation.demo.peers import fitted_peers
    from opswm_api.mind import load_mind

    if out is not None:
        require_writable(out)
    mind = load_mind(checkpoint, torch_threads=2)
    settings: dict[str, str | int | float | bool] = {"model_id": mind.model_id, "model_digest": mind.digest}
    peers = [] if work is None else fitted_peers(work, mind.planner.horizon_ticks)
    with progress("incidents") as advance:
        chosen = range(first_seed, first_seed + seeds)
        found = run(mind.planner, chosen, version("opswm"), settings, advance, peers)
    _report(found, out, as_json, DEMO_METRICS)


@bench.command("demeter")
def bench_demeter(
    data: Annotated[Path, typer.Option("--data", help="Run folders, as in the published data set.")],
    train: Annotated[Path | None, typer.Option("--train", help="Further run folders to learn from.")] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder of what was scored; an interrupted run goes on from there.")
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=0, max=64, help="Score so many held-out runs at once; 0 in this process.")
    ] = 0,
    ray: Annotated[
        str | None, typer.Option("--ray", help="Score on a Ray cluster instead: host:port, or auto.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Which of the real Flink jobs that ran at the same minute was better: leave one run out, paired by start group."""
    from importlib.metadata import version

    from opswm.evaluation.demeter.bench import bench_demeter as run
    from opswm_api.job_wiring import job_runner
    from opswm_api.wiring import importer

    if out is not None:
        require_writable(out)
    read = importer("demeter")
    with tempfile.TemporaryDirectory(prefix="opswm-demeter-") as folder:
        recordings, train_recordings = Path(folder) / "data", Path(folder) / "train"
        with progress("importing", "runs") as advance:
            read(data, recordings, advance)
            if train is not None:
                read(train, train_recordings, advance)
        others, steps = None if train is None else train_recordings, count()
        with progress("scoring", "steps") as advance:
            found = run(
                data,
                recordings,
                version("opswm"),
                seed,
                train,
                others,
                lambda what: advance(next(steps), None, what),
                job_runner(work or Path(folder) / "jobs", processes, ray),
            )
    _report(found, out, as_json, None)


@bench.command("simulate")
def bench_simulate(
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, max=600.0, help="For each batch size.")] = 8.0,
    quick: Annotated[bool, typer.Option("--quick", help="Few batch sizes, a second each.")] = False,
    points: Annotated[
        int | None, typer.Option("--points", min=1, help="Generate so many decision points into --work instead.")
    ] = None,
    entities: Annotated[int, typer.Option("--entities", min=3, max=1_000, help="Rough size of random systems.")] = 50,
    work: Annotated[Path | None, typer.Option("--work", help="Folder of generated points; resumed.")] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Side by side, one thread each.")] = 2,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Entity-seconds per second of the simulator with all mechanics on, beside ciw on a network both can run.

    With --points: how long that many decision points take (640 s of history, 160 s of horizon, 8 branches).
    """
    from dataclasses import replace
    from importlib.metadata import version

    from opswm.evaluation.simulate import bench as speed
    from opswm.evaluation.simulate.points import bulk

    if (points is None) != (work is None):
        raise typer.BadParameter("--points and --work go together: what to generate, and where")
    if points is not None and work is not None:
        with progress("points") as advance:
            made = bulk(points, entities, work, seed, processes, advance)
        found = speed.bench_points(made, version("opswm"), seed)
    else:
        config = speed.QUICK if quick else speed.SpeedConfig(seconds=seconds)
        console = stderr()
        found = speed.bench_speed(
            replace(config, entities=entities, processes=processes),
            version("opswm"),
            seed,
            lambda what: console.print(f"[dim]{what}[/dim]"),
        )
    _report(found, out, as_json, None)


@bench.command("worlds")
def bench_worlds(
    points: Annotated[int, typer.Option("--points", min=2, max=100_000, help="Decision points, one world each.")] = 256,
    first_world: Annotated[
        int, typer.Option("--first-world", min=0, max=2**31 - 1, help="Seed of the first world; the others follow.")
    ] = 0,
    system: Annotated[str, typer.Option(help="random: another one each time, or web_shop.")] = "random",
    entities: Annotated[
        int | None,
        typer.Option("--entities", min=3, max=1_000, help="Rough size of random systems; as drawn if left out."),
    ] = None,
    actions: Annotated[str, typer.Option(help="usual, or all: every type of action in random systems.")] = "usual",
    candidates: Annotated[int, typer.Option("--candidates", min=2, max=64, help="Courses of each point.")] = 16,
    futures: Annotated[
        int, typer.Option("--futures", min=8, max=64, help="Where doubling of the truth's futures stops.")
    ] = 16,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Side by side, one thread each.")] = 2,
    out: Out = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """The benchmark's check on itself: knowing the true fault must not be enough to choose well.

    A lookup from the fault to its usual fix, learned from the other worlds, must lose 0.20 of regret over privileged,
    and the best type of action must have one bit of entropy given the fault. The verdict is "passed" in the settings.
    """
    from importlib.metadata import version

    from opswm.evaluation.worlds.bench import bench_worlds as run
    from opswm.evaluation.worlds.points import WorldsConfig
    from opswm.simulation.kernel.episodes import EpisodePlan

    if system not in ("random", "web_shop") or actions not in ("usual", "all"):
        raise BadInputError(
            f"--system is {system!r} and --actions {actions!r}; allowed are random and web_shop, usual and all"
        )
    if system == "web_shop" and (entities is not None or actions != "usual"):
        raise BadInputError("the web shop has its own entities and actions; leave out --entities and --actions")
    if out is not None:
        require_writable(out)
    plan = EpisodePlan(
        system="web_shop" if system == "web_shop" else "random",
        entities=entities,
        actions="all" if actions == "all" else "usual",
    )
    config = WorldsConfig(plan, candidates=candidates, most_futures=futures)
    with progress("worlds") as advance:
        found = run(config, range(first_world, first_world + points), version("opswm"), seed, processes, advance)
    _report(found, out, as_json, None)


@bench.command("read")
def bench_read(
    rows: Annotated[
        int,
        typer.Option("--rows", min=12_800_000, max=2_000_000_000, help="Readings on disk, about 4 bytes each."),
    ] = 20_000_000,
    reads: Annotated[int, typer.Option("--reads", min=21, max=10_000, help="Windows that each way reads.")] = 101,
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder in which the table is made and removed again.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """p95 of reading a decision's context (50 entities, 10 channels, 128 ticks), beside plain scans of the same files.

    Also what a neighbourhood of 32 entities costs in systems of 5,000, 500 and 32.
    """
    from importlib.metadata import version

    from opswm.evaluation.read.bench import ReadConfig
    from opswm.evaluation.read.bench import bench_read as run

    if out is not None:
        require_writable(out)
    if work is not None and not work.is_dir():
        raise BadInputError(f"{work} is no folder; make it, or leave out --work")
    with progress("reading", "steps") as advance:
        found = run(ReadConfig(rows, reads), version("opswm"), seed, work, advance)
    _report(found, out, as_json, None)


@bench.command("ingest")
def bench_ingest(
    series: Annotated[int, typer.Option("--series", min=2_000, max=10_000_000, help="Distinct ones.")] = 1_000_000,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="That send at once.")] = 8,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="The median counts.")] = 5,
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder on the disk to measure; logs are made and removed in it.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Samples a second acknowledged as durable by the ingest log, beside SQLite and Delta alone and the disk's syncs.

    Series of ten labels, one sample each, in requests of 2,000.
    """
    from importlib.metadata import version

    from opswm.evaluation.ingest.bench import IngestConfig
    from opswm.evaluation.ingest.bench import bench_ingest as run

    if out is not None:
        require_writable(out)
    if work is not None and not work.is_dir():
        raise BadInputError(f"{work} is no folder; make it, or leave out --work")
    with progress("appending", "steps") as advance:
        found = run(IngestConfig(series=series, threads=threads, rounds=rounds), version("opswm"), seed, work, advance)
    _report(found, out, as_json, None)


DEMO_METRICS = ("regret", "regret_raw", "top1", "kendall_tau_b", "sign_agreement", "coverage90", "abstention")
"""Columns of the demo's table; the result file has them all."""


def _report(found: ResultFile, out: Path | None, as_json: bool, metrics: Sequence[str] | None) -> None:
    from dataclasses import asdict

    from opswm.evaluation.results import write_results
    from opswm.evaluation.table import results_table

    if out is not None:
        write_results(out, found)
    if as_json:
        print_json(asdict(found))
        return
    stdout().print(results_table(found, metrics))
    if out is not None:
        stdout().print(f"written to {out}", markup=False)
