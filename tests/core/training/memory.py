"""Training data held in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from opswm.tensors import Batch
from opswm.training.batches import take


@dataclass(frozen=True)
class InMemory:
    """One batch as training data."""

    whole: Batch
    identity: str = "in memory"

    @property
    def num_points(self) -> int:
        """How many decision points there are."""
        return int(self.whole.arm.shape[0])

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Yield all points once in random order."""
        order = torch.randperm(self.num_points, generator=generator)
        for rows in torch.split(order, batch_size):
            yield take(self.whole, rows)
