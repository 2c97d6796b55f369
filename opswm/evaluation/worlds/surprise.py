"""How much is open about the best type of action once the fault is known: its entropy given the fault, in bits."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from opswm.evaluation.metrics import Ratio
from opswm.evaluation.worlds.fault_lookup import best_fixes
from opswm.evaluation.worlds.points import WorldPoints


def best_type_surprise(points: WorldPoints) -> Ratio:
    """Return how surprising the best type is at each point, given its fault; the mean is the entropy in bits.

    Where types are tied with the best, the fault's most usual one counts, so that chance among equals is no surprise
    (as in the greedy rule for the cover of least entropy: Halperin and Karp 2005). Waiting counts where it is tied.
    Shares are those of these very points, which makes the figure too small where a fault is rare, never too large.

    Args:
        points: Decision points with their true faults.
    """
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for point, label in enumerate(points.labels):
        rows[label].append(point)
    surprise = np.zeros(points.outcomes.num_points)
    for found in rows.values():
        named = _named([{fix.type for fix in best_fixes(points, point)} for point in found])
        counts = Counter(named)
        surprise[found] = [-np.log2(counts[name] / len(found)) for name in named]
    return Ratio(surprise, np.ones(surprise.shape))


def _named(tied: Sequence[set[str]]) -> list[str]:
    """Return one type of each set, as few different ones as a greedy choice needs."""
    named = [""] * len(tied)
    left = set(range(len(tied)))
    while left:
        counts = Counter(name for at in left for name in tied[at])
        usual = min(counts, key=lambda name: (-counts[name], name))
        for at in [at for at in left if usual in tied[at]]:
            named[at] = usual
            left.remove(at)
    return named
