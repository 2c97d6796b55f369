"""The seam every world model stands behind: observe a history, imagine courses, learn from branches."""

from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from opswm.tensors import ActionSlots, Batch, Futures, Situation

Belief = TypeVar("Belief")
"""Whatever a model carries from the past into its futures; explicit, never kept inside the model."""


@runtime_checkable
class WorldModel(Protocol[Belief]):
    """A predictor of one future per course of action.

    Wrappers (scaling, ensembles) and simulating baselines are world models too.
    """

    @property
    def horizon_ticks(self) -> int:
        """How many ticks ahead it can imagine; a longer question is refused above this seam."""
        ...

    @property
    def context_ticks(self) -> int:
        """How many context ticks it looks at; longer histories are cut, shorter ones are padded as unseen."""
        ...

    def observe(self, situation: Situation) -> Belief:
        """Encode the history once, without any knowledge of the courses.

        Args:
            situation: Everything known at the decision; nothing stamped after it.
        """
        ...

    def imagine(self, belief: Belief, courses: ActionSlots, generator: torch.Generator, bands: bool = True) -> Futures:
        """Decode all courses in parallel from one belief.

        Args:
            belief: From :meth:`observe`.
            courses: Requests only (type, target, parameters, requested tick); scenario 0 is no_op.
            generator: Source of the noise that all courses share (common random numbers).
            bands: Whether channel quantiles are wanted; without them ``Futures.channel`` has no entities, which
                is all that ranking needs and much cheaper.
        """
        ...

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named terms of the training loss, ``total`` among them."""
        ...
