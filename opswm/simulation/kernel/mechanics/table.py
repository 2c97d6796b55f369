"""Which mechanics each action type has, and how the ones that are due are carried out."""

from collections.abc import Callable, Mapping
from typing import Final

from opswm.simulation.kernel.forcings import ActionTape, Schedule, due_at
from opswm.simulation.kernel.mechanics import capacity, data, placement, policies, protection, queues, traffic, versions
from opswm.simulation.kernel.mechanics.hits import Hits
from opswm.simulation.kernel.mechanics.under_way import go_on
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState
from opswm_schemas.vocabulary import ACTION_INDEX

Mechanics = Callable[[WorldParameters, WorldState, Hits], WorldState]

MECHANICS: Final[Mapping[int, Mechanics]] = {
    ACTION_INDEX["deploy"]: versions.deploy,
    ACTION_INDEX["rollout_control"]: versions.rollout_control,
    ACTION_INDEX["rollback"]: capacity.rollback,
    ACTION_INDEX["restart"]: capacity.restart,
    ACTION_INDEX["kill_instance"]: capacity.kill_instance,
    ACTION_INDEX["scale_horizontal"]: capacity.scale_horizontal,
    ACTION_INDEX["scale_vertical"]: capacity.scale_vertical,
    ACTION_INDEX["autoscaler_policy"]: policies.autoscaler_policy,
    ACTION_INDEX["config_change"]: policies.config_change,
    ACTION_INDEX["traffic_shift"]: traffic.traffic_shift,
    ACTION_INDEX["failover"]: traffic.failover,
    ACTION_INDEX["drain"]: capacity.drain,
    ACTION_INDEX["cordon"]: placement.cordon,
    ACTION_INDEX["quarantine"]: placement.quarantine,
    ACTION_INDEX["feature_flag"]: traffic.feature_flag,
    ACTION_INDEX["rate_limit"]: traffic.rate_limit,
    ACTION_INDEX["load_shed"]: traffic.load_shed,
    ACTION_INDEX["circuit_break"]: protection.circuit_break,
    ACTION_INDEX["timeout_retry"]: protection.timeout_retry,
    ACTION_INDEX["pool_resize"]: data.pool_resize,
    ACTION_INDEX["cache_op"]: data.cache_op,
    ACTION_INDEX["queue_op"]: queues.queue_op,
    ACTION_INDEX["db_op"]: data.db_op,
}
"""Mechanics by action type; ``no_op`` has none, and types that are absent cannot be carried out here."""


def carry_out(parameters: WorldParameters, state: WorldState, tape: ActionTape, plan: Schedule) -> WorldState:
    """Return the state after the actions that take effect in this second, and what earlier ones go on doing.

    Args:
        parameters: The worlds.
        state: The state at the start of the second.
        tape: What was requested.
        plan: When it takes effect, from ``forcings.schedule``.
    """
    state = go_on(parameters, state)
    row, slot = due_at(tape, plan, state.second).nonzero(as_tuple=True)
    if not row.numel():
        return state
    kinds = tape.type[row, slot]
    for kind in sorted(set(kinds.tolist())):
        mechanics = MECHANICS.get(kind)
        if mechanics is None:
            continue
        of_kind = kinds == kind
        at = (row[of_kind], slot[of_kind])
        hits = Hits(
            at[0], tape.target[at], tape.edge[at], tape.amount[at], tape.second[at], tape.option[at], tape.third[at]
        )
        state = mechanics(parameters, state, hits)
    return state
