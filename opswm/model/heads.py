"""Heads: bad shares per objective with members and shared noise, and non-crossing bands per channel."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from opswm_schemas.vocabulary import MEANINGS


class MemberLinear(nn.Module):
    """One linear map per ensemble member, applied side by side.

    Args:
        members: Number of maps.
        inputs, outputs: Sizes; the input has a member axis of size ``members``, or of size 1 to share it.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, x: Float[Tensor, "... G X"]) -> Float[Tensor, "... M Y"]:
        """Return the outputs of every member."""
        if x.shape[-2] == 1:
            members, inputs, outputs = self.weight.shape
            flat: Tensor = x[..., 0, :] @ self.weight.transpose(0, 1).reshape(inputs, members * outputs)
            return flat.reshape(*x.shape[:-2], members, outputs) + self.bias
        return torch.einsum("...mx,mxy->...my", x, self.weight) + self.bias


class BadShareHead(nn.Module):
    """Log-odds of the bad share per horizon tick, by member, and how they spread.

    Args:
        inputs: Size of what is read per course and objective.
        hidden: Width of the hidden layer of each member.
        members: Heads.
        horizon_ticks, horizon_patches: Ticks, and patches in which the spread is constant.
        noise: Shared noise dimensions.
    """

    def __init__(
        self, inputs: int, hidden: int, members: int, horizon_ticks: int, horizon_patches: int, noise: int
    ) -> None:
        super().__init__()
        self.noise, self.patches, self.patch_ticks = noise, horizon_patches, horizon_ticks // horizon_patches
        self.first = MemberLinear(members, inputs, hidden)
        self.second = MemberLinear(members, hidden, horizon_ticks)
        nn.init.constant_(self.second.bias, -2.0)
        last = nn.Linear(hidden, (1 + noise) * horizon_patches)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.spread = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), last)

    def forward(
        self, read: Float[Tensor, "B S O X"], forced: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "B S M H O"], Float[Tensor, "B H O"], Float[Tensor, "B S H O J"]]:
        """Return log-odds, the spread of the no-op course, and each course's loadings on the shared noise.

        Args:
            read: What is read per course and objective.
            forced: Which courses do anything; the others have no loadings, so that their effect is exactly 0.
        """
        log_odds = self.second(nn.functional.silu(self.first(read[..., None, :])))
        both = self.spread(read).reshape(*read.shape[:-1], self.patches, 1 + self.noise)
        both = both.repeat_interleave(self.patch_ticks, dim=-2)
        base = nn.functional.softplus(both[:, 0, :, :, 0] - 1.0)
        loadings = 0.5 * both[..., 1:].permute(0, 1, 3, 2, 4) * forced[:, :, None, None, None]
        return log_odds.permute(0, 1, 3, 4, 2), base.transpose(1, 2), loadings


class ChannelHead(nn.Module):
    """Quantiles of every channel slot per horizon tick: an anchor in the past plus what the latent adds.

    The anchor is a convex mixture of past levels, learned per meaning and tick, so an untrained head is a
    persistence forecast. Quantiles are a centre and two positive widths times normal quantiles: they cannot cross.

    Args:
        width: Size of what is read at an entity.
        horizon_ticks, horizon_patches: Ticks, and latent patches they are decoded from.
        levels: Quantile levels, symmetric around 0.5.
        num_anchors: Past levels to mix.
    """

    def __init__(
        self, width: int, horizon_ticks: int, horizon_patches: int, levels: tuple[float, ...], num_anchors: int
    ) -> None:
        super().__init__()
        self.patches, self.patch_ticks = horizon_patches, horizon_ticks // horizon_patches
        self.patch_width, self.tick_width = 24, 8
        self.to_patches = nn.Sequential(nn.Linear(width, horizon_patches * self.patch_width), nn.SiLU())
        self.to_ticks = nn.Linear(self.patch_width, self.patch_ticks * self.tick_width)
        self.read = nn.Parameter(torch.zeros(len(MEANINGS), self.tick_width, 3))
        self.base = nn.Parameter(torch.zeros(len(MEANINGS), horizon_ticks, 3))
        self.mix = nn.Parameter(torch.zeros(len(MEANINGS), horizon_ticks, num_anchors))
        self.z: Tensor
        self.register_buffer(
            "z", torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float(), persistent=False
        )

    def forward(
        self,
        x: Float[Tensor, "B N S D"],
        anchors: Float[Tensor, "B N C I"],
        spread: Float[Tensor, "B N C"],
        meaning: Int[Tensor, "B N C"],
    ) -> Float[Tensor, "B S H N C Q"]:
        """Return quantiles of each slot's feature, not decreasing along ``Q``.

        Args:
            x: What is read at each entity in every course.
            anchors: Past levels of each slot.
            spread: How much each slot varied in the past.
            meaning: Vocabulary index of each slot.
        """
        patches = self.to_patches(x).reshape(*x.shape[:-1], self.patches, self.patch_width)
        ticks = self.to_ticks(patches).reshape(*x.shape[:-1], self.patches * self.patch_ticks, self.tick_width)
        out = torch.einsum("bnshk,bncko->bshnco", ticks, self.read[meaning])
        out = out + self.base[meaning].permute(0, 3, 1, 2, 4)[:, None]
        anchor = torch.einsum("bnci,bnchi->bhnc", anchors, torch.softmax(self.mix, dim=-1)[meaning])
        scale = (0.05 + spread)[:, None, None]
        centre = anchor[:, None] + out[..., 0]
        down, up = scale * torch.exp(out[..., 1].clamp(-5.0, 4.0)), scale * torch.exp(out[..., 2].clamp(-5.0, 4.0))
        return centre[..., None] + down[..., None] * self.z.clamp(max=0.0) + up[..., None] * self.z.clamp(min=0.0)
