"""Statistics of a channel slot: of each temporal patch, and of the context as a whole.

All of them ignore what was not seen, are 0 where nothing was, and say how much there was.
"""

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_LOWEST: Final = -1e9

PATCH_STATISTICS: Final = ("mean", "rise", "spread", "seen_share")
CONTEXT_STATISTICS: Final = (
    "last", "staleness", "recent", "medium", "baseline", "change", "trend", "spread", "peak", "seen_share",
)  # fmt: skip


def fit_context(
    value: Float[Tensor, "B T N C"], seen: Bool[Tensor, "B T N C"], context_ticks: int
) -> tuple[Float[Tensor, "B Tc N C"], Bool[Tensor, "B Tc N C"]]:
    """Cut or pad (as unseen) a history at its old end, and zero what was not seen.

    Args:
        value: Features, anything where unseen, NaN included.
        seen: Which are there.
        context_ticks: Wanted length ``Tc``.
    """
    value, seen = value[:, -context_ticks:], seen[:, -context_ticks:]
    missing = context_ticks - value.shape[1]
    if missing:
        shape = (value.shape[0], missing, *value.shape[2:])
        value = torch.cat([value.new_zeros(shape), value], dim=1)
        seen = torch.cat([seen.new_zeros(shape), seen], dim=1)
    return torch.where(seen, value, torch.zeros_like(value)), seen


def history_statistics(
    value: Float[Tensor, "B T N C"], seen: Bool[Tensor, "B T N C"], patch_ticks: int
) -> tuple[Float[Tensor, "B L N C F"], Float[Tensor, "B N C G"]]:
    """Return ``PATCH_STATISTICS`` of the ``L`` patches, and ``CONTEXT_STATISTICS`` of the whole.

    ``recent`` is the last patch, ``medium`` the last four, ``baseline`` the older half (each falls back on a
    longer span or the last reading where it saw nothing), ``change`` is recent minus baseline, ``trend`` recent
    minus medium, ``staleness`` the log of the ticks since the last reading.

    Args:
        value: Features, 0 where unseen.
        seen: Which are there.
        patch_ticks: Ticks per patch; divides ``T``.
    """
    batch, ticks, entities, channels = value.shape
    half = patch_ticks // 2
    halves = (batch, ticks // patch_ticks, 2, half, entities, channels)
    weight = seen.to(value.dtype)
    total, count = value.reshape(halves).sum(3), weight.reshape(halves).sum(3)
    sums, counts = total.sum(2), count.sum(2)
    mean = _ratio(sums, counts)
    by_half = _ratio(total, count)
    rise = (by_half[:, :, 1] - by_half[:, :, 0]) * (count > 0).all(dim=2)
    patched = (batch, ticks // patch_ticks, patch_ticks, entities, channels)
    squares = ((value.reshape(patched) - mean[:, :, None]) * weight.reshape(patched)).square().sum(2)
    spread = _root(_ratio(squares, counts)) * (counts > 0)
    patches = torch.stack([mean, rise, spread, counts / patch_ticks], dim=-1)

    index = torch.arange(1, ticks + 1, device=value.device, dtype=value.dtype)[None, :, None, None]
    latest = (weight * index).amax(dim=1)
    last = value.gather(1, (latest.long() - 1).clamp(min=0)[:, None])[:, 0]
    staleness = torch.log1p(ticks - latest) / 5.0
    overall = _ratio(sums.sum(1), counts.sum(1))

    def level(part: slice, otherwise: Tensor) -> Tensor:
        there = counts[:, part].sum(1)
        return torch.where(there > 0, _ratio(sums[:, part].sum(1), there), otherwise)

    num_patches = sums.shape[1]
    baseline, medium, recent = (
        level(slice(0, num_patches // 2), overall),
        level(slice(max(0, num_patches - 4), num_patches), last),
        level(slice(num_patches - 1, num_patches), last),
    )
    between = counts * (mean - overall[:, None]).square()
    varied = _root(_ratio((squares + between).sum(1), counts.sum(1))) * (latest > 0)
    late, shown = value[:, -2 * patch_ticks :], seen[:, -2 * patch_ticks :]
    peak = torch.where(shown, late, torch.full_like(late, _LOWEST)).amax(dim=1)
    peak = torch.where(peak > _LOWEST, peak, last)
    levels = [last, staleness, recent, medium, baseline, recent - baseline, recent - medium]
    return patches, torch.stack([*levels, varied, peak, counts.sum(1) / ticks], dim=-1)


def _ratio(total: Tensor, count: Tensor) -> Tensor:
    return total / count.clamp(min=1.0)


def _root(variance: Tensor) -> Tensor:
    return torch.sqrt(variance + 1e-8)
