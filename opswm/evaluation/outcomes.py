"""What candidate courses truly do at each decision point, as the benchmark defines it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opswm.errors import BadInputError


@dataclass(frozen=True)
class Outcomes:
    """Truth of ``P`` decision points with up to ``S`` candidates each, ``no_op`` first; minutes are bad minutes.

    Attributes:
        cost: ``[P, S]`` mean SLO cost over shared futures, each course's own cost included.
        effect_error: ``[P, S]`` standard error of the effect, from paired futures; 0 for ``no_op``.
        there: ``[P, S]`` which candidates exist.
        floor: ``[P]`` noise floor: courses nearer than this are tied.
        world: ``[P]`` number of the world each point is from; points of one world are not independent.

    Raises:
        BadInputError: When shapes differ, a cost that is there is not finite, or ``no_op`` is missing.
    """

    cost: NDArray[np.float64]
    effect_error: NDArray[np.float64]
    there: NDArray[np.bool_]
    floor: NDArray[np.float64]
    world: NDArray[np.int64]

    def __post_init__(self) -> None:
        points, scenarios = self.cost.shape if self.cost.ndim == 2 else (0, 0)
        shapes = {
            "effect_error": (points, scenarios),
            "there": (points, scenarios),
            "floor": (points,),
            "world": (points,),
        }
        wrong = [name for name, shape in shapes.items() if getattr(self, name).shape != shape]
        if points == 0 or scenarios == 0 or wrong:
            raise BadInputError(
                f"costs are {self.cost.shape}; give at least one point [P, S], and {wrong or 'all'} to fit"
            )
        if not self.there[:, 0].all():
            raise BadInputError("every decision point needs no_op as its first candidate")
        if (
            not (np.isfinite(self.cost) & np.isfinite(self.effect_error))[self.there].all()
            or not (self.floor > 0).all()
        ):
            raise BadInputError("costs and their errors must be finite, and noise floors positive")

    @property
    def num_points(self) -> int:
        """How many decision points there are."""
        return int(self.cost.shape[0])

    @property
    def effect(self) -> NDArray[np.float64]:
        """``[P, S]`` difference to ``no_op``; negative helps, 0 where there is no candidate."""
        return np.where(self.there, self.cost - self.cost[:, :1], 0.0)

    @property
    def best_cost(self) -> NDArray[np.float64]:
        """``[P]`` cost of the best candidate."""
        return np.asarray(np.where(self.there, self.cost, np.inf).min(axis=1))

    @property
    def arms(self) -> NDArray[np.bool_]:
        """``[P, S]`` candidates other than ``no_op``."""
        return self.there & (np.arange(self.cost.shape[1]) > 0)

    def cost_of(self, scenario: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return ``[P]`` the cost of one candidate per point.

        Args:
            scenario: ``[P]`` its position.
        """
        return np.asarray(self.cost[np.arange(self.num_points), scenario], dtype=np.float64)

    def take(self, points: NDArray[np.int64] | NDArray[np.bool_]) -> "Outcomes":
        """Return the chosen decision points.

        Args:
            points: Their positions, or a mask.
        """
        return Outcomes(*(getattr(self, name)[points] for name in ("cost", "effect_error", "there", "floor", "world")))
