"""Actions on replicas: scale out and up, restart, kill instances, roll back."""

from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import fleet as fleets
from opswm.simulation.kernel.faults import FAULT_INDEX
from opswm.simulation.kernel.mechanics.hits import Hits, relieve
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState
from opswm_schemas.vocabulary import ENTITY_KINDS

ROLLING: Final = 0
ALL: Final = 1
ONE: Final = 2
ROLLING_STARTS: Final = 1.25
"""A rolling restart takes this many start times: three batches that overlap."""
VERSION_FAULTS: Final = (
    "slow_version", "erroring_version", "memory_leak", "lock_contention", "slow_queries", "pool_leak", "poisoned_cache",
    "bad_config",
)  # fmt: skip


def scale_horizontal(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Ask for another number of replicas: more arrive after their start time, fewer leave at once.

    The quota ``replicas_max`` caps it; a saturated database behind the target sees more concurrent work, not less.
    """
    wanted = torch.minimum(hits.amount.clamp(min=0.0), hits.at(parameters.entities.replicas_max))
    return replace(state, fleet=replace(state.fleet, desired=hits.put(state.fleet.desired, torch.round(wanted))))


def scale_vertical(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Give each replica other cores; replicas are replaced one after the other, and memory grows alike."""
    before = hits.at(state.settings.cores)
    cores = hits.amount.clamp(min=0.1)
    memory = (hits.at(state.resources.memory) * before / cores).clamp(max=1.0)
    state = replace(
        state,
        settings=replace(state.settings, cores=hits.put(state.settings.cores, cores)),
        resources=replace(state.resources, memory=hits.put(state.resources.memory, memory)),
    )
    return roll(parameters, state, hits)


def kill_instance(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Remove instances, the sick ones first; the platform replaces them. Their work is lost."""
    entities, fleet = parameters.entities, state.fleet
    count = hits.put(torch.zeros_like(fleet.ready), torch.minimum(hits.amount, hits.at(fleet.ready)))
    gray = torch.minimum(fleet.gray, count)
    stuck = torch.minimum(fleet.stuck, count - gray)
    fleet, loss = fleets.lose(replace(fleet, gray=fleet.gray - gray, stuck=fleet.stuck - stuck), entities, count)
    resources = fleets.freed(state.resources, entities, loss.share)
    resources = replace(
        resources, dropped=resources.dropped + state.flow.present * loss.share * _unfinished(state, hits)
    )
    is_cache = (entities.hit_max > 0).float()
    resources = replace(resources, warmth=resources.warmth * (1.0 - loss.share * is_cache))
    return replace(state, fleet=fleet, resources=resources)


def restart(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Restart instances: at once (an outage, in-flight work lost), rolling (a quarter away for a while) or one.

    Memory, sick replicas and leaked connections start afresh, a cache starts empty. An entity of a single replica
    cannot roll: it goes down.
    """
    single = hits.at(state.fleet.ready) < 1.5
    one = hits.option == ONE
    if bool((one & ~single).any()):
        some = hits.take(one & ~single)
        state = kill_instance(parameters, state, replace(some, amount=torch.ones_like(some.amount)))
    whole = (hits.option == ALL) | single
    if bool(whole.any()):
        some = hits.take(whole)
        state = _return_connections(parameters, state, some)
        state = kill_instance(parameters, state, replace(some, amount=some.at(state.fleet.ready)))
    rolling = ~whole & ~one
    if bool(rolling.any()):
        some = hits.take(rolling)
        state = _return_connections(parameters, state, some)
        state = roll(parameters, _refresh(parameters, state, some), some)
    renewed = hits.take(~one)
    if bool(renewed.row.numel()):  # a process reads its certificate when it starts
        state = relieve(state, parameters, renewed, ("certificate_expired",), by_origin=False, keep=0.0)
    return state


def rollback(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return to the version before: what a new version brought goes away, whatever the old one lacked comes back.

    That is the version before a deployment of an operator where there was one.
    """
    state = relieve_version(parameters, state, hits)
    state = _return_connections(parameters, state, hits)
    works, start_s = state.works, hits.at(parameters.entities.start_s)
    deployed = hits.at(works.share) > 0
    works = replace(
        works,
        until=hits.put(works.until, 0.0),
        pace=hits.put(works.pace, 1.0 / (start_s * ROLLING_STARTS)),
        switch_left_s=hits.put(works.switch_left_s, 0.0),
    )
    fleet = replace(
        state.fleet,
        old_version=hits.put(state.fleet.old_version, torch.where(deployed, hits.at(state.fleet.old_version), 1.0)),
        deployed_s=hits.put(state.fleet.deployed_s, float(state.second)),
    )
    state = _refresh(parameters, replace(state, fleet=fleet, works=works), hits)
    return roll(parameters, state, hits)


def drain(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Move all that runs on the target host elsewhere, replica by replica; what presses on the host matters no more."""
    entities = parameters.entities
    on_it = (entities.host[hits.row] == hits.target[:, None]) & entities.there[hits.row]
    on_it[torch.arange(len(hits.row), device=on_it.device), hits.target] = False
    line, resident = on_it.nonzero(as_tuple=True)
    nothing = torch.zeros(len(line), device=hits.amount.device)
    moved = Hits(hits.row[line], resident, hits.edge[line], nothing, nothing, hits.option[line], nothing)
    settings = replace(state.settings, moved=moved.put(state.settings.moved, 1.0))
    return roll(parameters, replace(state, settings=settings), moved)


def relieve_version(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state without the faults that a new version of the targets brought."""
    faults = parameters.faults
    meant = (faults.origin[hits.row] == hits.target[:, None]) & (faults.via_version[hits.row] > 0)
    meant = meant & torch.isin(
        faults.kind[hits.row], torch.tensor([FAULT_INDEX[name] for name in VERSION_FAULTS], device=faults.kind.device)
    )
    left = state.fault_left.clone()
    left.index_put_((hits.row,), torch.where(meant, torch.zeros_like(left[hits.row]), left[hits.row]))
    return replace(state, fault_left=left)


def _unfinished(state: WorldState, hits: Hits) -> Float[Tensor, "W N"]:
    """Return the share of the targets' work that is not done when their grace is over; all of it without a grace."""
    flow = state.flow
    left = torch.exp(-hits.second.clamp(min=0.0) / hits.at(flow.latency_s).clamp(min=1e-3))
    return hits.put(torch.ones_like(flow.present), left)


def roll(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with the targets' replicas being replaced a quarter at a time."""
    fleet = state.fleet
    left = hits.at(parameters.entities.start_s) * ROLLING_STARTS
    return replace(
        state,
        fleet=replace(
            fleet,
            rolling_left_s=hits.put(fleet.rolling_left_s, left),
            cold=hits.put(fleet.cold, torch.maximum(hits.at(fleet.cold), torch.full_like(left, 0.4))),
            restarts=hits.put(fleet.restarts, hits.at(fleet.restarts) + hits.at(fleet.ready)),
        ),
    )


def _refresh(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state with fresh replicas at the targets: no sick ones, memory as after a start."""
    fleet, resources = state.fleet, state.resources
    is_cache = hits.at(parameters.entities.kind) == ENTITY_KINDS.index("cache")
    warmth = torch.where(is_cache, torch.zeros_like(hits.amount), hits.at(resources.warmth))
    return replace(
        state,
        fleet=replace(fleet, gray=hits.put(fleet.gray, 0.0), stuck=hits.put(fleet.stuck, 0.0)),
        resources=replace(
            resources,
            memory=hits.put(resources.memory, hits.at(parameters.entities.memory_ratio)),
            warmth=hits.put(resources.warmth, warmth),
        ),
    )


def _return_connections(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Return the state after the targets closed their connections: what they leaked elsewhere, and at themselves."""
    faults = parameters.faults
    leaky = (faults.kind[hits.row] == FAULT_INDEX["pool_leak"]) & (faults.origin[hits.row] == hits.target[:, None])
    leaked = hits.put(state.resources.leaked, 0.0)
    line, slot = leaky.nonzero(as_tuple=True)
    rows = hits.row[line]
    leaked[rows, faults.target[rows, slot]] = 0.0
    return replace(state, resources=replace(state.resources, leaked=leaked))
