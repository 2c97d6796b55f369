"""Which twins are compared, and how a ranking of them is scored.

The definitions are those of the benchmark: a pair is *clear* when both outcomes were measured and the larger
is at least 1.2 times the smaller; the lower outcome is the better one; equal scores count one half.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.twins import Twin

OutcomeName = Literal["latency", "recovery"]
OUTCOMES: Final[tuple[OutcomeName, ...]] = ("latency", "recovery")
CLEAR_RATIO: Final = 1.2
TIED: Final = 1e-9

Group = tuple[str, int]


@dataclass(frozen=True)
class ClearPair:
    """Two concurrent twins of which one was clearly better.

    Attributes:
        group: Run and start.
        better, worse: Their positions in the list of twins.
    """

    group: Group
    better: int
    worse: int


def outcome_of(twin: Twin, name: OutcomeName) -> float | None:
    """Return one outcome, or ``None`` where it was not measured; lower is better."""
    return twin.outcome.latency_s if name == "latency" else twin.outcome.recovery_s


def clear_pairs(twins: Sequence[Twin], name: OutcomeName, ratio: float = CLEAR_RATIO) -> list[ClearPair]:
    """Return every clear pair within a start group.

    Args:
        twins: Any number of twins of any runs.
        name: Which outcome decides.
        ratio: How many times the smaller outcome the larger must be.
    """
    members: dict[Group, list[int]] = {}
    for index, twin in enumerate(twins):
        if outcome_of(twin, name) is not None:
            members.setdefault(twin.question.group, []).append(index)
    pairs: list[ClearPair] = []
    for group, indices in members.items():
        for first, second in itertools.combinations(indices, 2):
            better, worse = sorted((first, second), key=lambda index: outcome_of(twins[index], name) or 0.0)
            if (outcome_of(twins[worse], name) or 0.0) >= ratio * (outcome_of(twins[better], name) or 0.0):
                pairs.append(ClearPair(group, better, worse))
    return pairs


def hits_by_group(pairs: Sequence[ClearPair], scores: NDArray[np.float64]) -> dict[Group, list[float]]:
    """Return, per start group, 1 for each pair ranked rightly, 0 for each ranked wrongly, 0.5 for each tie.

    Args:
        pairs: The clear pairs.
        scores: Predicted outcome of each twin, on any increasing scale; lower means better.
    """
    hits: dict[Group, list[float]] = {}
    for pair in pairs:
        gap = float(scores[pair.worse] - scores[pair.better])
        hits.setdefault(pair.group, []).append(0.5 if abs(gap) <= TIED else float(gap > 0))
    return hits


@dataclass(frozen=True)
class Accuracy:
    """Share of pairs ranked rightly: over all pairs, and averaged over groups first."""

    pair: float
    group: float


def accuracy(hits: Mapping[Group, Sequence[float]]) -> Accuracy:
    """Average hits over pairs and over groups.

    Args:
        hits: As :func:`hits_by_group` returns them.
    """
    pooled = [hit for group in hits.values() for hit in group]
    return Accuracy(float(np.mean(pooled)), float(np.mean([np.mean(group) for group in hits.values()])))
