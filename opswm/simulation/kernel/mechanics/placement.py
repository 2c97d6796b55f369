"""Actions on where work may go: a node that takes no new replicas, a target that nothing gets through to."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel import fleet as fleets
from opswm.simulation.kernel.mechanics.hits import Hits, begin
from opswm.simulation.kernel.mechanics.traffic import traffic_shift
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState
from opswm_schemas.vocabulary import ENTITY_KINDS

NETWORK: Final = 0
MAINTENANCE: Final = 1
LABEL: Final = 2


def cordon(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Keep new replicas off a host: they land on another one, or wait for a place where there is no other.

    Nothing happens to what runs there, until it is scaled, restarted or replaced.
    """
    entities, state = parameters.entities, begin(state, hits)
    hosts = (entities.kind == ENTITY_KINDS.index("host")) & entities.there
    other = hosts[hits.row].sum(1) > 1
    on_it = (entities.host[hits.row] == hits.target[:, None]) & entities.there[hits.row] & ~hosts[hits.row]
    line, resident = on_it.nonzero(as_tuple=True)
    rows = hits.row[line]
    elsewhere, pending = state.works.elsewhere.clone(), state.fleet.pending.clone()
    elsewhere[rows, resident] = other[line].to(elsewhere.dtype)
    pending[rows, resident] = (~other[line]).to(pending.dtype)
    works = replace(state.works, elsewhere=elsewhere, seen=state.fleet.ready)
    return replace(state, works=works, fleet=replace(state.fleet, pending=pending))


def quarantine(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Take a target out of traffic at once; its peer gets what came to it, or callers are refused.

    Cut off from the network it loses all its work; under maintenance what waits for it. By its label a single
    replica, the sick one first, leaves with what it has, and another is started in its place.
    """
    label = hits.option == LABEL
    one, whole = hits.take(label), hits.take(~label)
    if one.row.numel():
        fleet = state.fleet
        count = one.put(torch.zeros_like(fleet.ready), one.at(fleet.ready).clamp(max=1.0))
        gray = torch.minimum(fleet.gray, count)
        stuck = torch.minimum(fleet.stuck, count - gray)
        fleet = replace(fleet, gray=fleet.gray - gray, stuck=fleet.stuck - stuck)
        fleet, _ = fleets.lose(fleet, parameters.entities, count)
        state = replace(state, fleet=fleet)
    if not whole.row.numel():
        return state
    state = begin(state, whole)
    cut = (whole.option == NETWORK).to(whole.amount.dtype)
    lost = cut * whole.at(state.flow.present) + (1.0 - cut) * whole.at(state.flow.waiting)
    state = replace(
        state,
        works=replace(state.works, quarantined=whole.put(state.works.quarantined, 1.0)),
        resources=replace(state.resources, dropped=whole.put(state.resources.dropped, lost)),
    )
    return traffic_shift(parameters, state, replace(whole, amount=torch.zeros_like(whole.amount)))
