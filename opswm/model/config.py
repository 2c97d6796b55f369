"""The sizes of the graph world model; written into every checkpoint."""

from dataclasses import dataclass
from itertools import pairwise

from opswm.errors import BadInputError


@dataclass(frozen=True)
class GraphWorldModelConfig:
    """Sizes that fix the parameters and the questions of a graph world model.

    Attributes:
        width: Size of an entity's latent.
        message_width: Size of what passes over one relation.
        history_rounds: Rounds of message passing over the belief, before any course is known.
        rounds: Rounds of message passing per course; an effect travels as many relations far, and further
            through the summary of all entities.
        hidden: Width of the hidden layer in every round and head.
        members: Heads on the shared trunk, whose disagreement is the epistemic spread.
        noise: Number of shared noise dimensions that decide how far courses err together.
        context_ticks: Ticks of history looked at.
        horizon_ticks: Ticks imagined.
        patch_ticks: Ticks that make one temporal patch; divides both of the above.
        samples: Futures drawn per course; a multiple of ``2 * members`` (antithetic pairs per member).
        autocorrelation: Of the noise of a bad share from one tick to the next.
        quantiles: Levels of the channel bands, increasing and symmetric around 0.5.

    Raises:
        BadInputError: When sizes do not fit together.
    """

    width: int = 64
    message_width: int = 32
    history_rounds: int = 2
    rounds: int = 3
    hidden: int = 128
    members: int = 4
    noise: int = 4
    context_ticks: int = 128
    horizon_ticks: int = 32
    patch_ticks: int = 8
    samples: int = 64
    autocorrelation: float = 0.9
    quantiles: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

    def __post_init__(self) -> None:
        if self.context_ticks % self.patch_ticks or self.horizon_ticks % self.patch_ticks:
            raise BadInputError(
                f"context_ticks {self.context_ticks} and horizon_ticks {self.horizon_ticks} must be multiples of "
                f"patch_ticks {self.patch_ticks}"
            )
        if self.samples % (2 * self.members):
            raise BadInputError(f"samples {self.samples} must be a multiple of 2 * members = {2 * self.members}")
        if min(self.width, self.message_width, self.hidden, self.members, self.noise, self.context_ticks) < 1:
            raise BadInputError(f"every size must be at least 1, got {self}")
        levels = self.quantiles
        lopsided = any(abs(low + high - 1.0) > 1e-9 for low, high in zip(levels, levels[::-1], strict=True))
        if len(levels) % 2 == 0 or lopsided:
            raise BadInputError(f"quantiles {levels} must be symmetric around a middle level of 0.5")
        if any(low >= high for low, high in pairwise(levels)):
            raise BadInputError(f"quantiles {levels} must increase")

    @property
    def context_patches(self) -> int:
        """Temporal patches in the context."""
        return self.context_ticks // self.patch_ticks

    @property
    def horizon_patches(self) -> int:
        """Temporal patches in the horizon."""
        return self.horizon_ticks // self.patch_ticks
