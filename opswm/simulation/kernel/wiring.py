"""Index tensors of a batch of call graphs, flattened over worlds so that one gather or scatter serves all of them.

Worlds have different numbers of edges. What is computed for edges is computed for the ``K`` that are there, in order,
and not for the slots ``[W, E]`` in which parameters and states hold them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel.parameters import WorldParameters
from opswm_schemas.vocabulary import ENTITY_KINDS


@dataclass(frozen=True)
class Wiring:
    """Positions in ``[W * N]`` of what edges, hosts, queues and objectives refer to, and masks by kind.

    Attributes:
        edge: Slot in ``[W * E]`` of each edge.
        whole: Whether every slot holds one.
        source, target: Ends of each edge.
        calls, on_path, synchronous, required, on_miss, backoff_s: Of each edge, see ``parameters.Edges``.
        host: The host of each entity (itself where it has none).
        consumer: The consumer of each queue (itself elsewhere).
        entry: The entity of each entry.
        objective: The entity of each objective.
        judged: Entities of all entries, then of all objectives.
        objective_entry: Position in ``[W * G]`` of the entry of each objective.
        resident: 1 where the entity does work on its host.
        queue: 1 where the entity is a queue that its consumer drains.
    """

    edge: Int[Tensor, " K"]
    whole: bool
    source: Int[Tensor, " K"]
    target: Int[Tensor, " K"]
    calls: Float[Tensor, " K"]
    on_path: Float[Tensor, " K"]
    synchronous: Float[Tensor, " K"]
    required: Float[Tensor, " K"]
    on_miss: Float[Tensor, " K"]
    backoff_s: Float[Tensor, " K"]
    host: Int[Tensor, " WN"]
    consumer: Int[Tensor, " WN"]
    entry: Int[Tensor, " WG"]
    objective: Int[Tensor, " WO"]
    judged: Int[Tensor, " J"]
    objective_entry: Int[Tensor, " WO"]
    resident: Float[Tensor, "W N"]
    queue: Float[Tensor, "W N"]

    def of_edges(self, slots: Float[Tensor, "W E"]) -> Float[Tensor, " K"]:
        """Return what the edges that are there hold."""
        flat = slots.reshape(-1)
        return flat if self.whole else flat.index_select(0, self.edge)

    def in_slots(self, edges: Float[Tensor, " K"], like: Float[Tensor, "W E"]) -> Float[Tensor, "W E"]:
        """Return what edges hold in the slots of their worlds, 0 in those that are empty."""
        if self.whole:
            return edges.view(like.shape)
        return edges.new_zeros(like.numel()).index_copy_(0, self.edge, edges).view(like.shape)


def wire(parameters: WorldParameters) -> Wiring:
    """Return the wiring of a batch of worlds."""
    entities = parameters.entities
    worlds, count = entities.kind.shape
    groups = parameters.entries.rate_rps.shape[1]
    edges = parameters.edges
    edge = (edges.there.reshape(-1) > 0).nonzero()[:, 0]
    rows = torch.arange(worlds, device=entities.kind.device)[:, None]
    own = rows * count + torch.arange(count, device=rows.device)[None, :]
    consumer = torch.where(entities.consumer >= 0, rows * count + entities.consumer, own)
    entry = (rows * count + parameters.entries.entity).reshape(-1)
    objective = (rows * count + parameters.objectives.entity).reshape(-1)
    is_host = entities.kind == ENTITY_KINDS.index("host")
    return Wiring(
        edge=edge,
        whole=edge.numel() == edges.there.numel(),
        source=(rows * count + edges.source).reshape(-1)[edge],
        target=(rows * count + edges.target).reshape(-1)[edge],
        calls=edges.calls.reshape(-1)[edge],
        on_path=edges.on_path.reshape(-1)[edge],
        synchronous=edges.synchronous.reshape(-1)[edge],
        required=edges.required.reshape(-1)[edge],
        on_miss=edges.on_miss.reshape(-1)[edge],
        backoff_s=edges.backoff_s.reshape(-1)[edge],
        host=(rows * count + entities.host).reshape(-1),
        consumer=consumer.reshape(-1),
        entry=entry,
        objective=objective,
        judged=torch.cat([entry, objective]),
        objective_entry=(rows * groups + parameters.objectives.entry).reshape(-1),
        resident=(entities.there & ~is_host).float(),
        queue=((entities.kind == ENTITY_KINDS.index("queue")) & (entities.consumer >= 0)).float(),
    )
