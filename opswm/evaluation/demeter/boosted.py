"""Gradient-boosted trees on configuration and demand: one regression per outcome (LightGBM)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.pairs import OUTCOMES, OutcomeName, outcome_of
from opswm.evaluation.demeter.twins import Twin, TwinQuestion

_FEATURES: tuple[tuple[str, int], ...] = (
    ("demand", 1),
    ("demand_per_core", 1),
    ("cores", -1),
    ("parallelism", 0),
    ("task_managers", 0),
    ("cores_per_task_manager", 0),
    ("memory", -1),
    ("slots_per_task_manager", 0),
    ("cores_per_slot", 0),
    ("memory_per_slot", -1),
    ("memory_of_the_job", -1),
    ("checkpoint_interval", 0),
)
"""Each feature with the sign of its effect on both outcomes where physics leaves no doubt, else 0."""


def features(question: TwinQuestion) -> NDArray[np.float64]:
    """Return the numbers a tree may split on, in the order of ``_FEATURES``."""
    configuration = question.configuration
    amounts = (
        question.demand_records_per_s,
        question.demand_records_per_s / configuration.cores,
        configuration.cores,
        configuration.parallelism,
        configuration.task_managers,
        configuration.cores_per_task_manager,
        configuration.memory_mib,
        configuration.slots_per_task_manager,
        configuration.cores_per_slot,
        configuration.memory_mib / configuration.slots_per_task_manager,
        configuration.memory_mib * configuration.task_managers,
        configuration.checkpoint_interval_s,
    )
    return np.array(amounts, dtype=np.float64)


@dataclass(frozen=True)
class BoostedTrees:
    """LightGBM regression of the logarithm of each outcome, averaged over seeds.

    Attributes:
        monotone: Whether trees must respect the signs of ``_FEATURES``.
        num_rounds: Boosting rounds; with 8 leaves and a rate of 0.05, fixed rather than tuned because
            a training set holds about a hundred rows.
        num_seeds: Models averaged, since single fits differ by several pairs.
    """

    name: str = "lightgbm_effect"
    monotone: bool = False
    num_rounds: int = 150
    num_seeds: int = 5

    def fit(self, twins: Sequence[Twin], seed: int) -> "FittedBoostedTrees":
        """Learn from twins of other runs."""
        return FittedBoostedTrees(
            {name: [self._fit_one(twins, name, seed + index) for index in range(self.num_seeds)] for name in OUTCOMES}
        )

    def _fit_one(self, twins: Sequence[Twin], name: OutcomeName, seed: int) -> lightgbm.Booster:
        measured = [(twin.question, value) for twin in twins if (value := outcome_of(twin, name)) is not None]
        parameters = {
            "objective": "regression",
            "num_leaves": 8,
            "min_data_in_leaf": 5,
            "learning_rate": 0.05,
            "feature_fraction": 0.8,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        if self.monotone:
            parameters["monotone_constraints"] = [sign for _, sign in _FEATURES]
        table = np.stack([features(question) for question, _ in measured])
        target = np.log([value for _, value in measured])
        return lightgbm.train(parameters, lightgbm.Dataset(table, target), num_boost_round=self.num_rounds)


@dataclass(frozen=True)
class FittedBoostedTrees:
    """Trained trees by outcome."""

    models: Mapping[OutcomeName, Sequence[lightgbm.Booster]]

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        """Return the predicted logarithm of the outcome."""
        table = np.stack([features(question) for question in questions])
        predicted = np.array([model.predict(table) for model in self.models[outcome]], dtype=np.float64)
        return np.asarray(predicted.mean(axis=0), dtype=np.float64)
