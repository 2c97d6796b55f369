"""Generated worlds are no quiz: knowing the fault does not tell the answer, and waiting is sometimes as good as any."""

from collections import Counter, defaultdict
from typing import Literal

import numpy as np
import pytest

from opswm.simulation.kernel.branching import truth
from opswm.simulation.kernel.episodes import EpisodePlan, branch_courses, live, propose

WORLDS = 96
HORIZON = 32


@pytest.mark.slow
@pytest.mark.parametrize("system", ["web_shop", "random"])
def test_the_best_action_is_not_decided_by_the_fault(system: Literal["web_shop", "random"]) -> None:
    """Given the fault's true label, the best type of action still has at least one bit of entropy."""
    lived = live(EpisodePlan(system=system), range(500, 500 + WORLDS))
    courses = [propose(14)(lived, row) for row in range(WORLDS)]
    found = truth(branch_courses(lived, courses, HORIZON, [1, 2]), HORIZON, 5)
    best: dict[str, Counter[str]] = defaultdict(Counter)
    for row, course in enumerate(found.cost.argmin(1).tolist()):
        waits = bool(found.tied[row, 0])
        best[lived.incidents[row].label]["no_op" if waits else courses[row][course][0].ability.type] += 1
    entropy = 0.0
    for counts in best.values():
        shares = np.array(list(counts.values())) / counts.total()
        entropy -= counts.total() / WORLDS * float((shares * np.log2(shares)).sum())
    assert entropy >= 1.0
    helped = (found.cost[:, 0] - found.cost.min(1).values).mean()
    assert float(helped) > 0.1
    waiting_is_best = float(found.tied[:, 0].float().mean())
    assert 0.15 < waiting_is_best < 0.7
