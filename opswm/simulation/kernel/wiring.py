"""Index tensors of a batch of call graphs, flattened over worlds so that one gather or scatter serves all of them."""

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
        source, target: Ends of each edge.
        host: The host of each entity (itself where it has none).
        consumer: The consumer of each queue (itself elsewhere).
        entry: The entity of each entry.
        objective: The entity of each objective.
        judged: Entities of all entries, then of all objectives.
        objective_entry: Position in ``[W * G]`` of the entry of each objective.
        resident: 1 where the entity does work on its host.
        queue: 1 where the entity is a queue that its consumer drains.
    """

    source: Int[Tensor, " WE"]
    target: Int[Tensor, " WE"]
    host: Int[Tensor, " WN"]
    consumer: Int[Tensor, " WN"]
    entry: Int[Tensor, " WG"]
    objective: Int[Tensor, " WO"]
    judged: Int[Tensor, " J"]
    objective_entry: Int[Tensor, " WO"]
    resident: Float[Tensor, "W N"]
    queue: Float[Tensor, "W N"]


def wire(parameters: WorldParameters) -> Wiring:
    """Return the wiring of a batch of worlds."""
    entities = parameters.entities
    worlds, count = entities.kind.shape
    groups = parameters.entries.rate_rps.shape[1]
    rows = torch.arange(worlds, device=entities.kind.device)[:, None]
    own = rows * count + torch.arange(count, device=rows.device)[None, :]
    consumer = torch.where(entities.consumer >= 0, rows * count + entities.consumer, own)
    entry = (rows * count + parameters.entries.entity).reshape(-1)
    objective = (rows * count + parameters.objectives.entity).reshape(-1)
    is_host = entities.kind == ENTITY_KINDS.index("host")
    return Wiring(
        source=(rows * count + parameters.edges.source).reshape(-1),
        target=(rows * count + parameters.edges.target).reshape(-1),
        host=(rows * count + entities.host).reshape(-1),
        consumer=consumer.reshape(-1),
        entry=entry,
        objective=objective,
        judged=torch.cat([entry, objective]),
        objective_entry=(rows * groups + parameters.objectives.entry).reshape(-1),
        resident=(entities.there & ~is_host).float(),
        queue=((entities.kind == ENTITY_KINDS.index("queue")) & (entities.consumer >= 0)).float(),
    )
