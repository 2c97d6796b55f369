"""Baseline world models in which no action does anything: persistence and the seasonal naive forecast."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.errors import BadInputError
from opswm.model.losses import channel_pinball, over_arms
from opswm.model.objectives import present_bad_share
from opswm.model.patches import fit_context
from opswm.tensors import ActionSlots, Batch, Futures, Situation

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True)
class NaiveBelief:
    """A forecast that no course changes.

    Attributes:
        level: Of each slot per horizon tick.
        spread: Standard deviation of its error.
        bad: Bad share per horizon tick and objective.
    """

    level: Float[Tensor, "B H N C"]
    spread: Float[Tensor, "B H N C"]
    bad: Float[Tensor, "B H O"]


def last_reading(
    value: Float[Tensor, "B T N C"], seen: Bool[Tensor, "B T N C"]
) -> tuple[Float[Tensor, "B N C"], Bool[Tensor, "B N C"]]:
    """Return the latest reading of each slot, and where there is one."""
    index = torch.arange(value.shape[1], device=value.device)[None, :, None, None]
    latest = torch.where(seen, index, torch.full_like(index, -1)).amax(dim=1)
    return value.gather(1, latest.clamp(min=0)[:, None])[:, 0], latest >= 0


def typical_step(value: Float[Tensor, "B T N C"], seen: Bool[Tensor, "B T N C"]) -> Float[Tensor, "B N C"]:
    """Return the root mean square change from one tick to the next, over neighbours that were both seen."""
    both = (seen[:, 1:] & seen[:, :-1]).to(value.dtype)
    change = (value[:, 1:] - value[:, :-1]) * both
    return torch.sqrt((change**2).sum(1) / both.sum(1).clamp(min=1.0))


class _Naive(ABC):
    """What both baselines share: the same future for every course, effects of exactly 0."""

    def __init__(self, context_ticks: int, horizon_ticks: int) -> None:
        if min(context_ticks, horizon_ticks) < 1:
            raise BadInputError(f"context_ticks {context_ticks} and horizon_ticks {horizon_ticks} must be at least 1")
        self._context_ticks, self._horizon_ticks = context_ticks, horizon_ticks

    @property
    def horizon_ticks(self) -> int:
        """How many ticks ahead it can imagine."""
        return self._horizon_ticks

    @property
    def context_ticks(self) -> int:
        """How many context ticks it looks at."""
        return self._context_ticks

    def imagine(
        self, belief: NaiveBelief, courses: ActionSlots, generator: torch.Generator, bands: bool = True
    ) -> Futures:
        """Return the same future for every course; a single certain sample of the bad share.

        Args:
            belief: From ``observe``.
            courses: Whatever they are.
            generator: Not needed: nothing is drawn.
            bands: Whether channel quantiles are wanted.
        """
        batch, count = courses.tick.shape[:2]
        levels = torch.tensor(QUANTILES)
        z = torch.special.ndtri(levels.double()).float()
        entities = slice(None) if bands else slice(0, 0)
        channel = belief.level[:, :, entities, :, None] + belief.spread[:, :, entities, :, None] * z
        return Futures(
            quantiles=levels,
            channel=channel[:, None].expand(-1, count, -1, -1, -1, -1),
            bad=belief.bad[:, None, None].expand(-1, count, -1, -1, -1),
            effect=torch.zeros(batch, count, 1),
            support=torch.ones(batch, count),
        )

    @abstractmethod
    def observe(self, situation: Situation) -> NaiveBelief:
        """Read off the forecast."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return squared error of the bad share and pinball of the channels; there is nothing to train."""
        futures = self.imagine(self.observe(batch.situation), batch.courses, torch.Generator())
        weight = batch.situation.structure.objective_weight * batch.situation.structure.objective_there
        squared = torch.einsum("bsho,bo->bs", (futures.bad[:, :, 0] - batch.bad) ** 2, weight) / self.horizon_ticks
        seen = batch.channel_seen & batch.arm[:, :, None, None, None]
        terms = {
            "bad": over_arms(squared, batch.arm),
            "channel": channel_pinball(futures.channel, futures.quantiles, batch.channel, seen),
        }
        return terms | {"total": terms["bad"] + terms["channel"]}


class Persistence(_Naive):
    """Everything stays as it was last seen; uncertainty grows as that of a random walk.

    Args:
        context_ticks: Ticks of history looked at.
        horizon_ticks: Ticks imagined.
    """

    def __init__(self, context_ticks: int = 128, horizon_ticks: int = 32) -> None:
        super().__init__(context_ticks, horizon_ticks)

    def observe(self, situation: Situation) -> NaiveBelief:
        """Read the latest value of each slot and the present bad share of each objective."""
        value, seen = fit_context(situation.history.value, situation.history.seen, self.context_ticks)
        level, known = last_reading(value, seen)
        growth = torch.sqrt(torch.arange(1, self.horizon_ticks + 1, device=value.device, dtype=value.dtype))
        spread = typical_step(value, seen)[:, None] * growth[None, :, None, None]
        bad = present_bad_share(situation.structure, level, known)
        return NaiveBelief(
            level=level[:, None].expand_as(spread),
            spread=spread,
            bad=bad[:, None].expand(-1, self.horizon_ticks, -1),
        )


class SeasonalNaive(_Naive):
    """Everything repeats the last season; what was not seen then stays as it was last seen.

    Args:
        season_ticks: Length of a season; at most ``context_ticks``.
        context_ticks: Ticks of history looked at.
        horizon_ticks: Ticks imagined.

    Raises:
        BadInputError: When no whole season fits into the context.
    """

    def __init__(self, season_ticks: int = 32, context_ticks: int = 128, horizon_ticks: int = 32) -> None:
        super().__init__(context_ticks, horizon_ticks)
        if not 1 <= season_ticks <= context_ticks:
            raise BadInputError(
                f"a season of {season_ticks} ticks must be at least 1 and fit a context of {context_ticks}"
            )
        self.season_ticks = season_ticks

    def observe(self, situation: Situation) -> NaiveBelief:
        """Read the last season of each slot, and the bad share that its readings would mean."""
        value, seen = fit_context(situation.history.value, situation.history.seen, self.context_ticks)
        last, known = last_reading(value, seen)
        ago = [self.context_ticks - self.season_ticks + tick % self.season_ticks for tick in range(self.horizon_ticks)]
        then, there = value[:, ago], seen[:, ago]
        level = torch.where(there, then, last[:, None].expand_as(then))
        spread = typical_step(value, seen)[:, None].expand_as(level)
        bad = [present_bad_share(situation.structure, level[:, tick], known) for tick in range(self.horizon_ticks)]
        return NaiveBelief(level=level, spread=spread, bad=torch.stack(bad, dim=1))
