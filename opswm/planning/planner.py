"""The planner over a world model, and any other ranker as an adviser."""

from dataclasses import dataclass
from typing import Any

from opswm.errors import BadInputError
from opswm.planning.outlook import Imagined, Outlook
from opswm.planning.ranker import Effects, Ranker
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.imagine import ImaginedEffects
from opswm.tensors import ActionSlots, Futures, Situation


@dataclass(frozen=True)
class Planner:
    """Ranks courses by imagining each of them, with the same noise, from one belief about the present.

    Attributes:
        imagination: A world model with its calibration.
        name: Its name in answers and result files.
        horizon: Ticks that :meth:`effects` sums over; all that the model imagines where left out.
    """

    imagination: CalibratedModel[Any]
    name: str = "opswm"
    horizon: int | None = None

    @property
    def context_ticks(self) -> int:
        """How many ticks of history the model looks at."""
        return self.imagination.model.context_ticks

    @property
    def horizon_ticks(self) -> int:
        """How many ticks ahead the model imagines."""
        return self.imagination.model.horizon_ticks

    @property
    def calibration_source(self) -> str:
        """What the intervals were calibrated on, in words."""
        return self.imagination.calibration.source

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Estimate the effect of every course (see ``Ranker``)."""
        return _effects(self.imagination.effects(situation, courses, seed, self.horizon))

    def outlook(self, situation: Situation, courses: ActionSlots, seed: int, horizon_ticks: int) -> Outlook:
        """Return effects and joint futures of one decision point.

        Raises:
            BadInputError: When the horizon is beyond what the model imagines.
        """
        found = self.imagination.effects(situation, courses, seed, horizon_ticks)
        return Outlook(_effects(found), Imagined(found.effect[0], found.cost[0], found.bad[0], found.recovery[0]))

    def futures(self, situation: Situation, courses: ActionSlots, seed: int) -> Futures:
        """Return futures with their channel bands, as a forecast or what-if shows them."""
        return self.imagination.futures(situation, courses, seed)


@dataclass(frozen=True)
class PlainAdviser:
    """Any ranker as an adviser: it has effects at its own horizon, and no futures to show.

    Attributes:
        ranker: A runbook, a regressor of effects, an oracle...
        context_ticks: Ticks of history it is given.
        horizon_ticks: The horizon that its effects are about.
        calibration_source: What its intervals were calibrated on, in words.
    """

    ranker: Ranker
    context_ticks: int
    horizon_ticks: int
    calibration_source: str = "none"

    @property
    def name(self) -> str:
        """The ranker's name."""
        return self.ranker.name

    def outlook(self, situation: Situation, courses: ActionSlots, seed: int, horizon_ticks: int) -> Outlook:
        """Return effects of one decision point.

        Raises:
            BadInputError: When another horizon is asked about than the ranker's own.
        """
        if horizon_ticks != self.horizon_ticks:
            raise BadInputError(
                f"a horizon of {horizon_ticks} ticks was asked for; {self.name!r} estimates effects over "
                f"{self.horizon_ticks} ticks only: ask for that one"
            )
        return Outlook(self.ranker.effects(situation, courses, seed), None)


def _effects(found: ImaginedEffects) -> Effects:
    return Effects(found.value, found.lower, found.upper, found.p_harm, found.p_best, found.support, found.cost_no_op)
