"""Actions on versions: deploy a new one in one of four ways, hold, hurry or abort its rollout."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.mechanics import capacity
from opswm.simulation.kernel.mechanics.hits import Hits, begin
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState

ROLLING: Final = 0
CANARY: Final = 1
BLUE_GREEN: Final = 2
RECREATE: Final = 3
PAUSE: Final = 0
PROMOTE: Final = 1
ABORT: Final = 2
CANARY_SHARE: Final = 0.2
SMALLEST_BATCH: Final = 0.1
ABORT_SHARE: Final = 0.5
"""An aborted rollout is gone in this share of a start: most replicas of the version before are still there."""


def deploy(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Put the next version in service, which may be better or worse than the present one; its age starts anew.

    Rolling takes a quarter away while it lasts, or none where extra replicas may be started (``amount``, the surge), in
    batches of that size. A canary halts at a fifth until somebody promotes it. Blue-green sends everybody to fresh
    replicas at once; recreate stops the old version first.
    """
    entities, state = parameters.entities, begin(state, hits)
    works = state.works
    start_s, surge = hits.at(entities.start_s), hits.amount.clamp(max=1.0)
    batch = torch.where(surge > 0, surge.clamp(min=SMALLEST_BATCH), torch.full_like(surge, 0.25))
    usual_s = start_s * capacity.ROLLING_STARTS
    over_s = torch.where(surge > 0, start_s * (1.0 + (1.0 / batch - 1.0) / 3.0), usual_s)
    canary, switched, stopped = (hits.option == one for one in (CANARY, BLUE_GREEN, RECREATE))
    until = torch.where(canary, torch.full_like(surge, CANARY_SHARE), torch.ones_like(surge))
    pace = torch.where(canary, CANARY_SHARE / start_s, 1.0 / over_s)
    before, share = hits.at(works.share), stopped.to(surge.dtype)
    factor, errors = hits.at(works.factor), hits.at(works.errors)
    works = replace(
        works,
        base_factor=hits.put(works.base_factor, hits.at(works.base_factor) * (1.0 - before) + factor * before),
        base_errors=hits.put(works.base_errors, hits.at(works.base_errors) * (1.0 - before) + errors * before),
        factor=hits.put(works.factor, hits.at(entities.next_factor)),
        errors=hits.put(works.errors, hits.at(entities.next_errors)),
        share=hits.put(works.share, share),
        until=hits.put(works.until, torch.where(switched, share, until)),
        pace=hits.put(works.pace, pace),
        switch_left_s=hits.put(works.switch_left_s, start_s * switched),
    )
    fleet = replace(
        state.fleet,
        deployed_s=hits.put(state.fleet.deployed_s, float(state.second)),
        old_version=hits.put(state.fleet.old_version, 0.0),
    )
    state = replace(state, works=works, fleet=fleet)
    state = mend(parameters, state, hits.take(~canary), 1.0)
    state = mend(parameters, state, hits.take(canary), CANARY_SHARE)
    plain = hits.take((hits.option == ROLLING) & (surge <= 0))
    if plain.row.numel():
        state = capacity.roll(parameters, state, plain)
    some = hits.take(stopped)
    if some.row.numel():
        state = capacity.kill_instance(parameters, state, replace(some, amount=some.at(state.fleet.ready)))
    return state


def rollout_control(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Pause a rollout where it is, promote it to all replicas at once, or abort it; nothing where none is under way."""
    works = state.works
    share, waits = hits.at(works.share), hits.at(works.switch_left_s) > 0
    hits = hits.take(((share > 0) & (share < 1)) | (hits.at(works.until) != share) | waits)
    if not hits.row.numel():
        return state
    share, start_s = hits.at(works.share), hits.at(parameters.entities.start_s)
    paused, promoted, aborted = (hits.option == one for one in (PAUSE, PROMOTE, ABORT))
    until = torch.where(promoted, torch.ones_like(share), torch.where(paused, share, torch.zeros_like(share)))
    pace = torch.where(promoted, 1.0 / start_s, 1.0 / (start_s * ABORT_SHARE))
    works = replace(
        works,
        until=hits.put(works.until, until),
        pace=hits.put(works.pace, pace),
        switch_left_s=hits.put(works.switch_left_s, 0.0),
    )
    deployed_s = torch.where(aborted, torch.full_like(share, float(state.second)), hits.at(state.fleet.deployed_s))
    fleet = replace(state.fleet, deployed_s=hits.put(state.fleet.deployed_s, deployed_s))
    return mend(parameters, replace(state, works=works, fleet=fleet), hits.take(promoted), 1.0)


def mend(parameters: WorldParameters, state: WorldState, hits: Hits, share: float) -> WorldState:
    """Return the state with what bad versions of the targets brought reduced by what the next version fixes.

    Args:
        parameters: The worlds.
        state: Before.
        hits: Where a version goes out.
        share: Share of the replicas that it reaches.
    """
    fixes = hits.at(parameters.entities.next_fixes)
    hits, fixes = hits.take(fixes > 0), fixes[fixes > 0]
    if not hits.row.numel():
        return state
    mended = capacity.relieve_version(parameters, state, hits).fault_left
    keep = torch.ones(len(state.fault_left), device=fixes.device)
    keep[hits.row] = 1.0 - fixes * share
    left = torch.where(mended < state.fault_left, state.fault_left * keep[:, None], state.fault_left)
    return replace(state, fault_left=left)
