"""The benchmark's check on itself: generated worlds are no quiz with one answer for each fault."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from opswm.evaluation.decisions import Decisions
from opswm.evaluation.intervals import Interval, bootstrap
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.metrics import METRICS, Metric, regret
from opswm.evaluation.results import Result, ResultFile, figure
from opswm.evaluation.score import PRIVILEGED
from opswm.evaluation.worlds.fault_lookup import LOOKUPS, Lookup, certain, foresee, look_up
from opswm.evaluation.worlds.points import WorldPoints, WorldsConfig, world_points
from opswm.evaluation.worlds.surprise import best_type_surprise

LEAST_REGRET: Final = 0.20
"""What a lookup from the fault must lose more than one who knows everything."""

LEAST_BITS: Final = 1.0
"""Entropy that the best type of action must have, given the fault."""

_TASK: Final = "opsbench"
_REGIME: Final = "branched"
_SHOWN: Final = ("regret", "regret_raw", "top1", "harm_rate")
Settings = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class Quiz:
    """What the check found.

    Attributes:
        strongest: The lookup that loses least at these points, chosen with hindsight.
        by_lookup: What each lookup loses.
        lost: Regret of the strongest over privileged.
        bits: Entropy of the best type of action given the fault.
    """

    strongest: Lookup
    by_lookup: dict[str, float]
    lost: Interval
    bits: Interval

    @property
    def is_passed(self) -> bool:
        """Whether knowing the fault is not enough to choose well."""
        return self.lost.value >= LEAST_REGRET and self.bits.value >= LEAST_BITS


def quiz(points: WorldPoints, seed: int) -> Quiz:
    """Return how far a lookup from the true fault gets, and how much it leaves open.

    Args:
        points: Decision points with their true faults.
        seed: Breaks ties, and of the resampling of worlds.
    """
    outcomes = points.outcomes
    lost = {lookup: regret(outcomes, look_up(points, lookup, seed)) for lookup in LOOKUPS}
    strongest = min(lost, key=lambda lookup: lost[lookup].value)
    return Quiz(
        strongest=strongest,
        by_lookup={lookup.name: ratio.value for lookup, ratio in lost.items()},
        lost=bootstrap(lost[strongest], outcomes.world, seed, regret(outcomes, foresee(points))),
        bits=bootstrap(best_type_surprise(points), outcomes.world, seed),
    )


def bench_worlds(
    config: WorldsConfig,
    seeds: Sequence[int],
    version: str,
    seed: int,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ResultFile:
    """Generate worlds and return what a lookup from the true fault loses there, beside privileged and waiting.

    Args:
        config: Which worlds.
        seeds: One per decision point.
        version: Of the software.
        seed: Breaks ties, and of the resampling of worlds.
        processes: Side by side.
        progress: Told how many points are done, of how many.
    """
    points = world_points(config, seeds, processes, progress)
    found, count = quiz(points, seed), points.outcomes.num_points
    waits = certain(points, np.zeros(count, dtype=np.int64))
    decided = {"fault_lookup": look_up(points, found.strongest, seed), PRIVILEGED: foresee(points), "no_op": waits}
    results = [
        _result(points, model, name, METRICS[name], decisions, seed)
        for model, decisions in decided.items()
        for name in _SHOWN
    ]
    results.append(_figure("fault_lookup", "regret_minus_privileged", found.lost, count))
    results.append(_figure("", "best_type_given_fault_bits", found.bits, count))
    results += [
        _result(points, "", name, METRICS[name], waits, seed) for name in ("no_op_tied_share", "unsettled_share")
    ]
    settings: Settings = {
        "system": config.plan.system,
        "actions": config.plan.actions,
        "entities": config.plan.entities or "as drawn",
        "first_world": min(seeds),
        "last_world": max(seeds),
        "candidates": config.candidates,
        "horizon_ticks": config.horizon_ticks,
        "most_futures": config.most_futures,
        "privileged_futures": config.foreseen_futures,
        "faults": len(set(points.labels)),
        "fault_lookup": found.strongest.name,
        **{f"regret_of_{name}": round(value, 4) for name, value in found.by_lookup.items()},
        "least_regret_minus_privileged": LEAST_REGRET,
        "least_bits": LEAST_BITS,
        "passed": found.is_passed,
    }
    return ResultFile("worlds", version, seed, describe_machine(), tuple(results), settings)


def _result(points: WorldPoints, model: str, name: str, metric: Metric, decisions: Decisions, seed: int) -> Result:
    interval = bootstrap(metric(points.outcomes, decisions), points.outcomes.world, seed)
    return _figure(model, name, interval, points.outcomes.num_points)


def _figure(model: str, metric: str, interval: Interval, count: int) -> Result:
    return figure(_TASK, model, metric, interval.value, count, low=interval.low, high=interval.high, regime=_REGIME)
