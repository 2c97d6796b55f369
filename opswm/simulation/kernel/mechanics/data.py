"""Actions on data stores: connection pools, cache contents, running queries, maintenance, the way back."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel import fleet as fleets
from opswm.simulation.kernel.faults import FAULT_INDEX
from opswm.simulation.kernel.mechanics.hits import Hits, begin, relieve
from opswm.simulation.kernel.mechanics.traffic import LEFT_BEHIND
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.resources import WARMING_S
from opswm.simulation.kernel.state import WorldState

FLUSH: Final = 0
WARM: Final = 1
INVALIDATE: Final = 2
FLUSHED_WARMTH: Final = 0.02
WARMING_RUN_S: Final = 1.5 * WARMING_S
INVALIDATED_WARMTH: Final = 0.6
INVALIDATED_KEEP: Final = 0.25
KILL: Final = 0
VACUUM: Final = 1
INDEX: Final = 2
FAILBACK: Final = 3
KILLED_SHARE: Final = 0.5
VACUUM_S: Final = 45.0
INDEX_S: Final = 30.0
FAILBACK_SHARE: Final = 0.25


def pool_resize(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Set the size of the target's connection pool: room where connections lack, contention where CPU does."""
    del parameters
    size = torch.round(hits.amount).clamp(min=1.0)
    return replace(state, settings=replace(state.settings, pool_size=hits.put(state.settings.pool_size, size)))


def cache_op(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Empty a cache (bad entries go, and the good ones too) or warm it (load from behind it, at that one's expense).

    To invalidate only what is known to be bad costs a part of the contents, and leaves some of the bad entries.
    """
    resources = state.resources
    warm, invalid = hits.option == WARM, hits.option == INVALIDATE
    held = hits.at(resources.warmth)
    warmth = torch.where(warm, held, torch.full_like(hits.amount, FLUSHED_WARMTH))
    warmth = torch.where(invalid, held * INVALIDATED_WARMTH, warmth)
    left = torch.where(warm, torch.full_like(hits.amount, WARMING_RUN_S), torch.zeros_like(hits.amount))
    resources = replace(
        resources,
        warmth=hits.put(resources.warmth, warmth),
        warming_left_s=hits.put(resources.warming_left_s, left),
    )
    state = replace(state, resources=resources)
    for some, keep in ((hits.take(~warm & ~invalid), 0.0), (hits.take(invalid), INVALIDATED_KEEP)):
        if some.row.numel():
            state = relieve(state, parameters, some, ("poisoned_cache",), by_origin=False, keep=keep)
    return state


def db_op(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Kill the longest queries, vacuum, make an index, or go back to the primary after a failover."""
    for option, doing in ((KILL, _kill_queries), (VACUUM, _vacuum), (INDEX, _create_index), (FAILBACK, _fail_back)):
        some = hits.take(hits.option == option)
        if some.row.numel():
            state = doing(parameters, state, some)
    return state


def _kill_queries(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with half the queries gone: their locks go with them, and so does their work.

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


def _vacuum(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with a vacuum begun: the disk is busy with it, and afterwards queries no longer read bloat."""
    del parameters
    works = begin(state, hits).works
    return replace(state, works=replace(works, vacuum_left_s=hits.put(works.vacuum_left_s, VACUUM_S)))


def _create_index(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with the making of an index begun: writers wait, and afterwards slow queries are none."""
    del parameters
    works = begin(state, hits).works
    return replace(state, works=replace(works, index_left_s=hits.put(works.index_left_s, INDEX_S)))


def _fail_back(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with databases on their primary again, and with what ails it; nothing where they are on it.

    Like a promotion it drops what is in flight and is an outage, a shorter one, as both sides are up.
    """
    hits = hits.take(hits.at(state.works.promoted) > 0)
    if not hits.row.numel():
        return state
    faults, works = parameters.faults, state.works
    numbers = torch.tensor([FAULT_INDEX[name] for name in sorted(LEFT_BEHIND)], device=faults.kind.device)
    met = torch.isin(faults.kind, numbers) & (faults.there > 0)
    back = (works.behind * hits.mark(works.behind)).gather(1, faults.target)
    left = torch.where(met, torch.maximum(state.fault_left, back), state.fault_left)
    fleet, _ = fleets.lose(state.fleet, parameters.entities, hits.mark(works.behind) * state.fleet.ready)
    start_s = hits.at(parameters.entities.start_s) * FAILBACK_SHARE
    works = replace(works, promoted=hits.put(works.promoted, 0.0), behind=hits.put(works.behind, 0.0))
    dropped = state.resources.dropped + hits.mark(works.behind) * state.flow.present
    return replace(
        state,
        works=works,
        fault_left=left,
        fleet=replace(fleet, start_left_s=hits.put(fleet.start_left_s, start_s)),
        resources=replace(state.resources, dropped=dropped),
    )
