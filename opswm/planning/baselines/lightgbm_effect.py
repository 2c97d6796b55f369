"""Boosted trees regressing the paired effect on engineered features, with quantile models for the interval.

LightGBM: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.planning.baselines.features import feature_names, pair_features
from opswm.planning.baselines.levels import present_bad_share
from opswm.planning.horizon import floors, whole_horizon
from opswm.planning.ranker import Effects
from opswm.planning.spread import effects_from_intervals
from opswm.tensors import ActionSlots, Batch, Situation

_CHUNK = 256
"""Decision points whose features are made at once, which bounds memory."""


@dataclass(frozen=True)
class LightGBMConfig:
    """Tuning of :class:`LightGBMEffectRanker`.

    Attributes:
        rounds: Trees per model.
        leaves: Leaves per tree.
        learning_rate: Shrinkage.
        min_leaf: Fewest samples in a leaf.
        threads: Threads of training and prediction.
        seed: Of feature and row sampling.
    """

    rounds: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    min_leaf: int = 20
    threads: int = 1
    seed: int = 0


class LightGBMEffectRanker:
    """A regressor of the effect: mean, 5 % and 95 % quantile, in mean bad share over the horizon.

    Args:
        horizon_ticks: How far ahead is looked.
        config: Tuning.
    """

    name = "lightgbm_effect"

    def __init__(self, horizon_ticks: int, config: LightGBMConfig | None = None) -> None:
        self.horizon_ticks = horizon_ticks
        self.config = config or LightGBMConfig()
        self._models: dict[str, lightgbm.Booster] = {}
        self._types: set[int] = set()

    def fit(self, batches: Iterable[Batch]) -> "LightGBMEffectRanker":
        """Learn from arms that have an outcome.

        Args:
            batches: With true or estimated effects.

        Raises:
            BadInputError: When no arm but ``no_op`` has an outcome.
        """
        inputs, outcomes = [], []
        for batch in batches:
            for rows in _chunks(batch.arm.shape[0]):
                arm = batch.arm[rows].numpy().copy()
                arm[:, 0] = False
                situation, courses = batch.situation.take(rows), batch.courses.take(rows)
                inputs.append(pair_features(situation, courses)[arm])  # type: ignore[arg-type]
                outcomes.append(batch.effect[rows].double().numpy()[arm])
        x, y = np.concatenate(inputs or [np.zeros((0, 1))]), np.concatenate(outcomes or [np.zeros(0)])
        if not y.size:
            raise BadInputError("nothing to learn from: no course other than no_op has an outcome")
        self._types = {int(kind) for kind in np.unique(x[:, 0])}
        data = lightgbm.Dataset(x, y, feature_name=feature_names(), categorical_feature=["type"], free_raw_data=False)
        objectives: dict[str, dict[str, object]] = {
            "mean": {"objective": "l2"},
            "lower": {"objective": "quantile", "alpha": 0.05},
            "upper": {"objective": "quantile", "alpha": 0.95},
        }
        self._models = {
            name: lightgbm.train(self._settings() | objective, data, num_boost_round=self.config.rounds)
            for name, objective in objectives.items()
        }
        return self

    def effects(self, situation: Situation, courses: ActionSlots, seed: int) -> Effects:
        """Return the regressed effect of every course, in bad minutes.

        Raises:
            BadInputError: When it was not fitted.
        """
        if not self._models:
            raise BadInputError("this ranker has learned nothing yet: call fit first")
        parts = [self._predict(situation.take(rows), courses.take(rows)) for rows in _chunks(courses.there.shape[0])]  # type: ignore[arg-type]
        table = np.concatenate([part for part, _ in parts], axis=1)
        seen = np.concatenate([part for _, part in parts])
        minutes = whole_horizon(situation, self.horizon_ticks)
        value, lower, upper = table * minutes[:, None]
        return effects_from_intervals(
            value,
            lower,
            upper,
            seen,
            present_bad_share(situation) * minutes,
            floors(situation, self.horizon_ticks),
            seed,
        )

    def _predict(self, situation: Situation, courses: ActionSlots) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = pair_features(situation, courses)
        flat = x.reshape(-1, x.shape[-1])
        predicted = [
            np.asarray(self._models[name].predict(flat, num_threads=self.config.threads), dtype=np.float64)
            for name in ("mean", "lower", "upper")
        ]
        seen = np.isin(x[..., 0], list(self._types)).astype(np.float64)
        return np.stack([part.reshape(x.shape[:2]) for part in predicted]), seen

    def _settings(self) -> dict[str, object]:
        config = self.config
        return {
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.min_leaf,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "num_threads": config.threads,
            "seed": config.seed,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


def _chunks(size: int) -> Iterator[torch.Tensor]:
    for since in range(0, size, _CHUNK):
        yield torch.arange(since, min(size, since + _CHUNK))
