"""From channel slots to entity tokens: a set of readings becomes a vector whatever its order and size.

Every slot contributes through weights chosen by its meaning, so a channel is known by what it measures, never
by its position or name; slots of one meaning at one entity are averaged.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from opswm_schemas.vocabulary import MEANINGS


def meaning_shares(
    meaning: Int[Tensor, "B N C"], there: Bool[Tensor, "B N C"], dtype: torch.dtype
) -> Float[Tensor, "B N C Y"]:
    """Return for each slot a one-hot row of its meaning, divided by how many slots of the entity share it.

    Args:
        meaning: Vocabulary index of each slot.
        there: Which slots are filled.
        dtype: Of the result.
    """
    rows = nn.functional.one_hot(meaning, len(MEANINGS)).to(dtype) * there[..., None]
    return rows / rows.sum(dim=2, keepdim=True).clamp(min=1.0)


class ReadingEncoder(nn.Module):
    """Sums a linear map of each slot's statistics, with weights of its meaning.

    Args:
        num_statistics: Statistics per slot.
        width: Size of the result.
    """

    def __init__(self, num_statistics: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weigh = nn.Linear(len(MEANINGS) * num_statistics, width)

    def forward(
        self, statistics: Float[Tensor, "B L N C F"], shares: Float[Tensor, "B N C Y"]
    ) -> Float[Tensor, "B L N D"]:
        """Return one vector per entity and patch (``L`` = 1 for statistics of the whole context)."""
        by_meaning = torch.einsum("blncf,bncy->blnyf", statistics, shares)
        return self.weigh(by_meaning.flatten(-2))  # type: ignore[no-any-return]
