"""Held-out runs scored as shards of a job: the same figures wherever they run, and none twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from opswm.evaluation.demeter.boosted import BoostedTrees, FittedBoostedTrees
from opswm.evaluation.demeter.leave_one_run_out import Shards, run_benchmark, score_held_out
from opswm.evaluation.demeter.twins import Twin
from opswm.jobs.failures import ShardsFailedError
from opswm.jobs.local import LocalJobs

MadeUp = Callable[[int], list[Twin]]


@dataclass(frozen=True)
class _Forgetful(BoostedTrees):
    """Cannot learn without one run, until it is told otherwise by a file."""

    excuse: str = ""

    def fit(self, twins: Sequence[Twin], seed: int) -> FittedBoostedTrees:
        """Learn, or not."""
        if "2_CARS" not in {twin.question.run for twin in twins} and not Path(self.excuse).exists():
            raise ValueError("nothing without 2_CARS")
        return super().fit(twins, seed)


def test_figures_are_the_same_wherever_rankers_learn(made_up_twins: MadeUp, tmp_path: Path) -> None:
    """Here, as shards of this process and of two others, every figure is bit-identical."""
    twins, rankers = made_up_twins(4), [BoostedTrees(num_rounds=20, num_seeds=1)]
    here = run_benchmark(rankers, twins, seed=3)
    for processes in (0, 2):
        shards = Shards(LocalJobs(tmp_path / str(processes), processes), "demeter")
        assert run_benchmark(rankers, twins, seed=3, shards=shards) == here


def test_what_was_scored_is_not_scored_again(made_up_twins: MadeUp, tmp_path: Path) -> None:
    """A run that fails is named after the others are done, and only that one is learned for again."""
    twins, shards = made_up_twins(5), Shards(LocalJobs(tmp_path / "jobs", processes=0), "demeter")
    ranker = _Forgetful(num_rounds=10, num_seeds=1, excuse=str(tmp_path / "excuse"))
    with pytest.raises(ShardsFailedError, match="2_CARS: ValueError: nothing without 2_CARS") as caught:
        score_held_out(ranker, twins, [], 0, shards)
    assert len(caught.value.failures) == 1
    files = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "jobs").rglob("*.result")}
    assert len(files) == 2
    (tmp_path / "excuse").touch()
    assert score_held_out(ranker, twins, [], 0, shards) == score_held_out(ranker, twins, [], 0)
    after = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "jobs").rglob("*.result")}
    assert files.items() < after.items()
