"""Rules an operator would use: more of something is better, whatever the load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.pairs import OutcomeName
from opswm.evaluation.demeter.twins import FlinkConfiguration, Twin, TwinQuestion


@dataclass(frozen=True)
class MoreIsBetter:
    """Prefers the configuration with the larger amount of something; learns nothing.

    Attributes:
        name: Its name in result files.
        amount: What there should be more of.
    """

    name: str
    amount: Callable[[FlinkConfiguration], float]

    def fit(self, twins: Sequence[Twin], seed: int) -> "MoreIsBetter":
        """Return itself."""
        return self

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        """Return the negated amount of each configuration."""
        return np.array([-self.amount(question.configuration) for question in questions], dtype=np.float64)


MORE_WORKERS: Final = MoreIsBetter("more_workers", attrgetter("parallelism"))
MORE_CORES_PER_SLOT: Final = MoreIsBetter("more_cores_per_slot", attrgetter("cores"))
"""Named after its formula ``scaleOut * cpu / slots``. Parallelism over slots is the number of TaskManagers, so
what it counts are the cores of the whole job."""
