"""What is expected of each course of a question: effects, and futures where the ranker imagines them."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opswm.planning.ranker import Effects
from opswm.tensors import ActionSlots, Situation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Imagined:
    """Joint futures of the courses of one decision point; sample ``k`` has the same noise in every course.

    Attributes:
        effect: Paired difference to ``no_op`` ``[S, K]``, bad minutes.
        cost: SLO cost ``[S, K]``, bad minutes, without what doing the actions costs.
        bad: Bad share of first attempts ``[S, K, H, O]``.
        recovery: Minutes until users are well served ``[S, K]``, the horizon if never within it.
    """

    effect: Array
    cost: Array
    bad: Array
    recovery: Array


@dataclass(frozen=True)
class Outlook:
    """What is expected of the courses of one decision point.

    Attributes:
        effects: Of a batch of one.
        imagined: Futures, None where the ranker has none.
    """

    effects: Effects
    imagined: Imagined | None


@runtime_checkable
class Adviser(Protocol):
    """A ranker that can be asked one question at a time, at a stated horizon."""

    @property
    def name(self) -> str:
        """Its name in answers and result files."""
        ...

    @property
    def context_ticks(self) -> int:
        """How many ticks of history it looks at."""
        ...

    @property
    def calibration_source(self) -> str:
        """What its intervals were calibrated on, in words."""
        ...

    def outlook(self, situation: Situation, courses: ActionSlots, seed: int, horizon_ticks: int) -> Outlook:
        """Return what is expected of each course.

        Args:
            situation: One decision point.
            courses: Candidate courses, scenario 0 being ``no_op``.
            seed: Of all randomness.
            horizon_ticks: Ticks that the cost is summed over.

        Raises:
            BadInputError: When the horizon is not one it can answer for.
        """
        ...
