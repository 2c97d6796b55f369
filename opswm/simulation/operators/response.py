"""Operators who live through whole incidents: alerted, late, asking for leave, giving up, with routine work in between.

From the moment a set of worlds stands at, all of them go on together; at every look each operator may choose a course
by the logging policy. What was chosen, what came of it and what the log says of it are kept apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.episodes import ALERT_SHARE, ALERT_TICKS, Course, Lived, propose
from opswm.simulation.kernel.forcings import join_slots, schedule
from opswm.simulation.kernel.healthy import seeds_of
from opswm.simulation.kernel.observe import measured, observe
from opswm.simulation.kernel.past import Done
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.operators.desk import Decision, Desk, Task
from opswm.simulation.operators.habits import PROMPT, Habits, draw_delay_s, draw_fate, routine_courses
from opswm.simulation.operators.hidden import staying
from opswm.simulation.operators.journal import autoscaled, journal
from opswm.simulation.operators.policies import Policy, choose, propensities
from opswm.simulation.operators.runbook import scores_in_world


@dataclass(frozen=True)
class Response:
    """Worlds that were looked after.

    Attributes:
        lived: The worlds at the end, with all that was seen until then; ``done`` is what the log says.
        decisions: Of each world's operator, in order.
        unlogged: What was carried out and is missing from the log.
        bad_share: Bad share of first attempts per objective and tick, from where the operators began.
        cost: SLO cost over that time, bad minutes, what actions cost included.
    """

    lived: Lived
    decisions: tuple[tuple[Decision, ...], ...]
    unlogged: tuple[tuple[Done, ...], ...]
    bad_share: Float[Tensor, "W H O"]
    cost: Float[Tensor, " W"]


def respond(
    lived: Lived,
    policy: Policy,
    ticks: int,
    habits: Habits | None = None,
    look_ticks: int = 3,
    num_candidates: int = 16,
    horizon_ticks: int = 32,
) -> Response:
    """Return worlds some time later, with operators who acted as they saw fit.

    Args:
        lived: Where they start.
        policy: How operators choose once they are alerted.
        ticks: How long to go on.
        habits: How they carry it out; the stated ones where left out.
        look_ticks: How often an operator may look.
        num_candidates: Candidates of each choice, the wait included.
        horizon_ticks: How far ahead the hidden variable is known.

    Raises:
        ValueError: When ``ticks`` is no positive multiple of ``look_ticks``.
    """
    if look_ticks < 1 or ticks < 1 or ticks % look_ticks:
        raise ValueError(f"ticks is {ticks} and look_ticks {look_ticks}: give a positive multiple of a positive number")
    shift = _Shift(lived, policy, habits or Habits(), look_ticks, num_candidates, horizon_ticks)
    desks, now, scaled = [Desk() for _ in lived.world_seeds], lived, []
    for _ in range(ticks // look_ticks):
        stays = staying(now, horizon_ticks)
        for row, desk in enumerate(desks):
            shift.look(now, row, desk, float(stays[row]))
        now, changed = shift.go_on(now, desks)
        scaled.append(changed)
    whole, before = torch.cat(scaled, 1), lived.exact.shape[1]
    logged, unlogged = [], []
    for row, desk in enumerate(desks):
        known, missing = journal(lived.blueprints[row], desk, shift.habits)
        known += autoscaled(lived.blueprints[row], whole[row], now.exact[row, before:], float(lived.decision_s))
        logged.append((*lived.done[row], *sorted(known, key=lambda done: done.requested_s)))
        unlogged.append(tuple(missing))
    bad_share = now.bad_share[:, lived.bad_share.shape[1] :]
    weighted = (bad_share * lived.parameters.objectives.weight[:, None]).sum((-1, -2))
    own = torch.tensor([sum(float(task.request.ability.cost) for task in desk.tasks) for desk in desks])
    return Response(
        lived=replace(now, done=tuple(logged)),
        decisions=tuple(tuple(desk.decisions) for desk in desks),
        unlogged=tuple(unlogged),
        bad_share=bad_share,
        cost=weighted * lived.parameters.step_s / 60.0 + own,
    )


@dataclass(frozen=True)
class _Shift:
    """What stays the same while operators are at work."""

    began: Lived
    policy: Policy
    habits: Habits
    look_ticks: int
    num_candidates: int
    horizon_ticks: int

    def look(self, now: Lived, row: int, desk: Desk, stays: float) -> None:
        """Let one operator look at a world, and perhaps choose something to do."""
        now_s, seed, habits = float(now.decision_s), now.world_seeds[row], self.habits
        since_s = alert_since_s(now, row)
        if since_s is None:
            desk.alert_s = None
            if now_s >= desk.busy_until_s:
                self._routine(now, row, desk)
            return
        if desk.alert_s is None:
            desk.alert_s, desk.alerts = since_s, desk.alerts + 1
            desk.ready_s = since_s + draw_delay_s(habits, seed, desk.alerts)
        if now_s < max(desk.ready_s, desk.busy_until_s):
            return
        courses = tuple(propose(self.num_candidates)(now, row))
        score = torch.tensor([scores_in_world(now.blueprints[row], now.value[row], now.seen[row], courses)])
        chance = propensities(self.policy, score, torch.tensor([stays]))
        self._take(now, row, desk, courses, chance, self.policy.policy_id)

    def _routine(self, now: Lived, row: int, desk: Desk) -> None:
        courses = routine_courses(
            self.habits, now.blueprints[row], now.world_seeds[row], now.decision_s, self.look_ticks, self.num_candidates
        )
        if courses:
            chance = torch.full((1, len(courses)), 1.0 / len(courses), dtype=torch.float64)
            self._take(now, row, desk, courses, chance, "routine-uniform")

    def _take(
        self,
        now: Lived,
        row: int,
        desk: Desk,
        courses: tuple[Course, ...],
        chance: Float[Tensor, "W S"],
        policy_id: str,
    ) -> None:
        """Choose one of the courses and put on the desk what comes of it."""
        now_s, seed, occasion = float(now.decision_s), now.world_seeds[row], 1 + len(desk.decisions)
        chosen = int(choose(chance, [seed], occasion)[0])
        course = courses[chosen]
        fate = draw_fate(self.habits, course[0].ability, seed, occasion) if course else PROMPT
        number = len(desk.decisions)
        desk.decisions.append(
            Decision(now_s, desk.alert_s, policy_id, courses, tuple(chance[0].tolist()), chosen, fate)
        )
        asked_s = now_s + fate.answered_after_s
        desk.busy_until_s = asked_s if course else now_s + self.habits.look_again_s
        if fate.goes_ahead:
            desk.tasks += [Task(replace(request, requested_s=asked_s), number, fate.abandoned) for request in course]

    def go_on(self, now: Lived, desks: Sequence[Desk]) -> tuple[Lived, Float[Tensor, "W T N"]]:
        """Return the worlds at the next look, and what autoscalers changed until then."""
        began, seeds, step_s = self.began, seeds_of(now.world_seeds, 0), now.parameters.step_s
        tape = tape_of(now.blueprints, [[task.request for task in desk.tasks] for desk in desks])
        plan = schedule(tape, now.parameters.operations, seeds)
        succeeds = plan.succeeds.clone()
        for row, desk in enumerate(desks):
            for slot, task in enumerate(desk.tasks):
                succeeds[row, slot] &= not task.abandoned
                task.effect_s, task.succeeds = float(plan.effect_s[row, slot]), bool(succeeds[row, slot])
                desk.busy_until_s = max(desk.busy_until_s, task.effect_s + self.habits.look_again_s)
        tape = join_slots(began.past, tape)
        plan = join_slots(began.past_plan, replace(plan, succeeds=succeeds))
        state, seen = simulate(now.parameters, now.state, tape, self.look_ticks, seeds, "all", plan)
        there = measured(now.blueprints, seen.signals.shape[2])
        missing = torch.tensor([blueprint.missing_ratio for blueprint in now.blueprints])
        value, stored = observe(seen.signals, there, missing, seeds, now.decision_s // step_s, step_s)
        later = replace(
            now,
            state=state,
            past=tape,
            past_plan=plan,
            value=torch.cat([now.value, value], 1),
            seen=torch.cat([now.seen, stored], 1),
            exact=torch.cat([now.exact, seen.signals], 1),
            bad_share=torch.cat([now.bad_share, seen.bad / seen.offered.clamp(min=1.0)], 1),
        )
        return later, seen.scaled


def alert_since_s(lived: Lived, row: int) -> float | None:
    """Return the second since which users of a world have been suffering without a pause, None where they are not.

    The rule is that of decision points: the weighted bad share over the last three ticks is above two percent.

    Args:
        lived: The worlds.
        row: Which of them.
    """
    weight = lived.parameters.objectives.weight[row]
    share = (lived.bad_share[row] * weight).sum(-1).double().numpy()
    mean = np.convolve(share, np.full(ALERT_TICKS, 1.0 / ALERT_TICKS), "valid")
    if not len(mean) or mean[-1] <= ALERT_SHARE:
        return None
    quiet = np.flatnonzero(mean <= ALERT_SHARE)
    ticks = len(mean) - (int(quiet[-1]) + 1 if len(quiet) else 0)
    return float(lived.decision_s - (ticks - 1) * lived.parameters.step_s)
