"""Actions as forcings: what each one says, and which entities of the system it says it to."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from opswm.canonical import NUM_ACTION_FEATURES, NUM_RESOURCES
from opswm.tensors import ActionSlots
from opswm_schemas.vocabulary import ACTION_INDEX, ACTION_TYPES

_NUM_TIMES = 4


def effective(slots: ActionSlots, until_tick: float) -> Bool[Tensor, "B S P"]:
    """Return which slots force the system: filled, no deliberate wait, and requested before ``until_tick``."""
    return slots.there & (slots.type != ACTION_INDEX["no_op"]) & (slots.tick < until_tick)


def _times(tick: Float[Tensor, "B S P"], patch_ticks: int) -> Float[Tensor, "B S P X"]:
    """How far from the decision, on several scales, so that seconds and minutes both resolve."""
    away = tick.abs() / patch_ticks
    return torch.stack([away / 4.0, torch.exp(-4.0 * away), torch.exp(-away), torch.exp(-away / 4.0)], dim=-1)


class ActionEncoder(nn.Module):
    """Turns typed actions into one vector per slot, and spreads it over the entities they are aimed at or affect.

    The stated sign of an affected resource multiplies what is said there, so that the same words with opposite
    signs start as opposite effects. Beside a learned description, the features enter through a linear map of the
    action's type: relative changes are logarithms, so the changes that several actions make to one entity
    (more replicas, larger ones) add up as their product, also outside what was trained on.

    Args:
        width: Size of the vectors.
        patch_ticks: Scale of time, ticks.
    """

    def __init__(self, width: int, patch_ticks: int) -> None:
        super().__init__()
        self.patch_ticks = patch_ticks
        self.embed = nn.Embedding(len(ACTION_TYPES), width)
        self.proportional = nn.Parameter(0.1 * torch.randn(len(ACTION_TYPES), NUM_ACTION_FEATURES, width))
        self.describe = nn.Sequential(
            nn.Linear(width + NUM_ACTION_FEATURES + _NUM_TIMES + 2, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.at_target = nn.Linear(width, width, bias=False)
        self.at_affected = nn.Linear(width, NUM_RESOURCES * width, bias=False)

    def words(self, slots: ActionSlots, there: Bool[Tensor, "B S P"]) -> Float[Tensor, "B S P D"]:
        """Return what each slot says, 0 where it does not count.

        Args:
            slots: The actions.
            there: Which of them count.
        """
        kept = there[..., None]
        flags = torch.stack([slots.finished, slots.automatic], dim=-1).to(slots.features.dtype)
        parts = [self.embed(slots.type), slots.features, _times(slots.tick, self.patch_ticks), flags]
        given = torch.cat(parts, dim=-1)
        described: Tensor = self.describe(torch.where(kept, given, torch.zeros_like(given)))
        features = torch.where(kept, slots.features, torch.zeros_like(slots.features))
        linear = torch.einsum("bspa,bspad->bspd", features, self.proportional[slots.type])
        return described * kept + linear

    def field(self, slots: ActionSlots, words: Float[Tensor, "B S P D"]) -> Float[Tensor, "B N S D"]:
        """Return what reaches each entity in each course; exactly 0 where no action reaches.

        Args:
            slots: The actions.
            words: From :meth:`words`.
        """
        target = slots.target.to(words.dtype)
        aimed = torch.einsum("bspn,bspd->bnsd", target, self.at_target(words))
        resource = self.at_affected(words).reshape(*words.shape[:-1], NUM_RESOURCES, words.shape[-1])
        return aimed + torch.einsum("bspnr,bsprd->bnsd", slots.affects, resource)


def reached(slots: ActionSlots, there: Bool[Tensor, "B S P"]) -> Bool[Tensor, "B N S"]:
    """Return which entities the counted actions are aimed at or said to affect.

    Args:
        slots: The actions.
        there: Which of them count.
    """
    touched = slots.target | (slots.affects != 0).any(dim=-1)
    return (touched & there[..., None]).any(dim=2).transpose(1, 2)


class PastActions(nn.Module):
    """Injects logged actions at their tick and their targets.

    Args:
        width: Size of an entity's latent.
        patch_ticks: Ticks per temporal patch.
        num_patches: Patches in a context.
    """

    def __init__(self, width: int, patch_ticks: int, num_patches: int) -> None:
        super().__init__()
        self.patch_ticks, self.num_patches = patch_ticks, num_patches
        self.encode = ActionEncoder(width, patch_ticks)

    def forward(self, past: ActionSlots) -> tuple[Float[Tensor, "B L N D"], Float[Tensor, "B N D"]]:
        """Return what to add to each temporal patch, and to each entity as a whole.

        Args:
            past: Actions of the history (``S`` = 1); those before the context count at its start.
        """
        there = effective(past, 0.5)
        words = self.encode.words(past, there)
        ticks = self.num_patches * self.patch_ticks
        patch = ((ticks + past.tick) / self.patch_ticks).floor().clamp(0, self.num_patches - 1).long()
        when = nn.functional.one_hot(patch, self.num_patches).to(words.dtype)
        fields = [self.encode.field(past, words * when[..., index, None])[:, :, 0] for index in range(self.num_patches)]
        return torch.stack(fields, dim=1), self.encode.field(past, words)[:, :, 0]
