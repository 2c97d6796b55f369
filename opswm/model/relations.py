"""Message passing along and against typed relations: load flows one way, backpressure the other."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from opswm.tensors import Structure
from opswm_schemas.vocabulary import RELATION_KINDS


@dataclass(frozen=True)
class RelationIndex:
    """Relations of a batch, as rows of flattened entities.

    Attributes:
        source, target: Rows in ``B * N``.
        kind: Index into ``RELATION_KINDS``.
        to_target, to_source: Weights: 0 for empty slots, else one over the root of how many such messages the
            receiver gets, so that a hub hears more than a leaf but is not drowned.
        entity: Which entities are filled.
    """

    source: Int[Tensor, " BE"]
    target: Int[Tensor, " BE"]
    kind: Int[Tensor, " BE"]
    to_target: Float[Tensor, "BE 1"]
    to_source: Float[Tensor, "BE 1"]
    entity: Bool[Tensor, "B N"]


def index_relations(structure: Structure, dtype: torch.dtype) -> RelationIndex:
    """Return the relations of a batch in flattened form.

    Args:
        structure: The systems.
        dtype: Of the weights.
    """
    batch, entities = structure.entity.shape
    rows = structure.relation + torch.arange(batch, device=structure.relation.device)[:, None, None] * entities
    source, target = rows[..., 0].reshape(-1), rows[..., 1].reshape(-1)
    there = structure.relation_there.reshape(-1).to(dtype)
    heard = torch.zeros(2, batch * entities, dtype=dtype, device=there.device)
    heard[0].index_add_(0, target, there)
    heard[1].index_add_(0, source, there)
    weight = heard.clamp(min=1.0).rsqrt()
    return RelationIndex(
        source=source,
        target=target,
        kind=structure.relation_kind.reshape(-1),
        to_target=(there * weight[0, target])[:, None],
        to_source=(there * weight[1, source])[:, None],
        entity=structure.entity,
    )


class RelationalMessages(nn.Module):
    """What each entity hears along relations, against them, and of all entities together.

    A relation's kind scales the message feature by feature. Rows carry all courses at once, so that gathering
    and scattering move long contiguous rows and the cost grows with the number of relations alone.

    Args:
        width: Size of an entity's latent.
        message_width: Size of a message.
    """

    def __init__(self, width: int, message_width: int) -> None:
        super().__init__()
        self.message_width = message_width
        self.say = nn.Linear(width, 3 * message_width)
        self.kind = nn.Parameter(0.02 * torch.randn(2, len(RELATION_KINDS), message_width))

    @property
    def heard_width(self) -> int:
        """Size of what each entity hears."""
        return 3 * self.message_width

    def forward(self, x: Float[Tensor, "B N S D"], relations: RelationIndex) -> Float[Tensor, "B N S G"]:
        """Return what each entity hears, in every course."""
        batch, entities, courses, _ = x.shape
        along, against, summary = self.say(x).chunk(3, dim=-1)
        downstream = self._pass(along, relations.source, relations.target, relations.to_target, relations.kind, 0)
        upstream = self._pass(against, relations.target, relations.source, relations.to_source, relations.kind, 1)
        there = relations.entity.to(x.dtype)[:, :, None, None]
        overall = (summary * there).sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1.0)
        return torch.cat([downstream, upstream, overall.expand(batch, entities, courses, -1)], dim=-1)

    def _pass(self, said: Tensor, speaker: Tensor, hearer: Tensor, weight: Tensor, kind: Tensor, way: int) -> Tensor:
        rows = said.reshape(said.shape[0] * said.shape[1], -1)
        scale = weight * (1.0 + self.kind[way, kind])
        message = rows.index_select(0, speaker).view(speaker.shape[0], -1, self.message_width) * scale[:, None]
        heard = torch.zeros_like(rows).index_add(0, hearer, message.flatten(1))
        return heard.view(said.shape)
