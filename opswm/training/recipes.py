"""Recipes: everything that decides what a training run makes, as presets."""

from dataclasses import asdict, dataclass, field
from typing import Any

from opswm.errors import BadInputError
from opswm.model.config import GraphWorldModelConfig
from opswm.model.losses import LossWeights


@dataclass(frozen=True)
class DataPlan:
    """Which decision points are generated.

    Attributes:
        points: Decision points to train on.
        validation_points: Points of other worlds, for early stopping.
        calibration_points: Points of yet other worlds, for the conformal scores.
        shop_share: Share of points in the demo shop; the rest are random systems.
        courses: Candidate courses per point, ``no_op`` among them.
        futures: Exogenous futures behind each mean outcome.
        channel_courses: Courses whose channels are kept, ``no_op`` first.
        step_s: Length of a tick, seconds.
        seed: First world seed; the three sets follow each other from here. Below 1,000,000 lies evaluation.
    """

    points: int = 4_000
    validation_points: int = 400
    calibration_points: int = 600
    shop_share: float = 0.6
    courses: int = 14
    futures: int = 4
    channel_courses: int = 4
    step_s: int = 5
    seed: int = 1_000_000

    def __post_init__(self) -> None:
        if self.seed < FIRST_TRAINING_SEED:
            raise BadInputError(
                f"seed {self.seed} is below {FIRST_TRAINING_SEED}, where evaluation draws its worlds: use a larger one"
            )
        if min(self.points, self.validation_points, self.calibration_points, self.futures) < 1 or self.courses < 2:
            raise BadInputError(f"a data plan needs at least one point of each set and two courses, got {self}")


FIRST_TRAINING_SEED = 1_000_000
"""World seeds below this belong to evaluation and demonstrations, so training never sees what it is judged on."""


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        batch_size: Decision points per step.
        epochs: Passes over the training points.
        learning_rate: Highest one, after the warm-up.
        warmup_share: Share of the steps until then; after it the rate falls along half a cosine to a fiftieth.
        weight_decay: Of AdamW.
        clip: Largest gradient norm.
        average: Decay of the exponential moving average of the weights, which is what is kept.
        hide_channels, cut_history: Shares of channels and histories hidden in training.
        patience: Validations without improvement after which training stops.
        validations: How often effects and regret are measured on the validation worlds.
        threads: Torch threads.
        seed: Of initial weights and of the order of the data.
    """

    name: str
    model: GraphWorldModelConfig = field(default_factory=GraphWorldModelConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    data: DataPlan = field(default_factory=DataPlan)
    batch_size: int = 32
    epochs: int = 16
    learning_rate: float = 2e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.02
    clip: float = 1.0
    average: float = 0.995
    hide_channels: float = 0.05
    cut_history: float = 0.1
    patience: int = 100
    validations: int = 8
    threads: int = 2
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def debug() -> Recipe:
    """Return a recipe that runs anywhere in less than a minute and is good for nothing but that."""
    return Recipe(
        name="debug",
        model=GraphWorldModelConfig(width=24, message_width=12, hidden=32, rounds=2, history_rounds=1),
        data=DataPlan(points=64, validation_points=24, calibration_points=24, courses=8, futures=2),
        batch_size=16,
        epochs=4,
        average=0.9,
        validations=2,
    )


def demo() -> Recipe:
    """Return the recipe of the checkpoint that ships with the package: under ten minutes on two cores."""
    plan = DataPlan(
        points=2_048,
        validation_points=192,
        calibration_points=320,
        shop_share=0.8125,
        courses=12,
        futures=2,
        seed=5_000_000,
    )
    return Recipe(name="demo", data=plan, epochs=10, average=0.99)


RECIPES = {"debug": debug, "demo": demo}


def recipe_named(name: str) -> Recipe:
    """Return a preset.

    Raises:
        BadInputError: When there is none of that name.
    """
    if name not in RECIPES:
        raise BadInputError(f"there is no recipe {name!r}; use one of {', '.join(RECIPES)}")
    return RECIPES[name]()
