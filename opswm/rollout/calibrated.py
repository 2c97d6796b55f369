"""A world model bound to its calibration: all that planning needs of either."""

from dataclasses import dataclass
from typing import Generic

from opswm.model.world_model import Belief, WorldModel
from opswm.rollout.calibration import Calibration
from opswm.rollout.imagine import ImaginedEffects, imagine_effects, imagine_futures
from opswm.tensors import ActionSlots, Futures, Situation


@dataclass(frozen=True)
class CalibratedModel(Generic[Belief]):
    """Imagines effects and futures.

    Attributes:
        model: Any world model.
        calibration: Of its effect intervals; ``Calibration()`` leaves them as the model states them.
    """

    model: WorldModel[Belief]
    calibration: Calibration

    def effects(
        self, situation: Situation, courses: ActionSlots, seed: int, horizon_ticks: int | None = None
    ) -> ImaginedEffects:
        """Return what each course would change (see ``imagine_effects``)."""
        return imagine_effects(self.model, situation, courses, seed, self.calibration, horizon_ticks)

    def futures(self, situation: Situation, courses: ActionSlots, seed: int) -> Futures:
        """Return the futures of all courses with their channel bands (see ``imagine_futures``)."""
        return imagine_futures(self.model, situation, courses, seed)
