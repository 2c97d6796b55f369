"""The seam of this track: learn from some runs' twins, then score the configurations of another run's."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.pairs import OutcomeName
from opswm.evaluation.demeter.twins import Twin, TwinQuestion


@runtime_checkable
class FittedTwinRanker(Protocol):
    """A ranker that has learned all it will."""

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        """Return the predicted outcome of each twin, on any increasing scale; lower means better.

        Args:
            questions: The twins to rank; their outcomes are not to be had.
            outcome: Which outcome is asked about.
        """
        ...


@runtime_checkable
class TwinRanker(Protocol):
    """Anything that can be trained on twins and then rank others."""

    @property
    def name(self) -> str:
        """Its name in result files."""
        ...

    def fit(self, twins: Sequence[Twin], seed: int) -> FittedTwinRanker:
        """Learn from twins of other runs.

        Args:
            twins: Questions with their outcomes.
            seed: Of all randomness in learning.
        """
        ...
