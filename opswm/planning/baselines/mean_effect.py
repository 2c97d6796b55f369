"""What an action of this type, touching these resources, did on average elsewhere; the situation is not looked at."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.planning.horizon import floors, whole_horizon
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm.tensors import ActionSlots, Batch, Situation

_Key = tuple[int, ...]

MIN_ARMS = 10
"""Fewer arms of one key than this, and the mean over all arms of its type stands in."""


class MeanEffectRanker:
    """Mean and 5 % to 95 % range of past effects per (action type, touched resources).

    Args:
        horizon_ticks: How far ahead is looked.
    """

    name = "mean_effect"

    def __init__(self, horizon_ticks: int) -> None:
        self.horizon_ticks = horizon_ticks
        self._known: dict[_Key, tuple[float, float, float]] = {}

    def fit(self, batches: Iterable[Batch]) -> "MeanEffectRanker":
        """Learn from arms that have an outcome.

        Args:
            batches: With true or estimated effects.

        Raises:
            BadInputError: When no arm but ``no_op`` has an outcome.
        """
        effects: dict[_Key, list[float]] = {}
        for batch in batches:
            keys, effect, arm = _keys(batch.courses), batch.effect.double().numpy(), batch.arm.numpy()
            for row, course in zip(*np.nonzero(arm), strict=True):
                if course:
                    exact = keys[row][course]
                    for key in {exact, exact[:1]}:
                        effects.setdefault(key, []).append(float(effect[row, course]))
        if not effects:
            raise BadInputError("nothing to learn from: no course other than no_op has an outcome")
        self._known = {
            key: (float(np.mean(values)), float(np.quantile(values, 0.05)), float(np.quantile(values, 0.95)))
            for key, values in effects.items()
            if len(values) >= MIN_ARMS or len(key) == 1
        }
        return self

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return the mean effect of each course's kind; 0 with no support for a kind never seen."""
        keys = _keys(courses)
        unknown = (0.0, -1.0, 1.0)
        found = [[self._known.get(key, self._known.get(key[:1], unknown)) for key in row] for row in keys]
        seen = [[float(key[:1] in self._known) for key in row] for row in keys]
        table = np.array(found) * whole_horizon(situation, self.horizon_ticks)[:, None, None]
        return effects_from_intervals(
            table[..., 0],
            table[..., 1],
            table[..., 2],
            np.array(seen),
            np.zeros(table.shape[0]),
            floors(situation, self.horizon_ticks),
            seed,
        )


def _keys(courses: ActionSlots) -> list[list[_Key]]:
    """Types of a course's actions, then the sign of each resource they touch anywhere."""
    there: NDArray[np.bool_] = courses.there.numpy()
    signs = np.sign(np.where(there[..., None, None], courses.affects.numpy(), 0.0).sum(axis=(2, 3))).astype(int)
    types = np.where(there, courses.type.numpy(), 0)
    return [
        [(_type_code(types[row, course]), *signs[row, course].tolist()) for course in range(there.shape[1])]
        for row in range(there.shape[0])
    ]


def _type_code(types: NDArray[np.int64]) -> int:
    """One number for the set of types in a course (a bit per type)."""
    return sum(1 << int(kind) for kind in set(types.tolist()) if kind)
