"""How people carry out what they chose: how long they take, whom they ask, what they give up and forget to write down.

Every habit has a stated probability and is drawn apart from the choice itself, so that propensities stay true.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from opswm.simulation.kernel.blueprint import Ability, Blueprint
from opswm.simulation.kernel.episodes import Course
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.mechanics.capacity import ROLLING

RESPONDER: Final = "duty-manager"
"""Who answers proposals; never the one who made them."""

ROUTINE_TYPES: Final = ("scale_horizontal", "restart", "kill_instance", "timeout_retry")
"""What people do to systems that nobody worries about; restarts are rolling ones."""

_FATE_STREAM: Final = 8
_DELAY_STREAM: Final = 9
_ROUTINE_STREAM: Final = 10


@dataclass(frozen=True)
class Habits:
    """Probabilities and durations of what people do; all draws are independent of what the action would achieve.

    Attributes:
        delay_median_s, delay_spread: Time from an alert to the first choice: median, and the spread of its logarithm.
        asks_irreversible, asks_partly, asks_reversible: Chance that an action needs somebody's approval, by how far it
            can be undone.
        rejected_share, expired_share: Chance that a proposal is refused, or never answered; the rest is approved.
        answer_median_s, answer_spread: Time until an answer, as for the delay.
        expires_s: Time after which an unanswered proposal runs out.
        abandoned_share: Chance that an action is started and then given up, without any effect.
        unlogged_share: Chance that an action that was carried out is missing from the log.
        look_again_s: Time from the end of one action, or the start of a deliberate wait, to the next choice.
        routine_per_hour: Routine actions on a system that nobody worries about.
    """

    delay_median_s: float = 60.0
    delay_spread: float = 0.8
    asks_irreversible: float = 0.6
    asks_partly: float = 0.4
    asks_reversible: float = 0.15
    rejected_share: float = 0.1
    expired_share: float = 0.05
    answer_median_s: float = 30.0
    answer_spread: float = 0.7
    expires_s: float = 180.0
    abandoned_share: float = 0.06
    unlogged_share: float = 0.05
    look_again_s: float = 60.0
    routine_per_hour: float = 2.0

    def asks(self, ability: Ability) -> float:
        """Return the chance that an action needs approval."""
        return {
            "irreversible": self.asks_irreversible,
            "partly_reversible": self.asks_partly,
            "reversible": self.asks_reversible,
        }[ability.reversibility]


@dataclass(frozen=True)
class Fate:
    """What becomes of one choice.

    Attributes:
        answer: What was said to it; empty where nobody had to be asked.
        answered_after_s: Time from proposal to answer, or to its running out; whole seconds, 0 without a proposal.
        abandoned: Whether it is given up after its start.
        logged: Whether the log has it.
    """

    answer: Literal["", "approved", "rejected", "expired"]
    answered_after_s: float
    abandoned: bool
    logged: bool

    @property
    def goes_ahead(self) -> bool:
        """Whether the system is asked to do it."""
        return self.answer in ("", "approved")


PROMPT: Final = Fate("", 0.0, False, True)
"""What becomes of a deliberate wait: nobody has to be asked, and it is written down."""


def draw_fate(habits: Habits, ability: Ability, world_seed: int, occasion: int) -> Fate:
    """Return what becomes of a choice; keyed by world and occasion, so that a batch changes nothing.

    Args:
        habits: With which probabilities.
        ability: What was chosen.
        world_seed: Of the world.
        occasion: Which decision of the episode it is.
    """
    rng = np.random.default_rng([world_seed, occasion, _FATE_STREAM])
    asked, said, abandoned, logged = rng.random(4)
    answer_s = _lognormal(habits.answer_median_s, habits.answer_spread, rng)
    answer: Literal["", "approved", "rejected", "expired"] = ""
    after_s = 0.0
    if asked < habits.asks(ability):
        if said < habits.rejected_share:
            answer, after_s = "rejected", min(answer_s, habits.expires_s)
        elif said < habits.rejected_share + habits.expired_share:
            answer, after_s = "expired", habits.expires_s
        else:
            answer, after_s = "approved", min(answer_s, habits.expires_s)
    carried_out = answer in ("", "approved")
    given_up = carried_out and bool(abandoned < habits.abandoned_share)
    forgotten = carried_out and not given_up and bool(logged < habits.unlogged_share)
    return Fate(answer, float(math.ceil(after_s)), given_up, not forgotten)


def draw_delay_s(habits: Habits, world_seed: int, alert: int) -> float:
    """Return the time from an alert to the first choice.

    Args:
        habits: With which distribution.
        world_seed: Of the world.
        alert: Which alert of the episode it is.
    """
    rng = np.random.default_rng([world_seed, alert, _DELAY_STREAM])
    return _lognormal(habits.delay_median_s, habits.delay_spread, rng)


def routine_courses(
    habits: Habits, blueprint: Blueprint, world_seed: int, now_s: int, look_ticks: int, most: int
) -> tuple[Course, ...]:
    """Return routine work to choose from in one look at a healthy system; usually there is none to do.

    Args:
        habits: How often there is some.
        blueprint: The system.
        world_seed: Of the world.
        now_s: Second of the look.
        look_ticks: Ticks until the next.
        most: Courses considered at most.
    """
    rng = np.random.default_rng([world_seed, now_s, _ROUTINE_STREAM])
    if rng.random() >= habits.routine_per_hour * look_ticks * blueprint.step_s / 3600.0:
        return ()
    mild = [
        (ability, level)
        for ability in blueprint.abilities
        if ability.type in ROUTINE_TYPES
        for level in ability.levels
        if ability.type != "restart" or level.option == ROLLING
    ]
    picked = rng.permutation(len(mild))[:most]
    return tuple((Request(mild[at][0], mild[at][1], float(now_s)),) for at in picked)


def _lognormal(median: float, spread: float, rng: np.random.Generator) -> float:
    return median * math.exp(spread * float(rng.normal()))
