"""The default world model as an entrant: trained on the logs and twins of other runs, asked about courses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.evaluation.demeter.pairs import OUTCOMES, OutcomeName
from opswm.evaluation.demeter.questions import Run, by_group, encode_group
from opswm.evaluation.demeter.training_data import PointsInMemory, log_batch, twin_batch
from opswm.evaluation.demeter.twins import Twin, TwinQuestion
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.model.losses import LossWeights
from opswm.rollout.imagine import imagine_futures
from opswm.tensors import Batch
from opswm.training.recipes import Recipe
from opswm.training.train import train
from opswm.windows.stacking import stack_batches

_MOST_ARMS: Final = 16


def demeter_recipe(seed: int) -> Recipe:
    """Return the recipe of this track: small, since there are a few hundred decision points.

    The paired effect is judged through the choice between twins alone, because the production job that ``no_op``
    stands for was not started afresh as twins were.

    Args:
        seed: Of initial weights and of the order of the data.
    """
    return Recipe(
        name="demeter",
        model=GraphWorldModelConfig(width=32, message_width=16, hidden=64),
        weights=LossWeights(
            bad=1.0, effect=0.0, spread=0.0, choice=1.0, channel=0.5, channel_courses=_MOST_ARMS, noise_per_member=2
        ),
        batch_size=48,
        epochs=25,
        learning_rate=3e-3,
        weight_decay=0.05,
        average=0.98,
        hide_channels=0.0,
        cut_history=0.0,
        validations=1,
        seed=seed,
    )


@dataclass(frozen=True)
class WorldModelTwins:
    """The graph world model as a twin ranker.

    Attributes:
        runs: Recordings by run name: those with twins, and further ones whose logs may always be learned from.
        twin_runs: The runs that have twins; each is under test once, and then its log stays unread.
        num_seeds: Models averaged, since single fits differ by several pairs.
        log_points: Decision points taken from each run's log at most.
    """

    runs: Mapping[str, Run]
    twin_runs: frozenset[str]
    name: str = "opswm"
    num_seeds: int = 2
    log_points: int = 40
    model: GraphWorldModelConfig = field(default_factory=lambda: demeter_recipe(0).model)

    def fit(self, twins: Sequence[Twin], seed: int) -> "FittedWorldModelTwins":
        """Learn from twins of other runs, those runs' logs, and logs of runs that have no twins.

        The log of a run that has twins, but none among ``twins``, is the one under test and stays unread.
        """
        asked = {twin.question.run for twin in twins}
        size = (self.model.context_ticks, self.model.horizon_ticks)
        logs = [self._logs[name] for name in sorted(self._logs) if name in asked or name not in self.twin_runs]
        batch = stack_batches([twin_batch(self.runs, twins, *size), *(log for log in logs if log is not None)])
        data = PointsInMemory(batch, f"demeter twins of {', '.join(sorted(asked))}")
        recipes = [demeter_recipe(1_000 * seed + index) for index in range(self.num_seeds)]
        validation = [twin_batch(self.runs, twins, *size)]
        return FittedWorldModelTwins(self.runs, [train(recipe, data, validation).model for recipe in recipes])

    @cached_property
    def _logs(self) -> dict[str, Batch | None]:
        size = (self.model.context_ticks, self.model.horizon_ticks)
        return {name: log_batch(run, *size, self.log_points) for name, run in self.runs.items()}


@dataclass(frozen=True)
class FittedWorldModelTwins:
    """Trained world models, averaged."""

    runs: Mapping[str, Run]
    models: Sequence[GraphWorldModel]

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        """Return the expected bad share of each twin's course under the outcome's objective."""
        scores = np.zeros(len(questions))
        objective = OUTCOMES.index(outcome)
        for key, members in by_group(questions).items():
            asked = [questions[index] for index in members]
            for model in self.models:
                situation, courses = encode_group(self.runs[key[0]], asked, model.context_ticks, model.horizon_ticks)
                futures = imagine_futures(model, situation, courses, seed=0)
                share = futures.bad[0, 1:, :, :, objective].mean(dim=(1, 2)).double().numpy()
                scores[members] += share / len(self.models)
        return scores
