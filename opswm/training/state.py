"""The state of an unfinished training run: one file, replaced atomically, from which a killed run goes on."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from opswm.errors import CheckpointError


@dataclass
class TrainingState:
    """What a run needs to go on as if nothing had happened.

    Attributes:
        model: Being trained.
        average: Moving average of its weights.
        best: The average at the best validation so far.
        optimizer: AdamW over the model.
        step: Steps done.
        best_score: Validation score of ``best``; lower is better.
        since_best: Validations since then.
        log: What was measured so far.
    """

    model: nn.Module
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: torch.optim.AdamW
    step: int
    best_score: float
    since_best: int
    log: list[dict[str, Any]]


def save_state(path: Path, state: TrainingState, identity: str) -> None:
    """Replace the state file by the present state.

    Args:
        path: Of the file.
        state: To keep.
        identity: Of recipe and data; a state of another identity is refused when read.
    """
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    note = {
        "identity": identity,
        "step": state.step,
        "best_score": state.best_score,
        "since_best": state.since_best,
        "log": state.log,
    }
    data = safetensors.torch.save(
        {name: value.detach().clone().contiguous() for name, value in tensors.items()}, {"state": json.dumps(note)}
    )
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_state(path: Path, state: TrainingState, identity: str) -> bool:
    """Bring a fresh state to where a run was; return whether there was a file.

    Args:
        path: Of the file.
        state: Fresh, changed in place.
        identity: Of recipe and data.

    Raises:
        CheckpointError: When the file belongs to another run or cannot be read.
    """
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            note: Mapping[str, Any] = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); remove it to start the training over") from error
    if note.get("identity") != identity:
        raise CheckpointError(f"{path} belongs to a training run of another recipe; remove it to start over")

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    state.model.load_state_dict(part("model."))
    state.average, state.best = part("average."), part("best.")
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in part("optimizer.").items():
        index, key = name.split(".")
        moments.setdefault(int(index), {})[key] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    state.step, state.best_score = int(note["step"]), float(note["best_score"])
    state.since_best, state.log = int(note["since_best"]), list(note["log"])
    return True
