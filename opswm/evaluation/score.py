"""Figures of rankers over the same decision points: every metric with its interval, and paired differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opswm.errors import BadInputError
from opswm.evaluation.decisions import Decisions, at_coverage
from opswm.evaluation.intervals import bootstrap, upper_bound
from opswm.evaluation.metrics import METRICS, harm_rate, regret
from opswm.evaluation.outcomes import Outcomes
from opswm.evaluation.results import Result, figure

PRIVILEGED: Final = "privileged"
"""A model that is given the true hidden state and the fault label: what could be known at best."""


@dataclass(frozen=True)
class Track:
    """Where a set of decision points belongs in result files.

    Attributes:
        task: Name of the task.
        split: Test split, empty where there is none.
        regime: How training data were collected, empty where that does not apply.
    """

    task: str
    split: str = ""
    regime: str = ""


def score(track: Track, model: str, outcomes: Outcomes, decisions: Decisions, seed: int) -> list[Result]:
    """Return every metric of one ranker, with world-cluster bootstrap intervals.

    ``harm_rate`` is followed by its exact one-sided upper 95 % bound, which takes recommendations as independent.

    Args:
        track: Where the points belong.
        model: The ranker's name in result files.
        outcomes: What courses truly do.
        decisions: What the ranker decided.
        seed: Of the resampling.
    """
    found = []
    for name, metric in METRICS.items():
        ratio = metric(outcomes, decisions)
        interval = bootstrap(ratio, outcomes.world, seed)
        found.append(_figure(track, model, name, interval.value, outcomes.num_points, interval.low, interval.high))
    harmed = harm_rate(outcomes, decisions)
    num_recommended = int(harmed.whole.sum())
    bound = upper_bound(int(harmed.part.sum()), num_recommended)
    found.append(_figure(track, model, "harm_rate_upper95", bound, num_recommended))
    return found


def score_matched(
    track: Track, model: str, outcomes: Outcomes, decisions: Decisions, share: float, seed: int
) -> list[Result]:
    """Return regret and harm of one ranker that acts at a given share of the points, where it is surest.

    Args:
        track: Where the points belong.
        model: The ranker's name in result files.
        outcomes: What courses truly do.
        decisions: What the ranker decided by itself.
        share: Of points to act at, the same for every ranker.
        seed: Of the resampling, and of equal sureness.

    Raises:
        BadInputError: When the share is none.
    """
    matched = at_coverage(decisions, outcomes, share, seed)
    found = []
    for name, metric in (("regret_matched", regret), ("harm_rate_matched", harm_rate)):
        interval = bootstrap(metric(outcomes, matched), outcomes.world, seed)
        found.append(_figure(track, model, name, interval.value, outcomes.num_points, interval.low, interval.high))
    return found


def regret_minus_privileged(
    track: Track, outcomes: Outcomes, by_model: Mapping[str, Decisions], seed: int
) -> list[Result]:
    """Return each ranker's regret minus that of the privileged one, with paired intervals.

    Args:
        track: Where the points belong.
        outcomes: What courses truly do.
        by_model: Decisions of each ranker at the same points, ``privileged`` among them.
        seed: Of the resampling, the same for all.

    Raises:
        BadInputError: When there is no ``privileged`` ranker.
    """
    if PRIVILEGED not in by_model:
        raise BadInputError(f"there is no {PRIVILEGED!r} ranker to compare with; the rankers are {sorted(by_model)}")
    reference = regret(outcomes, by_model[PRIVILEGED])
    found = []
    for model, decisions in by_model.items():
        if model != PRIVILEGED:
            paired = bootstrap(regret(outcomes, decisions), outcomes.world, seed, reference)
            name = "regret_minus_privileged"
            found.append(_figure(track, model, name, paired.value, outcomes.num_points, paired.low, paired.high))
    return found


def _figure(
    track: Track, model: str, metric: str, value: float, n: int, low: float | None = None, high: float | None = None
) -> Result:
    return figure(track.task, model, metric, value, n, low=low, high=high, split=track.split, regime=track.regime)
