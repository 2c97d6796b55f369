"""Actions on demand and its way: shed, limit, shift, fail over, switch a feature's calls."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel import fleet as fleets
from opswm.simulation.kernel.mechanics.hits import Hits, begin, edges_into, put_edges, relieve
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState

PROMOTION_SHARE: Final = 0.5
"""A promoted standby is ready after this share of a start from nothing."""
LEFT_BEHIND: Final = ("lock_contention", "pool_leak", "gray_replica", "replica_down", "zone_down", "slow_disk")


def load_shed(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Refuse a fraction of arrivals at once; those who are refused count as bad, the others wait less."""
    del parameters
    return replace(
        state, settings=replace(state.settings, shed=hits.put(state.settings.shed, hits.amount.clamp(0.0, 1.0)))
    )


def rate_limit(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Admit at most ``limit_rps``, with a bucket of ``burst`` (one second's worth where none is given)."""
    del parameters
    limit = hits.amount.clamp(min=0.0)
    burst = torch.where(hits.second > 0, hits.second, limit.clamp(min=1.0))
    settings = state.settings
    settings = replace(settings, limit_rps=hits.put(settings.limit_rps, limit), burst=hits.put(settings.burst, burst))
    return replace(state, settings=settings, flow=replace(state.flow, tokens=hits.put(state.flow.tokens, 0.0)))


def traffic_shift(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Send a share of the traffic of two equivalent entities to the target and the rest to its peer.

    Nothing is lost, and the peer must carry what it gets. Without a peer it does nothing.
    """
    peer = hits.at(parameters.entities.peer)
    hits, peer = hits.take(peer >= 0), peer[peer >= 0]
    if not hits.row.numel():
        return state
    share = hits.amount.clamp(0.0, 1.0)
    weight = put_edges(state.settings.weight, hits.row, edges_into(parameters, hits.row, hits.target), share)
    weight = put_edges(weight, hits.row, edges_into(parameters, hits.row, peer), 1.0 - share)
    return replace(state, settings=replace(state.settings, weight=weight))


def failover(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Move the target's work: all traffic to its peer; a database promotes its standby instead.

    A promotion drops what is in flight, is an outage until the standby is ready, starts with cold buffers, and leaves
    locks and leaked connections behind.
    """
    pooled = hits.at(parameters.entities.pooled) > 0
    if bool((~pooled).any()):
        some = hits.take(~pooled)
        state = traffic_shift(parameters, state, replace(some, amount=torch.zeros_like(some.amount)))
    if not bool(pooled.any()):
        return state
    hits = hits.take(pooled)
    before = state.fault_left
    state = relieve(state, parameters, hits, LEFT_BEHIND, by_origin=False, keep=0.0)
    left = torch.zeros_like(state.works.behind).scatter_reduce(
        1, parameters.faults.target, before - state.fault_left, "amax", include_self=True
    )
    works = begin(state, hits).works
    behind = torch.maximum(works.behind, left)
    works = replace(works, promoted=hits.put(works.promoted, 1.0), behind=behind)
    fleet, resources, flow = state.fleet, state.resources, state.flow
    down = hits.put(torch.zeros_like(fleet.ready), hits.at(fleet.ready))
    fleet, _ = fleets.lose(fleet, parameters.entities, down)
    fleet = replace(
        fleet,
        start_left_s=hits.put(fleet.start_left_s, hits.at(parameters.entities.start_s) * PROMOTION_SHARE),
        gray=hits.put(fleet.gray, 0.0),
        stuck=hits.put(fleet.stuck, 0.0),
    )
    dropped = resources.dropped + hits.mark(fleet.ready) * flow.present
    resources = replace(resources, leaked=hits.put(resources.leaked, 0.0), dropped=dropped)
    return replace(state, fleet=fleet, resources=resources, works=works)


def feature_flag(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Switch the calls of one feature off (option 0) or on (1), whatever the callee is doing."""
    del parameters
    hits = hits.take(hits.edge >= 0)
    enabled = state.settings.enabled.clone()
    enabled[hits.row, hits.edge] = hits.option.to(enabled.dtype).clamp(0.0, 1.0)
    return replace(state, settings=replace(state.settings, enabled=enabled))
