"""What faults do to calls on their way, worked out for the edges that they are about: most calls are never touched."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import faults
from opswm.simulation.kernel.faults import Passage
from opswm.simulation.kernel.parameters import Edges, Faults, WorldParameters
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.struck import Struck
from opswm.simulation.kernel.wiring import Wiring

CONNECT_S = 1.0
SHORTEST_S = 1e-3
_WHOLE = 64  # powers of the last few of a row of numbers are rounded otherwise than those of the others


@dataclass(frozen=True)
class Disturbed:
    """The worlds in which faults are about calls, and which calls those are, the same throughout a run.

    Attributes:
        there: The room for faults of all worlds.
        rows: The worlds that are meant.
        faults, edges: Theirs.
        slot: Where the calls are in the slots of those worlds, flattened.
        edge: Where they are among all edges that are there.
    """

    there: Float[Tensor, "W F"]
    rows: Int[Tensor, " R"]
    faults: Faults
    edges: Edges
    slot: Int[Tensor, " X"]
    edge: Int[Tensor, " X"]


@dataclass(frozen=True)
class OnTheWay:
    """What happens to calls on their way in one second.

    Attributes:
        edge: Which edges, by position among those that are there.
        pushes: What happens to them (axis ``faults.Passage``).
    """

    edge: Int[Tensor, " X"]
    pushes: Float[Tensor, "P X"]


def disturbed(parameters: WorldParameters, wiring: Wiring) -> Disturbed | None:
    """Return which calls faults are about, None where there are none.

    Args:
        parameters: The worlds.
        wiring: Their index tensors.
    """
    rows = faults.about_calls(parameters.faults).any(1).nonzero()[:, 0]
    if not rows.numel():
        return None
    struck, edges = take_rows(parameters.faults, rows), take_rows(parameters.edges, rows)
    slot = (faults.meant(struck, edges).any(1)).view(-1).nonzero()[:, 0]
    size = edges.there.shape[1]
    whole = rows[torch.div(slot, size, rounding_mode="floor")] * size + torch.remainder(slot, size)
    return Disturbed(parameters.faults.there, rows, struck, edges, slot, torch.searchsorted(wiring.edge, whole))


def on_the_way(where: Disturbed | None, struck: Struck, level: Float[Tensor, "1 J"]) -> OnTheWay | None:
    """Return what faults do to calls in one second, None where they are about none.

    Args:
        where: Which calls.
        struck: The faults of the batch.
        level: How strong they are now.
    """
    if where is None:
        return None
    strength = struck.in_room(level, where.there).index_select(0, where.rows)
    pushes = faults.passages(where.faults, strength, where.edges)
    return None if pushes is None else OnTheWay(where.edge, pushes.flatten(1).index_select(1, where.slot))


def disturb(
    way: OnTheWay, timeout_s: Float[Tensor, " X"], retries: Float[Tensor, " X"]
) -> tuple[Float[Tensor, " X"], Float[Tensor, " X"], Float[Tensor, " X"]]:
    """Return the share of calls that reach their target, the time callers lose on the way, and what timeouts leave.

    A connection that does not come about is tried again like a call that fails, each time for a second at most.

    Args:
        way: What happens to the calls.
        timeout_s: How long their callers wait.
        retries: How often they try again.
    """
    delay_s = torch.minimum(way.pushes[Passage.DELAY], timeout_s)
    loss = way.pushes[Passage.LOSS].clamp(0.0, 0.99)
    missed = _power(loss, 1.0 + retries)
    tries_lost = loss * (1.0 - missed) / (1.0 - loss)
    spent_s = delay_s * (1.0 - missed) + tries_lost * timeout_s.clamp(max=CONNECT_S)
    return 1.0 - missed, spent_s, (timeout_s - delay_s).clamp(min=SHORTEST_S)


def _power(base: Float[Tensor, " X"], exponent: Float[Tensor, " X"]) -> Float[Tensor, " X"]:
    missing = -len(base) % _WHOLE
    base, exponent = (torch.nn.functional.pad(part, (0, missing)) for part in (base, exponent))
    power: Tensor = base**exponent
    return power[: len(power) - missing]
