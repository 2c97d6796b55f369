"""The training loop: AdamW, warm-up and cosine, averaged weights, early stopping, and going on after a kill."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import torch
from torch import Tensor

from opswm.errors import OpswmError
from opswm.model.graph_world_model import GraphWorldModel
from opswm.tensors import Batch
from opswm.training.batches import thin
from opswm.training.recipes import Recipe
from opswm.training.state import TrainingState, load_state, save_state
from opswm.training.validate import Score, validate

Progress = Callable[[str, int, int, str], None]
"""Called with what is going on, how much is done, of how much, and a note such as the latest score."""

LAST: Final = "last.safetensors"


def silent(stage: str, done: int, total: int, note: str) -> None:
    """Report nothing."""


@runtime_checkable
class TrainingData(Protocol):
    """Decision points to train on."""

    @property
    def num_points(self) -> int:
        """How many there are."""
        ...

    @property
    def identity(self) -> str:
        """A digest of what they are, so that a resumed run goes on with the same."""
        ...

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Yield all points once in an order that the generator decides; the last batch may be smaller."""
        ...


@dataclass(frozen=True)
class Trained:
    """The outcome of a run.

    Attributes:
        model: With the averaged weights of the best validation, in evaluation mode.
        score: That validation.
        log: One entry per validation.
    """

    model: GraphWorldModel
    score: Score
    log: list[dict[str, Any]]


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Return the rate of a step: linear warm-up, then half a cosine down to a fiftieth.

    Args:
        step: Counted from 0.
        steps: In all.
        recipe: With the highest rate and the share of the warm-up.
    """
    warmup = max(1.0, recipe.warmup_share * steps)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1.0, steps - warmup)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress))))


def train(
    recipe: Recipe,
    data: TrainingData,
    validation: Sequence[Batch],
    work: Path | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train a graph world model.

    Args:
        recipe: How.
        data: Decision points to learn from.
        validation: Of other worlds, for early stopping.
        work: Folder for the state of the unfinished run; a run that was killed goes on from there.
        progress: Called after every step.

    Raises:
        OpswmError: When the loss is not finite.
        CheckpointError: When ``work`` holds the state of another run.
    """
    torch.set_num_threads(recipe.threads)
    state = _fresh(recipe)
    identity = f"{recipe.to_json()} {data.identity}"
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        load_state(work / LAST, state, identity)
    per_epoch = math.ceil(data.num_points / recipe.batch_size)
    steps = per_epoch * recipe.epochs
    every = max(1, steps // recipe.validations)
    model = state.model
    for epoch in range(state.step // per_epoch, recipe.epochs):
        if state.since_best > recipe.patience:
            break
        order = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        for index, batch in enumerate(data.batches(recipe.batch_size, order)):
            hidden = thin(batch, recipe.hide_channels, recipe.cut_history, order)
            if index < state.step - epoch * per_epoch:
                continue
            loss = _step(state, hidden, recipe, steps)
            note = f"loss {loss:.4f}"
            if state.step % every == 0 or state.step == steps:
                note = _validate(state, validation, loss)
                if work is not None:
                    save_state(work / LAST, state, identity)
            progress("train", state.step, steps, note)
            if state.since_best > recipe.patience:
                break
    if not state.best:
        _validate(state, validation, math.nan)
    model.load_state_dict(state.best)
    model.eval()
    return Trained(_graph(model), validate(_graph(model), validation), state.log)


def _fresh(recipe: Recipe) -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = GraphWorldModel(recipe.model, recipe.weights)
    model.train()
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        betas=(0.9, 0.98),
    )
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    return TrainingState(model, average, {}, optimizer, 0, math.inf, 0, [])


def _graph(model: torch.nn.Module) -> GraphWorldModel:
    if not isinstance(model, GraphWorldModel):
        raise OpswmError(f"expected a graph world model, got {type(model).__name__}")
    return model


def _step(state: TrainingState, batch: Batch, recipe: Recipe, steps: int) -> float:
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, steps, recipe)
    total = _graph(state.model).loss(batch)["total"]
    loss = float(total.detach())
    if not math.isfinite(loss):
        raise OpswmError(f"the loss became {loss} at step {state.step}: lower the learning rate or look at the data")
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip)
    state.optimizer.step()
    state.step += 1
    decay = min(recipe.average, (1.0 + state.step) / (10.0 + state.step))
    for name, value in state.model.state_dict().items():
        state.average[name].lerp_(value, 1.0 - decay)
    return loss


def _validate(state: TrainingState, validation: Sequence[Batch], loss: float) -> str:
    """Score the averaged weights; remember them if they are the best so far.

    The best are those with the smallest error of the effect, a mean over all arms. Regret is what counts in the end,
    but on a few hundred points it hangs on a handful of choices and would pick a model by chance.
    """
    kept: dict[str, Tensor] = {name: value.detach().clone() for name, value in state.model.state_dict().items()}
    state.model.load_state_dict(state.average)
    state.model.eval()
    score = validate(_graph(state.model), validation)
    state.model.load_state_dict(kept)
    state.model.train()
    state.log.append({"step": state.step, "loss": None if math.isnan(loss) else loss, **asdict(score)})
    if score.effect_error < state.best_score or not state.best:
        state.best_score, state.since_best = score.effect_error, 0
        state.best = {name: value.clone() for name, value in state.average.items()}
    else:
        state.since_best += 1
    return f"loss {loss:.4f}, validation regret {score.regret:.3f}, sign agreement {score.sign_agreement:.3f}"
