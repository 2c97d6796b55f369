"""Mixes the temporal patches of each entity and sums them up as one vector."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchMixer(nn.Module):
    """Two layers that mix along time and along features, then a learned weighting of the patches.

    After MLP-Mixer (Tolstikhin et al. 2021): along time it is linear, which keeps trends and lags, and shared by
    all entities.

    Args:
        num_patches: Patches in a context.
        width: Size of a token.
        hidden: Width of the feature layer.
    """

    def __init__(self, num_patches: int, width: int, hidden: int) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(num_patches, width))
        self.time_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.times = nn.ModuleList(nn.Linear(num_patches, num_patches) for _ in range(2))
        self.feature_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.features = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width)) for _ in range(2)
        )
        self.recency = nn.Parameter(torch.linspace(-2.0, 2.0, num_patches)[:, None].repeat(1, width))

    def forward(self, tokens: Float[Tensor, "B L N D"]) -> Float[Tensor, "B N D"]:
        """Return one vector per entity."""
        x = tokens + self.position[:, None]
        layers = zip(self.time_norms, self.times, self.feature_norms, self.features, strict=True)
        for time_norm, time, feature_norm, feature in layers:
            x = x + time(time_norm(x).transpose(1, 3)).transpose(1, 3)
            x = x + feature(feature_norm(x))
        return (x * torch.softmax(self.recency, dim=0)[:, None]).sum(dim=1)
