"""What the model reads of each objective: how far the present is from what users are promised."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from opswm.tensors import Structure
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

NUM_OBJECTIVE_FEATURES = 10

# Log-odds of a response being faster than each latency reading; the mean of a skewed latency lies near its p60.
_QUANTILE_LOG_ODDS = {
    "latency_p50": 0.0,
    "latency_mean": 0.4,
    "latency_p90": 2.1972,
    "latency_p95": 2.9444,
    "latency_p99": 4.5951,
}
_PRIOR_SCALE = 0.3
_PRIOR_WEIGHT = 0.5
_ERROR = MEANING_INDEX["error_ratio"]


def _latency_tables(device: torch.device) -> tuple[Tensor, Tensor]:
    log_odds, known = torch.zeros(len(MEANINGS), device=device), torch.zeros(len(MEANINGS), device=device)
    for name, value in _QUANTILE_LOG_ODDS.items():
        log_odds[MEANING_INDEX[name]], known[MEANING_INDEX[name]] = value, 1.0
    return log_odds, known


def at_objectives(values: Tensor, structure: Structure) -> Tensor:
    """Return the rows of the objectives' entities: ``[B, N, ...]`` becomes ``[B, O, ...]``."""
    index = structure.objective_entity.reshape(*structure.objective_entity.shape, *[1] * (values.dim() - 2))
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))


def present_bad_share(
    structure: Structure, level: Float[Tensor, "B N C"], known: Bool[Tensor, "B N C"]
) -> Float[Tensor, "B O"]:
    """Estimate the bad share of each objective from readings at its entity, 0 where nothing is known.

    Errors count as they are. Latency readings are taken as quantiles of a log-logistic response time (straight
    in log-odds against the feature), fitted by least squares with a weak prior on the scale; the share beyond the
    threshold follows. A gauge is bad beyond its threshold, smoothed over a tenth of a feature.

    Args:
        structure: The systems.
        level: Feature of each slot at some moment.
        known: Which are there.
    """
    log_odds, is_latency = _latency_tables(level.device)
    meaning = at_objectives(structure.meaning, structure)
    value = at_objectives(level, structure)
    there = at_objectives(known & structure.channel, structure).to(level.dtype)
    errors = there * (meaning == _ERROR)
    error_share = ((value * errors).sum(-1) / errors.sum(-1).clamp(min=1.0)).clamp(0.0, 1.0)

    weight, z = there * is_latency[meaning], log_odds[meaning]
    total = weight.sum(-1).clamp(min=1e-6)
    centre_z, centre = (weight * z).sum(-1) / total, (weight * value).sum(-1) / total
    covariance = (weight * (z - centre_z[..., None]) * (value - centre[..., None])).sum(-1)
    variance = (weight * (z - centre_z[..., None]) ** 2).sum(-1)
    scale = ((covariance + _PRIOR_WEIGHT * _PRIOR_SCALE) / (variance + _PRIOR_WEIGHT)).clamp(min=0.02)
    median = centre - scale * centre_z
    about = structure.objective_meaning
    slow = torch.sigmoid((median - structure.objective_threshold) / scale) * (weight.sum(-1) > 0)
    slow = slow * (is_latency[about] > 0)

    own = there * (meaning == about[..., None])
    gauge = (own * value).sum(-1) / own.sum(-1).clamp(min=1.0)
    beyond = torch.sigmoid((gauge - structure.objective_threshold) / 0.1) * (own.sum(-1) > 0)
    request = (is_latency[about] > 0) | (about == _ERROR)
    share = torch.where(request, 1.0 - (1.0 - error_share) * (1.0 - slow), beyond)
    return share * structure.objective_there


def objective_features(
    structure: Structure, statistics: Float[Tensor, "B N C F"], columns: Int[Tensor, "4"]
) -> Float[Tensor, "B O X"]:
    """Return what the model reads of each objective, 0 for empty slots.

    Args:
        structure: The systems.
        statistics: Statistics of each slot over the context; the last column is the share of ticks seen.
        columns: Which statistics are levels: last, recent, baseline, peak.
    """
    known = statistics[..., -1] > 0
    levels = [statistics[..., int(column)] for column in columns]
    shares = [present_bad_share(structure, level, known) for level in levels]
    meaning = at_objectives(structure.meaning, structure)
    own = at_objectives(known & structure.channel, structure) & (meaning == structure.objective_meaning[..., None])
    count = own.sum(-1).clamp(min=1).to(statistics.dtype)
    gaps = [
        (structure.objective_threshold - (at_objectives(level, structure) * own).sum(-1) / count) * own.any(-1)
        for level in levels[:3]
    ]
    log_odds = [torch.logit(share.clamp(1e-3, 1.0 - 1e-3)) / 4.0 for share in shares[:3]]
    columns_ = [*shares, *gaps, *log_odds]
    return torch.stack(columns_, dim=-1) * structure.objective_there[..., None]
