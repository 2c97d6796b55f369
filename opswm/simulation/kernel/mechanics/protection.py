"""Actions on how others call the target: timeouts, retries and circuit breakers."""

from dataclasses import replace
from typing import Final

import torch

from opswm.simulation.kernel.mechanics.hits import Hits, edges_into, put_edges
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState

MOST_RETRIES: Final = 3.0
TRIP_RATIO: Final = 0.3
DEFAULT_OPEN_S: Final = 30.0


def timeout_retry(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Set the timeout (``amount``, seconds) and the retries (``second``) of all calls to the target; negative keeps."""
    settings = state.settings
    into = edges_into(parameters, hits.row, hits.target)
    timed, tried = hits.amount > 0, hits.second >= 0
    timeout = put_edges(settings.timeout_s, hits.row, into & timed[:, None], hits.amount.clamp(min=0.01))
    retries = put_edges(
        settings.retries, hits.row, into & tried[:, None], torch.round(hits.second).clamp(0.0, MOST_RETRIES)
    )
    return replace(state, settings=replace(settings, timeout_s=timeout, retries=retries))


def circuit_break(parameters: WorldParameters, state: WorldState, hits: Hits) -> WorldState:
    """Let callers stop calling the target for ``eject_s`` whenever three calls in ten fail.

    Callers are free again and the target gets air; a caller that cannot do without the target fails every request.
    """
    settings = state.settings
    into = edges_into(parameters, hits.row, hits.target)
    open_s = torch.where(hits.amount > 0, hits.amount, torch.full_like(hits.amount, DEFAULT_OPEN_S))
    ratio = put_edges(settings.breaker_ratio, hits.row, into, torch.full_like(hits.amount, TRIP_RATIO))
    return replace(
        state,
        settings=replace(
            settings, breaker_ratio=ratio, breaker_open_s=put_edges(settings.breaker_open_s, hits.row, into, open_s)
        ),
    )
