"""A world model, a ranker and an adviser of known behaviour, for the tests of planning."""

from dataclasses import dataclass

import numpy as np
import torch

from opswm.planning.guardrails import Candidate
from opswm.planning.outlook import Imagined, Outlook
from opswm.planning.planner import PlainAdviser, Planner
from opswm.planning.provenance import Sources
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration
from opswm.tensors import ActionSlots, Batch, Futures, Situation
from opswm_schemas.questions import Course
from opswm_schemas.vocabulary import ACTION_INDEX

SOURCES = Sources("toy", "digest", 7, {"metrics": 3})
HORIZON = 24
NUM_SAMPLES = 40


@dataclass(frozen=True)
class ToyModel:
    """A world in which 60 % is bad until an action acts: scaling ends that after six ticks, a restart makes it worse.

    Effects carry the given noise, the same in every course.
    """

    noise: float = 0.01
    horizon_ticks: int = HORIZON
    context_ticks: int = 15

    def observe(self, situation: Situation) -> Situation:
        """Return the situation itself."""
        return situation

    def imagine(
        self, belief: Situation, courses: ActionSlots, generator: torch.Generator, bands: bool = True
    ) -> Futures:
        """Return futures by the rule above; every channel stays at feature 1 with bands 0.5 wide."""
        batch, scenarios = courses.there.shape[:2]
        there = courses.there
        helps = ((courses.type == ACTION_INDEX["scale_horizontal"]) & there).any(dim=2)
        harms = ((courses.type == ACTION_INDEX["restart"]) & there).any(dim=2)
        ahead = torch.arange(self.horizon_ticks)
        share = torch.full((batch, scenarios, self.horizon_ticks), 0.6)
        share = torch.where(helps[..., None] & (ahead >= 6), 0.0, share) + 0.3 * harms[..., None]
        noise = self.noise * torch.randn(batch, 1, NUM_SAMPLES, 1, 1, generator=generator)
        objectives = belief.structure.objective_there.shape[1]
        bad = (share[:, :, None, :, None] + noise * (share > 0)[:, :, None, :, None]).clamp(0.0, 1.0)
        bad = bad.expand(batch, scenarios, NUM_SAMPLES, self.horizon_ticks, objectives)
        effect = bad.mean(dim=(3, 4)) - bad[:, :1].mean(dim=(3, 4))
        entities, slots = belief.structure.meaning.shape[1:] if bands else (0, 0)
        channel = torch.ones(batch, scenarios, self.horizon_ticks, entities, slots, 3)
        return Futures(
            quantiles=torch.tensor([0.05, 0.5, 0.95]),
            channel=channel + torch.tensor([-0.5, 0.0, 0.5]),
            bad=bad,
            effect=effect,
            support=torch.full((batch, scenarios), 0.8),
        )

    def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return zero: there is nothing to learn."""
        return {"total": torch.zeros(())}


def planner(noise: float = 0.01) -> Planner:
    """Return a planner over the toy world."""
    return Planner(CalibratedModel(ToyModel(noise), Calibration()), name="toy")


@dataclass(frozen=True)
class Scripted:
    """A ranker that says what it is told: (value, lower, upper, support) per scenario after ``no_op``."""

    said: tuple[tuple[float, float, float, float], ...]
    name: str = "scripted"

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return the script."""
        return outlook(*self.said, seed=seed).effects


def adviser(*said: tuple[float, float, float, float]) -> PlainAdviser:
    """Return an adviser that says what it is told."""
    return PlainAdviser(Scripted(said), context_ticks=15, horizon_ticks=HORIZON)


def outlook(*said: tuple[float, float, float, float], floor: float = 0.1, seed: int = 0) -> Outlook:
    """Return an outlook with a ``no_op`` in front of what is said."""
    table = np.array([(0.0, 0.0, 0.0, 1.0), *said]).T[:, None]
    value, lower, upper, support = table
    return Outlook(effects_from_intervals(value, lower, upper, support, np.array([1.0]), np.array([floor]), seed), None)


def with_samples(effect: np.ndarray) -> Outlook:
    """Return an outlook with futures whose paired effects are given ``[S, K]``."""
    lower, upper = np.quantile(effect, [0.05, 0.95], axis=1)
    table = outlook(*zip(effect.mean(axis=1)[1:], lower[1:], upper[1:], np.ones(len(effect) - 1), strict=True))
    blank = np.zeros((*effect.shape, 4, 1))
    return Outlook(table.effects, Imagined(effect, effect, blank, np.zeros(effect.shape)))


def candidates(*costs: float, blocked: tuple[int, ...] = ()) -> list[Candidate]:
    """Return candidates with these costs after ``no_op``; those at the given positions are blocked."""
    return [Candidate(Course(course_id="no_op"))] + [
        Candidate(
            Course.model_validate(
                {
                    "course_id": f"c{place}",
                    "actions": [{"target": "web", "params": {"type": "restart", "scope": "all"}}],
                }
            ),
            cost_bad_minutes=cost,
            blocked_by=("guardrail",) if place in blocked else (),
        )
        for place, cost in enumerate(costs, start=1)
    ]
