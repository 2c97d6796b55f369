"""Histories of the same worlds under one incident after the other, each begun where it first differs from good health.

Until the first fault sets in or the first action takes effect, a history is the one in which nothing happens, whatever
befalls the world later: noise depends on neither. So a redrawn incident goes on from the last mark before it.
"""

from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel.forcings import ActionTape, Schedule, schedule
from opswm.simulation.kernel.parameters import Faults, WorldParameters
from opswm.simulation.kernel.rows import join_rows, map_tensors, put_rows, take_rows
from opswm.simulation.kernel.simulate import Observables, simulate
from opswm.simulation.kernel.state import WorldState

MARKS_EVERY: Final = 8
"""Ticks between the marks that a history can be begun at."""

_OBSERVED: Final = tuple(field.name for field in fields(Observables))
T = TypeVar("T")


@dataclass(frozen=True)
class Histories:
    """Where worlds are at marks of a history in which nothing happens, as far as that is known.

    Attributes:
        ticks: Length of the history.
        states: At each mark, all worlds; the first mark is the beginning.
        seen: What was observed between marks.
        known: Up to which mark that holds, for each world.
    """

    ticks: int
    states: list[WorldState]
    seen: list[Observables]
    known: Int[Tensor, " W"]

    def run(
        self, rows: Int[Tensor, " R"], parameters: WorldParameters, tape: ActionTape, seeds: Int[Tensor, " R"]
    ) -> tuple[WorldState, Observables]:
        """Return state and observations at the end of histories in which something may happen.

        The first of them must be of all worlds in order.

        Args:
            rows: The worlds; one may come several times, with different faults.
            parameters: With the faults of each row.
            tape: Actions of each row.
            seeds: Of each row.
        """
        plan = schedule(tape, parameters.operations, seeds)
        first_s, step_s = self.states[0].second, parameters.step_s
        calm = ((_first_event_s(parameters.faults, tape, plan) - first_s) / step_s).clamp(0.0, float(self.ticks))
        clean = (calm.long() // MARKS_EVERY).clamp(max=-(-self.ticks // MARKS_EVERY) - 1)
        begin = torch.minimum(clean, self.known[rows])
        order = torch.argsort(begin, stable=True)
        back = torch.argsort(order)
        rows, begin, clean = rows[order], begin[order], clean[order]
        parameters, tape, plan, seeds = (
            take_rows(parameters, order), take_rows(tape, order), take_rows(plan, order), seeds[order],
        )  # fmt: skip
        state: WorldState | None = None
        whole: Observables | None = None
        under_way = 0
        chosen = parameters
        for mark, start in enumerate(range(0, self.ticks, MARKS_EVERY)):
            now = int((begin <= mark).sum())
            if now > under_way:
                joining = take_rows(self.states[mark], rows[under_way:now])
                joining = replace(joining, fault_left=parameters.faults.there[under_way:now].clone())
                state = joining if state is None else join_rows([state, joining])
                chosen = parameters if now == len(rows) else _first_rows(parameters, now)
                under_way = now
            if state is None:
                whole = _filled(whole, take_rows(self.seen[mark], rows[back]), start, self.ticks)
                continue
            length = min(MARKS_EVERY, self.ticks - start)
            due = _first_rows(plan, now)
            state, seen = simulate(chosen, state, _first_rows(tape, now), length, seeds[:now], plan=due)
            self._remember(mark + 1, rows[:now], clean[:now], state, seen)
            if now < len(rows):
                seen = join_rows([seen, take_rows(self.seen[mark], rows[now:])])
            whole = _filled(whole, take_rows(seen, back), start, self.ticks)
        assert state is not None
        assert whole is not None
        return take_rows(state, back), whole

    def _remember(
        self, mark: int, rows: Int[Tensor, " R"], clean: Int[Tensor, " R"], state: WorldState, seen: Observables
    ) -> None:
        """Keep what is new of the history in which nothing happens."""
        if len(self.seen) < mark:
            self.seen.append(seen)
            self.states.append(state)
            self.known[rows[clean >= mark]] = mark
            return
        new = ((clean >= mark) & (self.known[rows] < mark)).nonzero()[:, 0]
        if new.numel():
            self.seen[mark - 1] = put_rows(self.seen[mark - 1], rows[new], take_rows(seen, new))
            self.states[mark] = put_rows(self.states[mark], rows[new], take_rows(state, new))
            self.known[rows[new]] = mark


def begin_histories(state: WorldState, ticks: int) -> Histories:
    """Return histories of which nothing is known but where they begin.

    Args:
        state: Healthy worlds.
        ticks: Length of the histories.
    """
    return Histories(ticks, [state], [], torch.zeros(len(state.fault_left), dtype=torch.int64))


def _first_event_s(faults: Faults, tape: ActionTape, plan: Schedule) -> Float[Tensor, " R"]:
    """Return the second in which something first happens to each world; infinite where nothing does."""
    onset = torch.floor(faults.onset_s).masked_fill(faults.there <= 0, torch.inf)
    effect = plan.effect_s.masked_fill(~(plan.succeeds & tape.there), torch.inf)
    return torch.cat([onset, effect], 1).amin(1)


def _filled(whole: Observables | None, part: Observables, first: int, ticks: int) -> Observables:
    """Return the observations of a whole history with one more stretch of it filled in, in place."""
    if whole is None:
        whole = map_tensors(part, lambda tensor: tensor.new_empty(tensor.shape[0], ticks, *tensor.shape[2:]))
    for name in _OBSERVED:
        new = getattr(part, name)
        getattr(whole, name)[:, first : first + new.shape[1]] = new
    return whole


def _first_rows(value: T, count: int) -> T:
    return map_tensors(value, lambda tensor: tensor[:count])
