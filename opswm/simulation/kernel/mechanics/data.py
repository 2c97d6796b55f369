"""Actions on data stores: connection pools, cache contents, running queries."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.mechanics.hits import Hits, relieve
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.resources import WARMING_S
from opswm.simulation.kernel.state import WorldState

FLUSH: Final = 0
WARM: Final = 1
INVALIDATE: Final = 2
FLUSHED_WARMTH: Final = 0.02
WARMING_RUN_S: Final = 1.5 * WARMING_S
KILLED_SHARE: Final = 0.5


def pool_resize(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Set the size of the target's connection pool: room where connections lack, contention where CPU does."""
    del parameters
    size = torch.round(hits.amount).clamp(min=1.0)
    return replace(state, settings=replace(state.settings, pool_size=hits.put(state.settings.pool_size, size)))


def cache_op(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Empty a cache (bad entries go, and the good ones too) or warm it (load from behind it, at that one's expense)."""
    resources = state.resources
    warm = hits.option == WARM
    warmth = torch.where(warm, hits.at(resources.warmth), torch.full_like(hits.amount, FLUSHED_WARMTH))
    left = torch.where(warm, torch.full_like(hits.amount, WARMING_RUN_S), torch.zeros_like(hits.amount))
    resources = replace(
        resources,
        warmth=hits.put(resources.warmth, warmth),
        warming_left_s=hits.put(resources.warming_left_s, left),
    )
    state = replace(state, resources=resources)
    emptied = hits.take(~warm)
    if not emptied.row.numel():
        return state
    return relieve(state, parameters, emptied, ("poisoned_cache",), by_origin=False, keep=0.0)


def db_op(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Kill the longest queries of a database: their locks go with them, and so does the work of those killed.

    Queries that a new version keeps sending come back: a third of the trouble stays until it is rolled back.
    """
    resources, flow = state.resources, state.flow
    killed = hits.mark(flow.busy) * flow.busy * KILLED_SHARE
    state = replace(state, resources=replace(resources, dropped=resources.dropped + killed))
    from_version = (parameters.faults.via_version[hits.row] > 0).any(1)
    for mask, keep in ((from_version, 0.33), (~from_version, 0.0)):
        some = hits.take(mask)
        if some.row.numel():
            state = relieve(state, parameters, some, ("lock_contention",), by_origin=False, keep=keep)
    return state
