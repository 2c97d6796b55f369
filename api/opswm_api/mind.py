"""The world model as a service needs it: a checkpoint read, verified, bound to its calibration, and named."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch

from opswm.errors import CheckpointError
from opswm.model.checkpoint import read_checkpoint
from opswm.planning.planner import Planner
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration


@dataclass(frozen=True)
class Mind:
    """A planner over one checkpoint.

    Attributes:
        planner: Ranks and imagines.
        model_id: The checkpoint's name: its recipe, or its folder.
        digest: Its identity.
    """

    planner: Planner
    model_id: str
    digest: str


def shipped_checkpoint() -> Path:
    """Return the folder of the checkpoint that comes with the package."""
    return Path(str(files("opswm"))) / "checkpoints" / "demo"


def load_mind(folder: Path | None, torch_threads: int) -> Mind:
    """Read a checkpoint.

    Args:
        folder: Where it is; the shipped one where left out.
        torch_threads: Processor threads that one answer may use, from now on, in the whole process; fewer where
            torch was told so by ``OMP_NUM_THREADS`` or the machine has fewer.

    Raises:
        CheckpointError: When it is missing, corrupt, foreign or of another version.
    """
    torch.set_num_threads(min(torch_threads, torch.get_num_threads()))
    path = folder or shipped_checkpoint()
    if not path.is_dir():
        raise CheckpointError(f"{path} is no checkpoint folder; name one with model.safetensors and model.json")
    read = read_checkpoint(path)
    calibration = Calibration.from_json(read.calibration) if read.calibration else Calibration()
    return Mind(Planner(CalibratedModel(read.model, calibration)), f"opswm-{path.name}", read.digest)
