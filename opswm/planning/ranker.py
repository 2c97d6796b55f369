"""The seam evaluation sees: situation and candidates in, paired effects with intervals out."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opswm.tensors import ActionSlots, Situation


@dataclass(frozen=True)
class Effects:
    """Estimated effects of a batch of candidate courses, on the SLO cost scale.

    Arrays are ``[B, S]`` in bad minutes over the horizon, scenario 0 being ``no_op`` (its row is zero).
    The cost ``c(a)`` of doing the action itself is not in them; whoever ranks adds it.

    Attributes:
        value: Central estimate of the paired difference to ``no_op``; negative helps.
        lower, upper: Ends of the 90 % interval of that difference.
        p_harm: Probability that the difference exceeds the noise floor.
        p_best: Probability of being within the noise floor of the best course.
        support: How near the question is to what the ranker learned from, 0 to 1.
        cost_no_op: Expected SLO cost under ``no_op``, ``[B]``.
    """

    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    p_harm: NDArray[np.float64]
    p_best: NDArray[np.float64]
    support: NDArray[np.float64]
    cost_no_op: NDArray[np.float64]


@runtime_checkable
class Ranker(Protocol):
    """Anything that can say what candidate courses would change.

    The planner over a world model is one, a boosted-tree effect regressor, a runbook and an oracle are others.
    """

    @property
    def name(self) -> str:
        """Its name in result files."""
        ...

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Estimate the effect of every course.

        Args:
            situation: What is known at the decision, ``B`` points.
            courses: Candidate courses, scenario 0 being ``no_op``.
            seed: Of all randomness; the same seed gives the same answer, bit for bit.
        """
        ...
