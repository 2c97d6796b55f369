"""Paired counterfactual futures: what each course would change, with calibrated uncertainty."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.model.world_model import Belief, WorldModel
from opswm.rollout.calibration import Calibration, group_of, half_widths
from opswm.rollout.cost import noise_floor, slo_cost
from opswm.rollout.recovery import recovery_minutes
from opswm.tensors import ActionSlots, Futures, Situation
from opswm_schemas.vocabulary import ACTION_INDEX

Array = NDArray[np.float64]

_LONGEST_TAIL: Final = 3.0
"""No stretched sample lies further out than this many half widths, so that one outlier decides no mean."""


@dataclass(frozen=True)
class ImaginedEffects:
    """What courses would change, on the SLO cost scale; scenario 0 is ``no_op`` and its effect is exactly 0.

    The cost ``c(a)`` of doing the action itself is not in it.

    Attributes:
        value: Mean paired difference to ``no_op`` ``[B, S]``, bad minutes over the horizon; negative helps.
        lower, upper: Ends of the calibrated interval of that difference.
        p_harm: Probability that the difference exceeds the noise floor.
        p_best: Probability of being within the noise floor of the best course.
        support: How near the question is to what was learned from, 0 to 1.
        effect: Calibrated samples of the difference ``[B, S, K]``.
        cost: Samples of the SLO cost ``[B, S, K]``, bad minutes.
        bad: Samples of the bad share of first attempts ``[B, S, K, H, O]``.
        recovery: Samples of the minutes until users are well served ``[B, S, K]``, the horizon if never within it.
        horizon_ticks: Ticks the cost is summed over.
    """

    value: Array
    lower: Array
    upper: Array
    p_harm: Array
    p_best: Array
    support: Array
    effect: Array
    cost: Array
    bad: Array
    recovery: Array
    horizon_ticks: int

    @property
    def cost_no_op(self) -> Array:
        """Expected SLO cost of doing nothing ``[B]``, bad minutes."""
        return np.asarray(self.cost[:, 0].mean(axis=-1))


def imagine_futures(
    model: WorldModel[Belief], situation: Situation, courses: ActionSlots, seed: int, bands: bool = True
) -> Futures:
    """Return the futures of all courses, with the channel bands that a forecast or what-if shows.

    Args:
        model: Any world model.
        situation: What is known at the decision.
        courses: Requests only; scenario 0 is no_op.
        seed: Of the noise that all courses share; the same seed gives the same futures, bit for bit.
        bands: Whether channel quantiles are wanted.
    """
    with torch.inference_mode():
        generator = torch.Generator().manual_seed(seed)
        return model.imagine(model.observe(situation), courses, generator, bands)


def imagine_effects(
    model: WorldModel[Belief],
    situation: Situation,
    courses: ActionSlots,
    seed: int,
    calibration: Calibration,
    horizon_ticks: int | None = None,
) -> ImaginedEffects:
    """Return what each course would change.

    Args:
        model: Any world model.
        situation: What is known at the decision, ``B`` points.
        courses: Candidate courses, scenario 0 being ``no_op``.
        seed: Of the noise that all courses share; the same seed gives the same answer, bit for bit.
        calibration: Of the effect intervals; ``Calibration()`` leaves them as the model states them.
        horizon_ticks: Ticks the cost is summed over; all that the model imagines where left out.

    Raises:
        BadInputError: When the horizon is not within what the model imagines.
    """
    ticks = model.horizon_ticks if horizon_ticks is None else horizon_ticks
    if not 1 <= ticks <= model.horizon_ticks:
        raise BadInputError(
            f"a horizon of {ticks} ticks was asked for; this model imagines 1 to {model.horizon_ticks}: ask for a "
            "nearer horizon, or use a model trained for a longer one"
        )
    futures = imagine_futures(model, situation, courses, seed, bands=False)
    structure = situation.structure
    step_s = structure.step_s.double().numpy()
    weight = (structure.objective_weight * structure.objective_there).double().numpy()
    bad = futures.bad[:, :, :, :ticks].double().numpy()
    cost = slo_cost(bad, weight, step_s)
    raw = cost - cost[:, :1]
    floor = noise_floor(ticks, step_s)
    effect, lower, upper = calibrate(raw, courses_groups(courses), floor, calibration, ticks)
    best = effect.min(axis=1, keepdims=True)
    recovery = recovery_minutes(np.einsum("bskho,bo->bskh", bad, weight), step_s)
    return ImaginedEffects(
        value=np.clip(raw.mean(axis=-1), lower, upper),
        lower=lower,
        upper=upper,
        p_harm=(effect > floor[:, None, None]).mean(axis=-1),
        p_best=(effect <= best + floor[:, None, None]).mean(axis=-1),
        support=futures.support.double().numpy(),
        effect=effect,
        cost=cost,
        bad=bad,
        recovery=recovery,
        horizon_ticks=ticks,
    )


def courses_groups(courses: ActionSlots) -> list[list[str]]:
    """Return the calibration group of every course of every decision point."""
    active = (courses.there & (courses.type != ACTION_INDEX["no_op"])).numpy()
    types = courses.type.numpy()
    return [
        [group_of(types[b, s][active[b, s]].tolist()) for s in range(active.shape[1])] for b in range(active.shape[0])
    ]


def stated_interval(samples: Array, level: float) -> tuple[Array, Array, Array]:
    """Return lower end, middle and upper end of the central interval of samples along the last axis."""
    tail = (1.0 - level) / 2.0
    lower, middle, upper = np.quantile(samples, [tail, 0.5, 1.0 - tail], axis=-1)
    return lower, middle, upper


def calibrate(
    samples: Array, groups: list[list[str]], floor: Array, calibration: Calibration, horizon_ticks: int
) -> tuple[Array, Array, Array]:
    """Return samples stretched around their middle so that their interval has the calibrated width, and its ends.

    A course whose samples are all exactly 0 does nothing and keeps the interval [0, 0].

    Args:
        samples: Paired effects ``[B, S, K]``, bad minutes.
        groups: Calibration group of each course.
        floor: Noise floor ``[B]``, bad minutes.
        calibration: What to apply.
        horizon_ticks: Ticks the effects are summed over.
    """
    lower, middle, upper = stated_interval(samples, calibration.level)
    if not calibration.is_fitted:
        return samples, lower, upper
    growth = np.array([calibration.growth_of(row, horizon_ticks) for row in groups])
    down, up = half_widths(lower, middle, upper, smallest_width(floor)[:, None])
    acts = (samples != 0.0).any(axis=-1)
    wanted_down, wanted_up = down * (1.0 + growth) * acts, up * (1.0 + growth) * acts
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch_down = np.where(middle > lower, wanted_down / (middle - lower), 1.0)
        stretch_up = np.where(upper > middle, wanted_up / (upper - middle), 1.0)
    away = samples - middle[..., None]
    stretched = away * np.where(away < 0.0, stretch_down[..., None], stretch_up[..., None])
    kept = np.clip(stretched, -_LONGEST_TAIL * wanted_down[..., None], _LONGEST_TAIL * wanted_up[..., None])
    return middle[..., None] + kept, middle - wanted_down, middle + wanted_up


def smallest_width(floor: Array) -> Array:
    """Return the smallest half width of an interval that acts: a quarter of the noise floor."""
    return 0.25 * floor
