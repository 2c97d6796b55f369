"""The Demeter track as one call: recordings and twins in, the result file out."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from opswm.evaluation.demeter.boosted import BoostedTrees
from opswm.evaluation.demeter.capacity import CensoredCapacity
from opswm.evaluation.demeter.heuristics import MORE_CORES_PER_SLOT, MORE_WORKERS
from opswm.evaluation.demeter.leave_one_run_out import Shards, TwinResult, run_benchmark
from opswm.evaluation.demeter.questions import read_runs
from opswm.evaluation.demeter.ranker import TwinRanker
from opswm.evaluation.demeter.twins import Twin, read_twins
from opswm.evaluation.demeter.world_model import WorldModelTwins
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.results import Result, ResultFile, figure
from opswm_schemas.ports import JobRunner

TASK: Final = "demeter"


def bench_demeter(
    data: Path,
    recordings: Path,
    version: str,
    seed: int = 0,
    train: Path | None = None,
    train_recordings: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    jobs: JobRunner | None = None,
) -> ResultFile:
    """Score every ranker on the twins under ``data``, each run ranked by what was learned from all others.

    Args:
        data: Run folders in the layout of the data set; every run with twins is scored.
        recordings: The same runs, imported.
        version: Of the software.
        seed: Of learning and of the bootstrap.
        train: Further run folders to learn from; a run that is also in ``data`` is ignored there.
        train_recordings: Those runs, imported.
        progress: Told what is being done.
        jobs: Where rankers learn and rank, one shard for each of them and run; here where left out. The figures are
            the same.

    Raises:
        NotFoundError: When runs or their recordings are missing.
        BadInputError: When files make no sense, or there is nothing to compare.
    """
    twins = read_twins(data)
    scored = {twin.question.run for twin in twins}
    extra = [] if train is None else [twin for twin in read_twins(train) if twin.question.run not in scored]
    progress("reading recordings")
    runs = read_runs(recordings, _recorded(recordings))
    if train_recordings is not None:
        others = [name for name in _recorded(train_recordings) if name not in runs]
        runs |= read_runs(train_recordings, others)
    with_twins = frozenset(twin.question.run for twin in [*twins, *extra])
    rankers: list[TwinRanker] = [
        MORE_CORES_PER_SLOT,
        MORE_WORKERS,
        BoostedTrees(),
        BoostedTrees(name="lightgbm_monotone", monotone=True),
        CensoredCapacity(),
        WorldModelTwins(runs, with_twins),
    ]
    folders = [recordings] if train_recordings is None else [recordings, train_recordings]
    shards = None if jobs is None else Shards(jobs, _job_name(version, seed, twins, extra, folders))
    results = run_benchmark(rankers, twins, extra, seed, progress, shards)
    return ResultFile(
        suite=TASK,
        version=version,
        seed=seed,
        machine=describe_machine(),
        results=tuple(_figure(result) for result in results),
        settings=_settings(twins, extra, len(runs)),
    )


def _job_name(version: str, seed: int, twins: Sequence[Twin], extra: Sequence[Twin], folders: Sequence[Path]) -> str:
    """Return a name that stands for everything that is learned from; a manifest has the digests of its recording."""
    told = sha256(repr((version, seed, tuple(twins), tuple(extra))).encode())
    for folder in folders:
        for name in _recorded(folder):
            told.update((folder / name / "manifest.json").read_bytes())
    return f"bench demeter {told.hexdigest()[:16]}"


def _recorded(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir() if (path / "manifest.json").is_file())


def _figure(result: TwinResult) -> Result:
    interval = result.interval
    return figure(
        TASK, result.model, result.metric, interval.value, result.num_pairs, low=interval.low, high=interval.high
    )


def _settings(twins: Sequence[Twin], extra: Sequence[Twin], num_runs: int) -> dict[str, str | int | float | bool]:
    return {
        "twins_scored": len(twins),
        "runs_scored": len({twin.question.run for twin in twins}),
        "twins_to_learn_from_besides": len(extra),
        "recordings": num_runs,
        "bootstrap": "2,000 draws over start groups",
        "split": "leave one run out",
    }
