"""One checkpoint: a folder with ``model.safetensors`` and ``model.json``, which describes and seals it.

Nothing in it is ever executed. Reading checks size, format, vocabulary, digest, names, shapes and finiteness
before a single weight is used; writing is atomic, and a checkpoint is never changed afterwards.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.overrides import TorchFunctionMode

from opswm.errors import CheckpointError
from opswm.model.card import CARD, WEIGHTS, read_card, read_config, write_card
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel, num_parameters

MAX_CARD_BYTES: Final = 2_000_000
MAX_WEIGHT_BYTES: Final = 512_000_000


@dataclass(frozen=True)
class Checkpoint:
    """A model that was read, with what is known about it.

    Attributes:
        model: In evaluation mode.
        calibration: Plain JSON of the effect calibration (``opswm.rollout.calibration``), empty where there is none.
        about: What it was trained on and by which recipe.
        digest: SHA-256 of the card, which seals the weights too: the identity of the model.
    """

    model: GraphWorldModel
    calibration: Mapping[str, Any]
    about: Mapping[str, Any]
    digest: str


def write_checkpoint(
    folder: Path, model: GraphWorldModel, about: Mapping[str, Any], calibration: Mapping[str, Any]
) -> str:
    """Write a checkpoint and return its digest; either all of it is there afterwards or nothing.

    Args:
        folder: Must not exist yet, or be empty.
        model: The model.
        about: Plain JSON: recipe, data, seeds, results, whatever makes it reproducible.
        calibration: Plain JSON of the calibration, or empty.

    Raises:
        CheckpointError: When the folder holds something, or weights or descriptions are not finite numbers.
    """
    check_writable(folder)
    weights = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    _check_finite("the model", weights)
    data = safetensors.torch.save(weights)
    sizes = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "parameters": num_parameters(model)}
    text = write_card(model.config, sizes, about, calibration)
    made = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for name, content in ((WEIGHTS, data), (CARD, text)):
            with (made / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        made.chmod(0o755)
        os.replace(made, folder)
    except OSError as error:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise CheckpointError(f"cannot write the checkpoint {folder}: {error}; nothing was left behind") from error
    return hashlib.sha256(text).hexdigest()


def check_writable(folder: Path) -> None:
    """Check that a checkpoint may be written to a folder, before hours are spent on it.

    Raises:
        CheckpointError: When the folder holds something or is no folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is not an empty folder, and a checkpoint is never changed: choose another one")


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Args:
        folder: Written by :func:`write_checkpoint`.

    Raises:
        CheckpointError: When it is missing, truncated, altered, foreign, too large, or of another version.
    """
    text = _read(folder / CARD, MAX_CARD_BYTES)
    card = read_card(folder / CARD, text)
    data = _read(folder / WEIGHTS, MAX_WEIGHT_BYTES)
    if hashlib.sha256(data).hexdigest() != card["weights"]["sha256"]:
        raise CheckpointError(
            f"{folder / WEIGHTS} does not have the digest that {CARD} states: it was altered or cut; fetch it again"
        )
    config = read_config(folder / CARD, card["config"])
    weights = _weights(folder / WEIGHTS, data, config)
    model = GraphWorldModel(config)
    model.load_state_dict(weights)
    model.eval()
    return Checkpoint(model, card["calibration"], card["about"], hashlib.sha256(text).hexdigest())


def _read(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise CheckpointError(f"{path} has {size} bytes, a checkpoint's at most {limit}: this is something else")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}; name a folder with {WEIGHTS} and {CARD}"
        ) from error


def _weights(path: Path, data: bytes, config: GraphWorldModelConfig) -> dict[str, Tensor]:
    """Compared with a model without storage first, so that a made-up config cannot claim all memory."""
    try:
        found = safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a safetensors file ({error}); fetch the checkpoint again") from error
    with torch.device("meta"), _Unfilled():
        expected = {name: (value.shape, value.dtype) for name, value in GraphWorldModel(config).state_dict().items()}
    given = {name: (value.shape, value.dtype) for name, value in found.items()}
    wrong = sorted(name for name in given.keys() | expected.keys() if given.get(name) != expected.get(name))
    if wrong:
        raise CheckpointError(
            f"{path}: {len(wrong)} tensors such as {wrong[0]!r} do not fit the config; fetch it again"
        )
    _check_finite(str(path), found)
    return found


class _Unfilled(TorchFunctionMode):
    """Leaves new weights as they are: filling them on the meta device would load torch's compiler, over a second."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        fills = getattr(func, "__module__", "") == "torch.nn.init" or func in (Tensor.uniform_, Tensor.normal_)
        given = kwargs or {}
        return (args[0] if args else given["tensor"]) if fills else func(*args, **given)


def _check_finite(where: str, weights: Mapping[str, Tensor]) -> None:
    broken = sorted(name for name, value in weights.items() if not bool(torch.isfinite(value).all()))
    if broken:
        raise CheckpointError(f"{where}: {broken[0]!r} holds NaN or infinity; train again or fetch another checkpoint")
