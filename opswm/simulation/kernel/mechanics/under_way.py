"""What goes on by itself, second by second, after actions that take their time have begun."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.faults import Shape
from opswm.simulation.kernel.mechanics.hits import Hits, relieve
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import Works, WorldState

FIRST_SHARE: Final = 0.05
INDEXED_KEEP: Final = 0.1
"""Of slow queries, what is left once they have an index."""
SLIGHTEST: Final = 1e-6


def go_on(parameters: WorldParameters, state: WorldState) -> WorldState:
    """Return the state one second further: rollouts, configuration, new places, maintenance, held-back items.

    Args:
        parameters: The worlds.
        state: The state at the start of the second.
    """
    state = _roll_out_faults(parameters, state)
    if not bool(state.works.begun.any()):
        return state
    works, fleet = state.works, state.fleet
    works, change = _rolled_out(works)
    cold = torch.maximum(fleet.cold, fleet.cold * (1.0 - change) + change)
    works = _configured(works, fleet.rolling_left_s)
    arrived = (fleet.ready - works.seen).clamp(min=0.0) * works.elsewhere
    moved = state.settings.moved
    moved = moved + (1.0 - moved) * arrived / fleet.ready.clamp(min=1.0)
    rolled = works.elsewhere * (fleet.rolling_left_s > 0) / fleet.rolling_left_s.clamp(min=1.0)
    works = replace(works, seen=fleet.ready)
    state = replace(
        state,
        works=_held_back(works, state),
        fleet=replace(fleet, cold=cold, restarts=fleet.restarts + change * fleet.ready),
        settings=replace(state.settings, moved=moved + (1.0 - moved) * rolled),
    )
    state = _follow_rollouts(parameters, state)
    return _maintained(parameters, state)


def _roll_out_faults(parameters: WorldParameters, state: WorldState) -> WorldState:
    """Begin the rollouts of bad versions that set in now; each reaches all replicas after its ``ramp_s``."""
    faults, second = parameters.faults, state.second
    rolled = (faults.shape == Shape.ROLLOUT) & (faults.there > 0)
    due = rolled & (faults.onset_s >= second) & (faults.onset_s < second + 1)
    if not bool(due.any()):
        return state
    row, slot = due.nonzero(as_tuple=True)
    at = (row, faults.origin[row, slot])
    fields = {name: getattr(state.works, name).clone() for name in ("begun", "share", "until", "pace")}
    fields["begun"][row] = 1.0
    fields["share"][at], fields["until"][at] = FIRST_SHARE, 1.0
    fields["pace"][at] = 1.0 / faults.ramp_s[row, slot].clamp(min=1.0)
    return replace(state, works=replace(state.works, **fields))


def _rolled_out(works: Works) -> tuple[Works, torch.Tensor]:
    """Return the rollouts a second later, and the share of replicas that was replaced in it."""
    switched = (works.switch_left_s > 0) & (works.switch_left_s <= 1)
    until = torch.where(switched, torch.ones_like(works.until), works.until)
    step = torch.minimum(torch.maximum(until - works.share, -works.pace), works.pace)
    step = torch.where(switched, until - works.share, step)
    share = works.share + step
    none = (share <= 0) & (until <= 0)
    return replace(
        works,
        share=share,
        until=until,
        switch_left_s=(works.switch_left_s - 1.0).clamp(min=0.0),
        factor=torch.where(none & (works.switch_left_s <= 0), torch.ones_like(share), works.factor),
        errors=torch.where(none & (works.switch_left_s <= 0), torch.zeros_like(share), works.errors),
    ), step.abs()


def _configured(works: Works, rolling_left_s: torch.Tensor) -> Works:
    """Return what replicas run with: those that have restarted as they were told to."""
    step = (rolling_left_s > 0) / rolling_left_s.clamp(min=1.0)
    return replace(
        works,
        slots=works.slots + (works.slots_next - works.slots) * step,
        queue_limit=works.queue_limit + (works.queue_limit_next - works.queue_limit) * step,
    )


def _held_back(works: Works, state: WorldState) -> Works:
    """Return queues and maintenance a second later; purged items are counted with those that come."""
    rate = state.flow.rate
    counted = torch.minimum(works.owed, rate)
    return replace(
        works,
        paused_left_s=(works.paused_left_s - 1.0).clamp(min=0.0),
        owed=works.owed - counted,
        forgone=counted / rate.clamp(min=1e-3),
    )


def _follow_rollouts(parameters: WorldParameters, state: WorldState) -> WorldState:
    """Return the state with faults that come as a rollout as strong as the rollout is wide, and gone when it is."""
    faults = parameters.faults
    rolled = (faults.shape == Shape.ROLLOUT) & (faults.onset_s <= state.second) & (faults.there > 0)
    if not bool(rolled.any()):
        return state
    share, until = (field.gather(1, faults.origin) for field in (state.works.share, state.works.until))
    gone = (share <= 0) & (until <= 0)
    left = torch.where((state.fault_left > 0) & ~gone, share.clamp(min=SLIGHTEST), torch.zeros_like(share))
    return replace(state, fault_left=torch.where(rolled, left, state.fault_left))


def _maintained(parameters: WorldParameters, state: WorldState) -> WorldState:
    """Return databases a second later: a vacuum that is done leaves no bloat, an index spares the slow queries."""
    works = state.works
    vacuumed = (works.vacuum_left_s > 0) & (works.vacuum_left_s <= 1)
    row, target = ((works.index_left_s > 0) & (works.index_left_s <= 1)).nonzero(as_tuple=True)
    works = replace(
        works,
        bloat=torch.where(vacuumed, torch.zeros_like(works.bloat), works.bloat),
        vacuum_left_s=(works.vacuum_left_s - 1.0).clamp(min=0.0),
        index_left_s=(works.index_left_s - 1.0).clamp(min=0.0),
    )
    state = replace(state, works=works)
    if not row.numel():
        return state
    nothing = torch.zeros(len(row), device=works.bloat.device)
    done = Hits(row, target, target, nothing, nothing, target, nothing)
    return relieve(state, parameters, done, ("slow_queries",), by_origin=False, keep=INDEXED_KEEP)
