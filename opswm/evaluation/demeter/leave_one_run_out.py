"""The twin benchmark: each run's twins ranked by rankers that learned from all other runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.evaluation.demeter.bootstrap import Hits, Interval, bootstrap
from opswm.evaluation.demeter.heuristics import MORE_CORES_PER_SLOT
from opswm.evaluation.demeter.pairs import OUTCOMES, ClearPair, OutcomeName, clear_pairs, hits_by_group
from opswm.evaluation.demeter.ranker import TwinRanker
from opswm.evaluation.demeter.twins import Twin, TwinQuestion
from opswm_schemas.ports import JobRunner


@dataclass(frozen=True)
class TwinResult:
    """One figure of the result table.

    Attributes:
        model: Name of the ranker.
        metric: ``pair_accuracy_latency``, ``group_accuracy_recovery``...; with ``_minus_more_cores_per_slot``
            appended, the paired difference to that rule.
        interval: The figure and its 95 % group-bootstrap interval.
        num_pairs: Clear pairs behind it.
        num_groups: Start groups behind it.
    """

    model: str
    metric: str
    interval: Interval
    num_pairs: int
    num_groups: int


@dataclass(frozen=True)
class Shards:
    """Where rankers learn and rank, one shard for each held-out run.

    Attributes:
        jobs: Runs them.
        name: Of the jobs; stands for everything the results depend on, beside ranker and run.
    """

    jobs: JobRunner
    name: str


def score_held_out(
    ranker: TwinRanker, twins: Sequence[Twin], extra: Sequence[Twin], seed: int, shards: Shards | None = None
) -> dict[OutcomeName, Hits]:
    """Rank each run's twins after learning from the others, and return the hits by start group for each outcome.

    Args:
        ranker: The ranker to train once per run.
        twins: Twins of all runs under test.
        extra: Further twins to learn from, never scored; runs that are also under test are ignored.
        seed: Of the ranker's randomness.
        shards: Where it learns and ranks; here, one run after another, where left out. The scores are the same.

    Raises:
        BadInputError: When a run has no other run to learn from, or an outcome has no clear pair.
        ShardsFailedError: When ``shards`` are given, and learning or ranking failed in one.
    """
    runs = sorted({twin.question.run for twin in twins})
    pairs = {outcome: clear_pairs(twins, outcome) for outcome in OUTCOMES}
    for outcome in OUTCOMES:
        if not pairs[outcome]:
            raise BadInputError(f"no two concurrent twins differ clearly in {outcome}; there is nothing to score")
    scores = {outcome: np.full(len(twins), np.nan) for outcome in OUTCOMES}
    work: dict[str, partial[bytes]] = {}
    for run in runs:
        learn_from = [twin for twin in twins if twin.question.run != run]
        learn_from += [twin for twin in extra if twin.question.run not in runs]
        if not learn_from:
            raise BadInputError(f"{run!r} is the only run with twins: give a second one, or further ones to train on")
        asked = [twin.question for twin in twins if twin.question.run == run]
        work[run] = partial(_scores, ranker, learn_from, asked, seed)
    for run, found in _carried_out(work, ranker.name, shards).items():
        mine = [index for index, twin in enumerate(twins) if twin.question.run == run]
        by_outcome = np.frombuffer(found, dtype=np.float64).reshape(len(OUTCOMES), len(mine))
        for outcome, values in zip(OUTCOMES, by_outcome, strict=True):
            scores[outcome][mine] = values
    for outcome in OUTCOMES:
        _require_finite(ranker.name, scores[outcome], pairs[outcome])
    return {outcome: hits_by_group(pairs[outcome], scores[outcome]) for outcome in OUTCOMES}


def run_benchmark(
    rankers: Sequence[TwinRanker],
    twins: Sequence[Twin],
    extra: Sequence[Twin] = (),
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
    shards: Shards | None = None,
) -> list[TwinResult]:
    """Score rankers on both outcomes, with differences to ``more_cores_per_slot`` paired by start group.

    Args:
        rankers: What competes; the reference rule is added where it is not among them.
        twins: Twins of all runs under test.
        extra: Further twins to learn from.
        seed: Of learning and of resampling.
        progress: Told what is being done.
        shards: Where rankers learn and rank; here where left out.

    Raises:
        BadInputError: As :func:`score_held_out` raises it.
    """
    reference = MORE_CORES_PER_SLOT
    entrants = [reference, *(ranker for ranker in rankers if ranker.name != reference.name)]
    results: list[TwinResult] = []
    rule: dict[OutcomeName, Hits] = {}
    for ranker in entrants:
        progress(ranker.name)
        hits = score_held_out(ranker, twins, extra, seed, shards)
        rule = rule or hits
        for outcome in OUTCOMES:
            results += _figures(ranker.name, outcome, hits[outcome], None, seed)
            if ranker.name != reference.name:
                results += _figures(ranker.name, outcome, hits[outcome], rule[outcome], seed)
    return results


def _scores(ranker: TwinRanker, learn_from: Sequence[Twin], asked: Sequence[TwinQuestion], seed: int) -> bytes:
    """Return the scores ``[outcome, question]`` of one run's questions, after learning from others."""
    fitted = ranker.fit(learn_from, seed)
    return np.array([fitted.scores(asked, outcome) for outcome in OUTCOMES], dtype=np.float64).tobytes()


def _carried_out(work: dict[str, partial[bytes]], ranker: str, shards: Shards | None) -> dict[str, bytes]:
    if shards is None:
        return {run: shard() for run, shard in work.items()}
    job = f"{shards.name} {ranker}"
    shards.jobs.run(job, work, lambda done, total: None)
    return {run: shards.jobs.result(job, run) for run in work}


def _figures(model: str, outcome: OutcomeName, hits: Hits, reference: Hits | None, seed: int) -> list[TwinResult]:
    intervals = bootstrap(hits, reference, seed)
    suffix = "" if reference is None else f"_minus_{MORE_CORES_PER_SLOT.name}"
    num_pairs = sum(len(group) for group in hits.values())
    return [
        TwinResult(model, f"{kind}_accuracy_{outcome}{suffix}", interval, num_pairs, len(hits))
        for kind, interval in (("pair", intervals.pair), ("group", intervals.group))
    ]


def _require_finite(name: str, scores: NDArray[np.float64], pairs: Sequence[ClearPair]) -> None:
    asked = sorted({index for pair in pairs for index in (pair.better, pair.worse)})
    broken = [index for index in asked if not np.isfinite(scores[index])]
    if broken:
        raise BadInputError(f"{name} gave no finite score to {len(broken)} of {len(asked)} twins in clear pairs")
