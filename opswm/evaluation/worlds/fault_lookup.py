"""A quiz-taker: told the true fault, it does what usually was the fix in other worlds. Good worlds leave it behind.

If it did nearly as well as one who knows the whole state, choosing would be a matter of naming the fault.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.decisions import Decisions
from opswm.evaluation.worlds.fixes import WAIT, Fix
from opswm.evaluation.worlds.points import WorldPoints

_PURPOSE: Final = 5


@dataclass(frozen=True)
class Lookup:
    """What is written down for each fault.

    Attributes:
        usual: ``most_often`` the type of action that was best, or tied with the best, in most other worlds with the
            fault; ``on_average`` the one with the best mean effect there (shrunk by one world without any).
        knows_place: Whether it is told where the fault is as well, and has learned where its fix is to be aimed.
    """

    usual: Literal["most_often", "on_average"] = "most_often"
    knows_place: bool = False

    @property
    def name(self) -> str:
        """How settings call it."""
        return f"{self.usual}_{'type_and_place' if self.knows_place else 'type'}"


LOOKUPS: Final = (
    Lookup("most_often"),
    Lookup("most_often", knows_place=True),
    Lookup("on_average"),
    Lookup("on_average", knows_place=True),
)
"""From the plainest reading of a usual fix to the most favourable ones."""


def look_up(points: WorldPoints, lookup: Lookup, seed: int) -> Decisions:
    """Return what the lookup does at each point, having learned from the points of all other worlds.

    Where the usual fix is no candidate it takes the next usual one; where none is left it waits. Candidates that are
    the same fix are told apart by seeded chance.

    Args:
        points: Decision points with their true faults.
        lookup: What is written down.
        seed: Breaks ties.
    """
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for point, label in enumerate(points.labels):
        alike[label].append(point)
    notes = [_note(points, point, lookup) for point in range(points.outcomes.num_points)]
    world, rng = points.outcomes.world, np.random.default_rng([seed, _PURPOSE])
    chosen = np.zeros(points.outcomes.num_points, dtype=np.int64)
    for point, label in enumerate(points.labels):
        others = [other for other in alike[label] if world[other] != world[point]]
        worth = _worth([notes[other] for other in others], lookup)
        offered = [_key(fix, lookup) for fix in points.fixes[point]]
        best = max((worth.get(fix, 0.0) for fix in offered[1:]), default=0.0)
        if best > max(0.0, worth.get(WAIT, 0.0)):
            fitting = [at for at, fix in enumerate(offered) if at and worth.get(fix, 0.0) == best]
            chosen[point] = fitting[int(rng.integers(len(fitting)))]
    return certain(points, chosen)


def foresee(points: WorldPoints) -> Decisions:
    """Return what one does who knows the true state and may try every candidate in futures other than the truth's.

    Args:
        points: Decision points.
    """
    return certain(points, np.asarray(points.foreseen.argmin(axis=1), dtype=np.int64))


def certain(points: WorldPoints, chosen: NDArray[np.int64]) -> Decisions:
    """Return decisions that carry out the chosen course without any doubt or estimate.

    Args:
        points: Decision points.
        chosen: ``[P]`` the course of each; 0 waits.
    """
    outcomes = points.outcomes
    score = np.where(outcomes.there, 1.0, np.inf)
    score[np.arange(outcomes.num_points), chosen] = 0.0
    nothing = np.zeros(outcomes.cost.shape)
    return Decisions(
        value=nothing,
        lower=nothing,
        upper=nothing,
        score=score,
        preferred=chosen,
        recommended=chosen > 0,
        abstained=np.zeros(chosen.shape, dtype=np.bool_),
    )


def best_fixes(points: WorldPoints, point: int) -> set[Fix]:
    """Return the fixes that are tied with the best; waiting alone where it is among them.

    Args:
        points: Decision points.
        point: Which of them.
    """
    outcomes = points.outcomes
    tied = outcomes.there[point] & (outcomes.cost[point] <= outcomes.best_cost[point] + outcomes.floor[point])
    if tied[0]:
        return {WAIT}
    return {fix for at, fix in enumerate(points.fixes[point]) if tied[at]}


def _key(fix: Fix, lookup: Lookup) -> Fix:
    return fix if lookup.knows_place or fix == WAIT else Fix(fix.type, "elsewhere")


def _note(points: WorldPoints, point: int, lookup: Lookup) -> dict[Fix, float]:
    """Return what one point says for each fix that it offered; larger is better."""
    if lookup.usual == "most_often":
        best = {_key(fix, lookup) for fix in best_fixes(points, point)}
        return {_key(fix, lookup): float(_key(fix, lookup) in best) for fix in points.fixes[point]}
    helped: defaultdict[Fix, list[float]] = defaultdict(list)
    effect = points.outcomes.effect[point]
    for at, fix in enumerate(points.fixes[point]):
        helped[_key(fix, lookup)].append(-float(effect[at]))
    return {fix: sum(found) / len(found) for fix, found in helped.items()}


def _worth(notes: Sequence[dict[Fix, float]], lookup: Lookup) -> dict[Fix, float]:
    total: defaultdict[Fix, float] = defaultdict(float)
    times: defaultdict[Fix, int] = defaultdict(int)
    for note in notes:
        for fix, value in note.items():
            total[fix] += value
            times[fix] += 1
    if lookup.usual == "most_often":
        return dict(total)
    return {fix: total[fix] / (times[fix] + 1) for fix in total}
