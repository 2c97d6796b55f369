"""Rounds that carry the forcings of all courses through the system, in parallel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from opswm.model.relations import RelationalMessages, RelationIndex


class _Update(nn.Module):
    """What an entity makes of its own latent and of what it hears.

    Args:
        width: Size of an entity's latent.
        message_width: Size of a message.
        hidden: Width of the hidden layer.
    """

    def __init__(self, width: int, message_width: int, hidden: int) -> None:
        super().__init__()
        self.messages = RelationalMessages(width, message_width)
        self.own = nn.Linear(width, hidden)
        self.heard = nn.Linear(self.messages.heard_width, hidden, bias=False)
        self.change = nn.Sequential(nn.SiLU(), nn.Linear(hidden, width))

    def forward(self, u: Float[Tensor, "B N S D"], relations: RelationIndex) -> Float[Tensor, "B N S D"]:
        """Return the change, from normalised (and modulated) latents."""
        change: Tensor = self.change(self.own(u) + self.heard(self.messages(u, relations)))
        return change


class Round(nn.Module):
    """One round: every entity hears its neighbours and updates its latent.

    Args:
        width: Size of an entity's latent.
        message_width: Size of a message.
        hidden: Width of the hidden layer.
    """

    def __init__(self, width: int, message_width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.update = _Update(width, message_width, hidden)

    def forward(self, x: Float[Tensor, "B N S D"], relations: RelationIndex) -> Float[Tensor, "B N S D"]:
        """Return the updated latents."""
        change: Tensor = self.update(self.norm(x), relations)
        return x + change


class ForcedRound(nn.Module):
    """A round whose normalised latents are scaled, shifted and gated by the forcings that reach an entity.

    Adaptive layer norm with zero initialisation (Peebles & Xie 2023; the conditioning of LeWM): without training
    no action does anything, and where no action reaches the modulation is exactly 0 for ever.

    Args:
        width: Size of an entity's latent.
        message_width: Size of a message.
        hidden: Width of the hidden layer.
    """

    def __init__(self, width: int, message_width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.update = _Update(width, message_width, hidden)
        last = nn.Linear(width, 3 * width, bias=False)
        nn.init.zeros_(last.weight)
        self.modulate = nn.Sequential(nn.Linear(width, width, bias=False), nn.SiLU(), last)

    def forward(
        self, x: Float[Tensor, "B N S D"], field: Float[Tensor, "B N S D"], relations: RelationIndex
    ) -> Float[Tensor, "B N S D"]:
        """Return the updated latents.

        Args:
            x: Latents of every course.
            field: What its actions say to each entity.
            relations: The system's relations.
        """
        scale, shift, gate = torch.chunk(self.modulate(field), 3, dim=-1)
        change: Tensor = self.update(self.norm(x) * (1.0 + scale) + shift, relations)
        return x + change * (1.0 + gate)
