"""A recipe from beginning to end: data, training, calibration, checkpoint."""

import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from opswm.model.checkpoint import check_writable, write_checkpoint
from opswm.rollout.calibration import Calibration
from opswm.rollout.fit import fit_calibration
from opswm.training.generate import Generated, generate
from opswm.training.recipes import Recipe
from opswm.training.shards import Shards, read_shard
from opswm.training.support import fit_support
from opswm.training.train import Progress, Trained, silent, train
from opswm.training.validate import Score, validate


@dataclass(frozen=True)
class Finished:
    """What a recipe made.

    Attributes:
        folder: The checkpoint.
        digest: Its identity.
        validation: On worlds that decided when to stop.
        calibration: On worlds that decided nothing but the width of intervals.
        training_s: Seconds of training alone.
    """

    folder: Path
    digest: str
    validation: Score
    calibration: Score
    training_s: float


def run(recipe: Recipe, out: Path, work: Path, progress: Progress = silent) -> Finished:
    """Carry out a recipe; a run that was killed goes on where it was.

    Args:
        recipe: What to do.
        out: Folder of the checkpoint; must not exist yet, or be empty.
        work: Folder for generated data and the state of the unfinished run.
        progress: Called as things get done.

    Raises:
        CheckpointError: When ``out`` holds something, or ``work`` the state of another run.
        StoreError: When ``work`` holds the data of another plan or cannot be written.
    """
    check_writable(out)
    torch.set_num_threads(recipe.threads)
    ticks = recipe.model.context_ticks, recipe.model.horizon_ticks
    data = generate(recipe.data, *ticks, work / "data", progress, processes=recipe.threads)
    validation = [read_shard(path) for path in data.validation.paths]
    started = time.monotonic()
    trained = train(recipe, data.training, validation, work / "state", progress)
    training_s = time.monotonic() - started
    fit_support(trained.model, (read_shard(path) for path in data.training.paths))
    progress("calibrate", 0, 1, "")
    calibration, score = calibrate(recipe, trained, data.calibration)
    progress("calibrate", 1, 1, f"regret {score.regret:.3f}")
    about = _about(recipe, data, trained, score, training_s)
    digest = write_checkpoint(out, trained.model, about, calibration.to_json())
    return Finished(out, digest, trained.score, score, training_s)


def calibrate(recipe: Recipe, trained: Trained, shards: Shards) -> tuple[Calibration, Score]:
    """Return conformal scores on the calibration worlds, and how the model does there.

    Args:
        recipe: That made the model.
        trained: The model.
        shards: Worlds that neither training nor early stopping has seen.
    """
    patch, ticks = recipe.model.patch_ticks, recipe.model.horizon_ticks
    batches = [read_shard(path) for path in shards.paths]
    source = f"{shards.num_points} simulated calibration worlds, disjoint from training and from every test"
    fitted = fit_calibration(trained.model, batches, range(patch, ticks + 1, patch), recipe.seed, source)
    return fitted, validate(trained.model, batches)


def _about(recipe: Recipe, data: Generated, trained: Trained, score: Score, training_s: float) -> dict[str, Any]:
    return {
        "recipe": recipe.to_json(),
        "data": {
            "kind": "simulated decision points with branched truth",
            "training": {"points": data.training.num_points, "sha256": data.training.identity},
            "validation": {"points": data.validation.num_points, "sha256": data.validation.identity},
            "calibration": {"points": data.calibration.num_points, "sha256": data.calibration.identity},
        },
        "evidence": "simulation only",
        "validation": asdict(trained.score),
        "calibration": asdict(score),
        "training_s": round(training_s, 1),
        "machine": {"processor": platform.machine(), "threads": recipe.threads, "torch": torch.__version__},
        "log": trained.log,
    }
