"""Logged decision points: a world lives through its incident, its operator does one thing, and that is all one sees.

The log keeps what was chosen, the candidates it was chosen from, and the true chance of each. What the other candidates
would have done is known too, on request, since the world is simulated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.branching import Branches
from opswm.simulation.kernel.episodes import Course, EpisodePlan, Lived, branch_courses, live, propose
from opswm.simulation.operators.hidden import staying
from opswm.simulation.operators.policies import Policy, choose, propensities
from opswm.simulation.operators.runbook import runbook_score

REALISED_FUTURE: Final = 0
"""The exogenous future that is lived: the one the past came from, never one of those that truth is taken over."""

WORLDS_AT_ONCE: Final = 64


@dataclass(frozen=True)
class LoggedPoints:
    """A batch of decisions as an operator took them.

    Attributes:
        policy: How they were taken.
        lived: The worlds up to then: what was true and what was seen.
        courses: Candidates that were considered, per world; the first waits.
        score: What the runbook says of each.
        staying: The hidden variable, which telemetry lacks.
        propensity: True chance of each candidate.
        chosen: Which one was taken.
        realised_cost: SLO cost that followed, bad minutes, the action's own cost included.
        realised_bad_share: Bad share of first attempts per objective and tick that followed.
        branches: What every candidate does in shared futures; None where it was not asked for.
    """

    policy: Policy
    lived: Lived
    courses: tuple[tuple[Course, ...], ...]
    score: Float[Tensor, "W S"]
    staying: Float[Tensor, " W"]
    propensity: Float[Tensor, "W S"]
    chosen: Int[Tensor, " W"]
    realised_cost: Float[Tensor, " W"]
    realised_bad_share: Float[Tensor, "W H O"]
    branches: Branches | None = None

    @property
    def chosen_propensity(self) -> Float[Tensor, " W"]:
        """Chance with which each choice was made."""
        return self.propensity.gather(1, self.chosen[:, None])[:, 0]


def log_decisions(
    plan: EpisodePlan,
    world_seeds: Sequence[int],
    policy: Policy,
    num_candidates: int = 16,
    horizon_ticks: int = 32,
    truth_futures: Sequence[int] = (),
    worlds_at_once: int = WORLDS_AT_ONCE,
) -> Iterator[LoggedPoints]:
    """Yield logged decision points in batches of worlds; a seed gives the same point in any batch.

    Args:
        plan: Which systems, how much history.
        world_seeds: One per decision point.
        policy: How operators choose.
        num_candidates: Candidates considered, the wait included.
        horizon_ticks: For how long nobody does anything more.
        truth_futures: Exogenous futures in which every candidate is tried as well, from 1; none for the log alone.
        worlds_at_once: Size of a batch.

    Raises:
        ValueError: When there is no seed or a negative one, or a system has fewer abilities than candidates are wanted.
    """
    for first in range(0, max(1, len(world_seeds)), worlds_at_once):
        lived = live(plan, world_seeds[first : first + worlds_at_once])
        yield decide(lived, policy, num_candidates, horizon_ticks, truth_futures)


def decide(
    lived: Lived,
    policy: Policy,
    num_candidates: int = 16,
    horizon_ticks: int = 32,
    truth_futures: Sequence[int] = (),
) -> LoggedPoints:
    """Return what operators do in worlds that stand at their decision, and what follows.

    Args:
        lived: The worlds.
        policy: How operators choose.
        num_candidates: Candidates considered, the wait included.
        horizon_ticks: For how long nobody does anything more.
        truth_futures: Exogenous futures in which every candidate is tried as well; none for the log alone.

    Raises:
        ValueError: When a system has fewer abilities than candidates are wanted.
    """
    courses = consider(lived, num_candidates)
    score, stays = runbook_score(lived, courses), staying(lived, horizon_ticks)
    propensity = propensities(policy, score, stays)
    chosen = choose(propensity, lived.world_seeds)
    taken = [[world[int(number)]] for world, number in zip(courses, chosen, strict=True)]
    realised = branch_courses(lived, taken, horizon_ticks, [REALISED_FUTURE])
    return LoggedPoints(
        policy=policy,
        lived=lived,
        courses=courses,
        score=score,
        staying=stays,
        propensity=propensity,
        chosen=chosen,
        realised_cost=realised.cost[:, 0, 0],
        realised_bad_share=realised.bad_share[:, 0, 0],
        branches=branch_courses(lived, courses, horizon_ticks, truth_futures) if truth_futures else None,
    )


def consider(lived: Lived, num_candidates: int) -> tuple[tuple[Course, ...], ...]:
    """Return the candidates of each world, drawn without sight of the truth; the first waits.

    Raises:
        ValueError: When a system has fewer abilities than candidates are wanted.
    """
    proposed = propose(num_candidates)
    courses = tuple(tuple(proposed(lived, row)) for row in range(len(lived.world_seeds)))
    for seed, world in zip(lived.world_seeds, courses, strict=True):
        if len(world) < num_candidates:
            raise ValueError(
                f"the system of seed {seed} has {len(world)} courses, waiting included; "
                f"{num_candidates} candidates were asked for: ask for fewer, or leave this seed out"
            )
    return courses


def course_id(blueprint: Blueprint, course: Course) -> str:
    """Return the name under which a candidate of a system is logged.

    Args:
        blueprint: The system.
        course: At most a few actions; none is a wait.
    """
    named = []
    for request in course:
        ability = request.ability
        same = [
            a
            for a in blueprint.abilities
            if (a.type, a.target, a.feature) == (ability.type, ability.target, ability.feature)
        ]
        level = next((a.levels.index(request.level) for a in same if request.level in a.levels), 0)
        feature = f"/{ability.feature}" if ability.feature else ""
        named.append(f"{ability.type}/{ability.target}{feature}/{level}")
    return "#".join(named) or "no_op"
