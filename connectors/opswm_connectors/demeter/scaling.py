"""Scaling that nobody logged, inferred from the number of registered TaskManagers.

The count moves for other reasons too: a rescale takes the job down for half a minute, a fault costs one
TaskManager for some seconds. So only counts that held for a while are levels, and an action is the change from
one level to the next. It can be known only once the new level has held that long, which its second clock says.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from opswm_connectors.demeter.series import Series


@dataclass(frozen=True)
class LevelChange:
    """The TaskManagers settled at another number.

    Attributes:
        began_at: First reading off the old level, unix seconds: about when it was asked for.
        reached_at: First reading at the new level.
        known_at: First reading at which the new level had held long enough to count.
        from_count, to_count: The levels.
    """

    began_at: int
    reached_at: int
    known_at: int
    from_count: int
    to_count: int


def level_changes(task_managers: Series, settled_after_s: int) -> list[LevelChange]:
    """Return the changes between settled, non-zero levels, in order.

    Args:
        task_managers: Registered TaskManagers over time.
        settled_after_s: How long a count must hold to be a level; readings may be missing in between.
    """
    at, count = task_managers.at, task_managers.value
    if not len(at):
        return []
    first = np.flatnonzero(np.diff(count, prepend=np.nan) != 0)
    last = np.append(first[1:], len(count)) - 1
    settled = (at[last] - at[first] >= settled_after_s) & (count[first] > 0)
    levels = [(int(begin), int(end)) for begin, end in zip(first[settled], last[settled], strict=True)]
    return [
        LevelChange(
            began_at=int(at[old_last + 1]),
            reached_at=int(at[new_first]),
            known_at=int(at[np.searchsorted(at, at[new_first] + settled_after_s)]),
            from_count=int(count[old_last]),
            to_count=int(count[new_first]),
        )
        for (_, old_last), (new_first, _) in itertools.pairwise(levels)
        if count[old_last] != count[new_first]
    ]
