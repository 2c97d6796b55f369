"""Actions that take effect together: which worlds and entities they hit, and how they touch faults and edges there."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.simulation.kernel.faults import FAULT_INDEX
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.state import WorldState


@dataclass(frozen=True)
class Hits:
    """Actions of one type that take effect in one second, one per line.

    Attributes:
        row, target: World and entity of each.
        edge, amount, second, option, third: As in ``kernel.forcings.ActionTape``.
    """

    row: Int[Tensor, " J"]
    target: Int[Tensor, " J"]
    edge: Int[Tensor, " J"]
    amount: Float[Tensor, " J"]
    second: Float[Tensor, " J"]
    option: Int[Tensor, " J"]
    third: Float[Tensor, " J"]

    def take(self, which: Bool[Tensor, " J"]) -> "Hits":
        """Return the lines that a mask selects."""
        return Hits(**{name: getattr(self, name)[which] for name in Hits.__dataclass_fields__})

    def at(self, field: Float[Tensor, "W N"] | Int[Tensor, "W N"]) -> Tensor:
        """Return a per-entity field at each target."""
        return field[self.row, self.target]

    def put(self, field: Float[Tensor, "W N"], value: Float[Tensor, " J"] | float) -> Float[Tensor, "W N"]:
        """Return a copy of a per-entity field with ``value`` at each target."""
        changed = field.clone()
        changed[self.row, self.target] = torch.as_tensor(value, dtype=field.dtype, device=field.device)
        return changed

    def mark(self, like: Float[Tensor, "W N"]) -> Float[Tensor, "W N"]:
        """Return a field that is 1 at each target and 0 elsewhere."""
        return self.put(torch.zeros_like(like), 1.0)


def begin(state: WorldState, hits: Hits) -> WorldState:
    """Return the state with the worlds marked in which something begins that takes its time (``state.Works``)."""
    begun = state.works.begun.clone()
    begun[hits.row] = 1.0
    return replace(state, works=replace(state.works, begun=begun))


def relieve(
    state: WorldState, parameters: WorldParameters, hits: Hits, kinds: Collection[str], *, by_origin: bool, keep: float
) -> WorldState:
    """Return the state with faults of some kinds at the targets reduced to ``keep`` of what was left of them.

    Args:
        state: Before.
        parameters: The worlds, with their faults.
        hits: Where the actions take effect.
        kinds: Names of fault kinds.
        by_origin: Whether the target must have caused the fault (else it must be where the fault bites).
        keep: Share left, 0 for a cure.
    """
    faults = parameters.faults
    numbers = torch.tensor([FAULT_INDEX[name] for name in sorted(kinds)], device=faults.kind.device)
    where = (faults.origin if by_origin else faults.target)[hits.row]
    meant = torch.isin(faults.kind[hits.row], numbers) & (where == hits.target[:, None]) & (faults.there[hits.row] > 0)
    left = state.fault_left.clone()
    left[hits.row] = torch.where(meant, left[hits.row] * keep, left[hits.row])
    return replace(state, fault_left=left)


def edges_into(parameters: WorldParameters, row: Int[Tensor, " J"], target: Int[Tensor, " J"]) -> Bool[Tensor, "J E"]:
    """Return which edges of each line's world lead to its target."""
    edges = parameters.edges
    return (edges.target[row] == target[:, None]) & (edges.there[row] > 0)


def put_edges(
    field: Float[Tensor, "W E"], row: Int[Tensor, " J"], which: Bool[Tensor, "J E"], value: Float[Tensor, " J"]
) -> Float[Tensor, "W E"]:
    """Return a copy of a per-edge field with each line's value on the edges it selects."""
    changed = field.clone()
    for line in range(_lines_per_world(row)):
        chosen = _nth_line_of_each_world(row, line)
        rows = row[chosen]
        changed[rows] = torch.where(which[chosen], value[chosen][:, None].to(field.dtype), changed[rows])
    return changed


def _lines_per_world(row: Int[Tensor, " J"]) -> int:
    return int(torch.bincount(row).max()) if row.numel() else 0


def _nth_line_of_each_world(row: Int[Tensor, " J"], line: int) -> Int[Tensor, " K"]:
    """Return the positions of the ``line``-th action in each world that has one, so that rows are unique."""
    order = torch.argsort(row, stable=True)
    ordered = row[order]
    first = torch.searchsorted(ordered, ordered)
    rank = torch.arange(row.numel(), device=row.device) - first
    return order[rank == line]
