"""Actions on what a platform goes by: bounds and aim of an autoscaler, the configuration that replicas start with."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.mechanics import capacity
from opswm.simulation.kernel.mechanics.hits import Hits, begin
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState

WORKER_THREADS: Final = 0
QUEUE_CAPACITY: Final = 1
LOWEST_TARGET: Final = 0.05


def autoscaler_policy(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Set the least (``amount``) and most (``second``) replicas of an autoscaler and its aim (``third``).

    It acts on them when it looks again. A low maximum starves the target, a low aim crowds what is behind it; without
    an autoscaler nothing happens.
    """
    hits = hits.take(hits.at(parameters.entities.scaler_on) > 0)
    fleet = state.fleet
    least = torch.where(hits.amount >= 0, hits.amount, hits.at(fleet.scaler_min))
    most = torch.where(hits.second >= 0, hits.second, hits.at(fleet.scaler_max))
    most = torch.minimum(most, hits.at(parameters.entities.replicas_max))
    target = torch.where(hits.third > 0, hits.third.clamp(min=LOWEST_TARGET), hits.at(fleet.scaler_target))
    return replace(
        state,
        fleet=replace(
            fleet,
            scaler_min=hits.put(fleet.scaler_min, torch.minimum(least, most)),
            scaler_max=hits.put(fleet.scaler_max, most),
            scaler_target=hits.put(fleet.scaler_target, target),
            scaler_set=hits.put(fleet.scaler_set, 1.0),
        ),
    )


def config_change(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Set worker threads (slots of a replica) or places to wait; replicas read it as they restart one after the other.

    More threads crowd what they work with, fewer leave it idle. An entity of a single replica goes down for it.
    """
    works, amount = state.works, torch.round(hits.amount).clamp(min=1.0)
    threads = hits.option == WORKER_THREADS
    slots = torch.where(threads, amount, hits.at(works.slots_next))
    places = torch.where(threads, hits.at(works.queue_limit_next), amount)
    works = replace(
        works, slots_next=hits.put(works.slots_next, slots), queue_limit_next=hits.put(works.queue_limit_next, places)
    )
    state = begin(replace(state, works=works), hits)
    single = hits.at(state.fleet.ready) < 1.5
    some = hits.take(single)
    if some.row.numel():
        works = state.works
        works = replace(
            works,
            slots=some.put(works.slots, slots[single]),
            queue_limit=some.put(works.queue_limit, places[single]),
        )
        state = capacity.kill_instance(
            parameters, replace(state, works=works), replace(some, amount=some.at(state.fleet.ready))
        )
    return capacity.roll(parameters, state, hits.take(~single))
