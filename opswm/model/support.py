"""How near a question is to what was learned from."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from opswm.tensors import ActionSlots
from opswm_schemas.vocabulary import ACTION_TYPES

_ENOUGH = 50.0


class Familiarity(nn.Module):
    """Mahalanobis distance of a belief's summary from the training beliefs, and how often a type was tried.

    Args:
        width: Size of the summary.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.whiten: Tensor
        self.usual: Tensor
        self.tried: Tensor
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("whiten", torch.eye(width))
        self.register_buffer("usual", torch.ones(2))
        self.register_buffer("tried", torch.zeros(len(ACTION_TYPES)))

    @torch.no_grad()
    def fit(self, summaries: Float[Tensor, "X D"], tried: Float[Tensor, "Y"]) -> None:
        """Remember what was learned from.

        Args:
            summaries: Of the training beliefs, at least two.
            tried: Training arms with an outcome, per action type.
        """
        mean = summaries.mean(dim=0)
        centred = summaries - mean
        covariance = centred.T @ centred / max(1, summaries.shape[0] - 1)
        ridge = 1e-3 * covariance.diagonal().mean() + 1e-6
        factor = torch.linalg.cholesky(covariance + ridge * torch.eye(mean.numel()))
        whiten = torch.linalg.solve_triangular(factor, torch.eye(mean.numel()), upper=False)
        distance = torch.linalg.vector_norm(centred @ whiten.T, dim=1)
        usual = torch.quantile(distance[:100_000], torch.tensor([0.9, 0.99]))
        for buffer, value in (("mean", mean), ("whiten", whiten), ("usual", usual), ("tried", tried)):
            getattr(self, buffer).copy_(value)

    def forward(
        self, summary: Float[Tensor, "B D"], courses: ActionSlots, there: Bool[Tensor, "B S P"]
    ) -> Float[Tensor, "B S"]:
        """Return the support of each course, 1 well inside the training data, 0 far from it.

        Up to the 90th percentile of training distances a belief counts fully; beyond, support halves with every
        further gap between the 90th and the 99th. A type counts in full from some hundred tried arms on.

        Args:
            summary: Of the beliefs asked about.
            courses: The courses.
            there: Which of their slots count.
        """
        distance = torch.linalg.vector_norm((summary - self.mean) @ self.whiten.T, dim=1)
        gap = (self.usual[1] - self.usual[0]).clamp(min=1e-6)
        near = torch.exp2(-((distance - self.usual[0]) / gap).clamp(0.0, 60.0))
        known = self.tried / (self.tried + _ENOUGH)
        per_slot = torch.where(there, known[courses.type], torch.ones_like(courses.tick))
        return near[:, None] * per_slot.amin(dim=-1)
