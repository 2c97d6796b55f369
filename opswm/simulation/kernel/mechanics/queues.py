"""Actions on queues: hold items back, throw away what waits, bring back what was thrown away."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.mechanics.hits import Hits, begin
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState

PAUSE: Final = 0
PURGE: Final = 1
REPLAY: Final = 2
PAUSE_S: Final = 60.0
"""How long a queue hands out nothing; a replay ends it early."""


def queue_op(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Pause a queue for a minute, purge it, or replay what was purged.

    A pause spares what the consumer loads, and items grow old. A purge frees those that come from those that wait,
    which are lost: as many as would have been in time count as bad beside items still to come. A replay brings them
    back as load, and what is not yet counted does not count.
    """
    state = begin(state, hits)
    works, flow = state.works, state.flow
    goals = parameters.objectives
    meant = (goals.entity[hits.row] == hits.target[:, None]) & (goals.deadline[hits.row] > 0)
    deadline_s = (goals.threshold_s[hits.row] * meant).amax(1)
    purge, replay = hits.option == PURGE, hits.option == REPLAY
    line = hits.at(flow.waiting)
    in_time = torch.minimum(line, hits.at(flow.capacity) * deadline_s)
    parked, owed = hits.at(works.parked), hits.at(works.owed)
    left_s = torch.where(hits.option == PAUSE, torch.full_like(line, PAUSE_S), hits.at(works.paused_left_s))
    none = torch.zeros_like(line)
    works = replace(
        works,
        paused_left_s=hits.put(works.paused_left_s, torch.where(replay, none, left_s)),
        parked=hits.put(works.parked, torch.where(replay, none, parked + line * purge)),
        owed=hits.put(works.owed, torch.where(replay, none, owed + in_time * purge)),
    )
    backlog = hits.at(flow.backlog)
    backlog = backlog - torch.minimum(backlog, line) * purge + parked * replay
    waiting = line * ~purge + parked * replay
    flow = replace(flow, backlog=hits.put(flow.backlog, backlog), waiting=hits.put(flow.waiting, waiting))
    return replace(state, works=works, flow=flow)
