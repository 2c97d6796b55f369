"""What actions that have begun change in a second's conditions: versions, configuration, maintenance, quarantine."""

from dataclasses import dataclass
from typing import Final

from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState
from opswm.simulation.kernel.wiring import Wiring

VACUUM_LOG_IO: Final = 0.7
"""A vacuum reads and writes whole tables: the disk takes twice as long for everybody else."""
VACUUM_SERVICE: Final = 0.25
INDEX_LOCK: Final = 2.0
"""Writers wait while an index is made, by this many times their own time where connections are few."""


@dataclass(frozen=True)
class Alterations:
    """What to multiply or add, per entity.

    Attributes:
        service: Factor on the own time of a request.
        log_io: Added log factor on the part of it that needs no CPU.
        lock: Time held under a lock, added, in multiples of the own time.
        errors: Added share of errors.
        up: Factor on the share of arrivals that find a replica.
        reached: Per call edge: factor on the share of calls that get to their target.
        pull: Factor on the pace at which a queue's consumer takes its items.
        slots, queue_limit: Instead of those that the entity began with.
    """

    service: Float[Tensor, "W N"]
    log_io: Float[Tensor, "W N"]
    lock: Float[Tensor, "W N"]
    errors: Float[Tensor, "W N"]
    up: Float[Tensor, "W N"]
    reached: Float[Tensor, " K"]
    pull: Float[Tensor, "W N"]
    slots: Float[Tensor, "W N"]
    queue_limit: Float[Tensor, "W N"]


def alterations(parameters: WorldParameters, wiring: Wiring, state: WorldState) -> Alterations | None:
    """Return what actions that have begun change, None where no world has any.

    Args:
        parameters: The worlds.
        wiring: Index tensors.
        state: The state at the start of the second.
    """
    works = state.works
    if not bool(works.begun.any()):
        return None
    old = 1.0 - works.share
    vacuum = (works.vacuum_left_s > 0).to(old.dtype)
    standby = 1.0 + (parameters.entities.standby_factor - 1.0) * works.promoted
    open_ = 1.0 - works.quarantined
    handed = open_.view(-1).index_select(0, wiring.consumer).view_as(open_) * (works.paused_left_s <= 0)
    return Alterations(
        service=(works.base_factor * old + works.factor * works.share)
        * standby
        * (1.0 + works.bloat)
        * (1.0 + VACUUM_SERVICE * vacuum),
        log_io=VACUUM_LOG_IO * vacuum,
        lock=INDEX_LOCK * (works.index_left_s > 0),
        errors=works.base_errors * old + works.errors * works.share + works.forgone,
        up=open_,
        reached=open_.view(-1).index_select(0, wiring.target),
        pull=handed,
        slots=works.slots,
        queue_limit=works.queue_limit,
    )
