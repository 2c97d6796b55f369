"""Decision points with their truth, in memory: systems, incidents, what was seen and done, courses and what they do.

The direct path for training and evaluation: no files, no contracts. Everything is a function of world seeds, so a seed
gives the same decision point in whatever batch it is generated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel import branching
from opswm.simulation.kernel.assemble import assemble, assemble_faults, room_for_faults
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.candidates import draw_candidates, unusualness
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.forcings import ActionTape, Schedule, schedule
from opswm.simulation.kernel.healthy import Actions, System, Warm, seeds_of, settle_ticks, warm_systems
from opswm.simulation.kernel.histories import Histories, begin_histories
from opswm.simulation.kernel.incidents import Incident, Request, draw_incident
from opswm.simulation.kernel.observe import measured, observe
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.past import Done, past_actions
from opswm.simulation.kernel.rows import overwrite_rows, put_rows, take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import Observables
from opswm.simulation.kernel.state import WorldState

MOST_FAULTS: Final = 5
MOST_REQUESTS: Final = 4
INCIDENT_DRAWS: Final = 5
CELLS_AT_ONCE: Final = 32_768
"""Entities in a batch up to which another round costs more than trying more draws in this one."""
ALERT_SHARE: Final = 0.02
ALERT_TICKS: Final = 3
_DESIRED: Final = SIGNALS.index("replicas_desired")

Course = tuple[Request, ...]
Propose = Callable[["Lived", int], Sequence[Course]]
"""Courses to try in one world, the first of which waits."""


@dataclass(frozen=True)
class EpisodePlan:
    """What decision points are generated.

    Attributes:
        system: The demo system, or random ones.
        context_ticks: History before the decision.
        step_s: Telemetry step.
        calm_share: Chance that a decision point is taken although no objective is suffering; others are redrawn until
            one is, as people are called when something is wrong.
        entities: Rough number of entities of random systems; as drawn where left out.
        actions: Whether every type of action can be taken in random systems, or the usual ones.
    """

    system: System = "random"
    context_ticks: int = 128
    step_s: int = 5
    calm_share: float = 0.1
    entities: int | None = None
    actions: Actions = "usual"


@dataclass(frozen=True)
class Lived:
    """Worlds up to their decision: what is true, and what was seen.

    Attributes:
        world_seeds: One per world.
        blueprints: Systems, with their faults.
        incidents: What went wrong.
        parameters, state, past, past_plan: To go on from here.
        value, seen: What monitoring stored, canonical units, signals in the order of ``signals.SIGNALS``.
        exact: The signals themselves.
        done: Past actions of people and autoscalers.
        bad_share: Bad share of first attempts per tick and objective.
    """

    world_seeds: tuple[int, ...]
    blueprints: tuple[Blueprint, ...]
    incidents: tuple[Incident, ...]
    parameters: WorldParameters
    state: WorldState
    past: ActionTape
    past_plan: Schedule
    value: Float[Tensor, "W T N C"]
    seen: Bool[Tensor, "W T N C"]
    exact: Float[Tensor, "W T N C"]
    done: tuple[tuple[Done, ...], ...]
    bad_share: Float[Tensor, "W T O"]

    @property
    def decision_s(self) -> int:
        """Second of the decision."""
        return self.state.second


def live(plan: EpisodePlan, world_seeds: Sequence[int]) -> Lived:
    """Return worlds that have run up to their decision.

    Args:
        plan: Which systems, how much history.
        world_seeds: One per decision point.

    Raises:
        ValueError: When there is no seed, or a seed is negative.
    """
    if not world_seeds or min(world_seeds) < 0:
        raise ValueError(f"give at least one world seed, all of them 0 or more; got {list(world_seeds)[:5]}")
    warm = warm_systems(plan.system, world_seeds, plan.step_s, plan.entities, plan.actions)
    calm = [np.random.default_rng([seed, 3]).random() < plan.calm_share for seed in world_seeds]
    run = _batch(plan, world_seeds, warm)
    incidents = [run.incident(row, 0) for row in range(len(world_seeds))]
    parameters, state, seen, tape = run.run(range(len(world_seeds)), incidents)
    alerting = _alerting(parameters, seen)
    draw = 1
    while draw < INCIDENT_DRAWS:
        again = [row for row in range(len(world_seeds)) if not (calm[row] or alerting[row])]
        if not again:
            break
        ahead = _draws_ahead(INCIDENT_DRAWS - draw, len(again) * seen.signals.shape[2])
        tried = [(row, number) for row in again for number in range(draw, draw + ahead)]
        redrawn = [run.incident(row, number) for row, number in tried]
        new = run.run([row for row, _ in tried], redrawn)
        good = _alerting(new[0], new[2])
        chosen = [_first(good[at : at + ahead]) + at for at in range(0, len(tried), ahead)]
        rows, picked = torch.tensor(again), torch.tensor(chosen)
        parameters = put_rows(parameters, rows, take_rows(new[0], picked))
        state = put_rows(state, rows, take_rows(new[1], picked))
        tape = put_rows(tape, rows, take_rows(new[3], picked))
        overwrite_rows(seen, rows, take_rows(new[2], picked))
        for row, at in zip(again, chosen, strict=True):
            incidents[row], alerting[row] = redrawn[at], good[at]
        draw += ahead
    blueprints = run.blueprints
    del run  # its histories are as large as what was seen
    return _observed(plan, world_seeds, blueprints, incidents, parameters, state, seen, tape)


def propose(count: int) -> Propose:
    """Return a proposer of ``count`` blind candidates per world, no_op first."""

    def chosen(lived: Lived, row: int) -> Sequence[Course]:
        blueprint, value = lived.blueprints[row], lived.value[row].numpy()
        rng = np.random.default_rng([lived.world_seeds[row], 4])
        found = draw_candidates(blueprint, unusualness(value, blueprint), count, float(lived.decision_s), rng)
        return [() if request is None else (request,) for request in found]

    return chosen


def branch_courses(
    lived: Lived, courses: Sequence[Sequence[Course]], horizon_ticks: int, futures: Sequence[int]
) -> branching.Branches:
    """Return what each course of each world does in shared exogenous futures.

    Args:
        lived: Worlds at their decision.
        courses: Courses of each world; all worlds have the same number, and the first waits.
        horizon_ticks: How far to look.
        futures: Numbers of the futures, from 1.
    """
    tapes = [
        tape_of(lived.blueprints, [world[course] for world in courses], _longest(courses))
        for course in range(len(courses[0]))
    ]
    own_cost = torch.tensor([[sum(r.ability.cost for r in course) for course in world] for world in courses])
    worlds = torch.tensor(lived.world_seeds, dtype=torch.int64)
    return branching.branch(
        lived.parameters,
        lived.state,
        lived.past,
        lived.past_plan,
        tapes,
        own_cost.float(),
        horizon_ticks,
        0,
        worlds,
        futures,
    )


@dataclass(frozen=True)
class _Batch:
    """Healthy systems that incidents are tried on, with room for the faults of any of them."""

    plan: EpisodePlan
    world_seeds: tuple[int, ...]
    blueprints: tuple[Blueprint, ...]
    histories: Histories
    room: int
    healthy: WorldParameters

    def incident(self, row: int, draw: int) -> Incident:
        plan = self.plan
        rng = np.random.default_rng([self.world_seeds[row], draw, 5])
        decision_s = float((settle_ticks(plan.step_s) + plan.context_ticks) * plan.step_s)
        return draw_incident(self.blueprints[row], decision_s, float(plan.context_ticks * plan.step_s), rng)

    def run(
        self, rows: Sequence[int], incidents: Sequence[Incident]
    ) -> tuple[WorldParameters, WorldState, Observables, ActionTape]:
        """Run the context of some worlds with these incidents; sizes are those of the whole batch."""
        broken = [
            replace(self.blueprints[row], breakages=incident.breakages)
            for row, incident in zip(rows, incidents, strict=True)
        ]
        chosen = torch.tensor(list(rows))
        parameters = replace(take_rows(self.healthy, chosen), faults=assemble_faults(broken, self.room))
        tape = tape_of(broken, [incident.past for incident in incidents], MOST_REQUESTS)
        seeds = seeds_of([self.world_seeds[row] for row in rows], 0)
        state, seen = self.histories.run(chosen, parameters, tape, seeds)
        return parameters, state, seen, tape


def _batch(plan: EpisodePlan, world_seeds: Sequence[int], warm: Warm) -> _Batch:
    room = room_for_faults(warm.blueprints, MOST_FAULTS)
    healthy = assemble([replace(blueprint, breakages=()) for blueprint in warm.blueprints], room, checked=True)
    return _Batch(
        plan, tuple(world_seeds), warm.blueprints, begin_histories(warm.state, plan.context_ticks), room, healthy
    )


def _alerting(parameters: WorldParameters, seen: Observables) -> list[bool]:
    share = seen.bad[:, -ALERT_TICKS:] / seen.offered[:, -ALERT_TICKS:].clamp(min=1.0)
    weighted = (share * parameters.objectives.weight[:, None]).sum(-1).mean(1)
    return [bool(value) for value in weighted > ALERT_SHARE]


def _observed(
    plan: EpisodePlan,
    world_seeds: Sequence[int],
    healthy: Sequence[Blueprint],
    incidents: Sequence[Incident],
    parameters: WorldParameters,
    state: WorldState,
    seen: Observables,
    tape: ActionTape,
) -> Lived:
    seeds = seeds_of(world_seeds, 0)
    blueprints = [
        replace(blueprint, breakages=incident.breakages) for blueprint, incident in zip(healthy, incidents, strict=True)
    ]
    there = measured(blueprints, seen.signals.shape[2])
    missing = torch.tensor([blueprint.missing_ratio for blueprint in blueprints])
    first = settle_ticks(plan.step_s)
    noisy, gaps = (
        torch.tensor([float(getattr(blueprint, name)) for blueprint in blueprints])
        for name in ("noise_scale", "gap_ratio")
    )
    value, stored = observe(seen.signals, there, missing, seeds, first, plan.step_s, noisy, gaps)
    when = schedule(tape, parameters.operations, seeds)
    desired = seen.signals[..., _DESIRED].numpy()
    done = [
        past_actions(
            blueprints[row],
            incidents[row].past,
            when.effect_s[row].numpy(),
            when.succeeds[row].numpy(),
            seen.scaled[row].numpy(),
            desired[row],
            float(first * plan.step_s),
        )
        for row in range(len(blueprints))
    ]
    return Lived(
        world_seeds=tuple(world_seeds),
        blueprints=tuple(blueprints),
        incidents=tuple(incidents),
        parameters=parameters,
        state=state,
        past=tape,
        past_plan=when,
        value=value,
        seen=stored,
        exact=seen.signals,
        done=tuple(tuple(actions) for actions in done),
        bad_share=seen.bad / seen.offered.clamp(min=1.0),
    )


def _draws_ahead(left: int, cells: int) -> int:
    """Return how many draws to try at once, which changes no result: small batches take as long as larger ones."""
    return max(1, min(left, CELLS_AT_ONCE // max(1, cells)))


def _first(good: Sequence[bool]) -> int:
    """Return the position of the first that is good, the last one where none is."""
    return list(good).index(True) if any(good) else len(good) - 1


def _longest(courses: Sequence[Sequence[Course]]) -> int:
    return max(1, *(len(course) for world in courses for course in world))
