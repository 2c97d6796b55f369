"""Rankers that learn, fitted on the very decision points that a checkpoint was trained on."""

from pathlib import Path

from opswm.errors import BadInputError
from opswm.planning.baselines.lightgbm_effect import LightGBMConfig, LightGBMEffectRanker
from opswm.planning.baselines.mean_effect import MeanEffectRanker
from opswm.planning.ranker import Ranker
from opswm.training.shards import read_shard


def fitted_peers(folder: Path, horizon_ticks: int, threads: int = 2) -> list[Ranker]:
    """Return the mean effect per action and boosted trees of the effect, both with training data and no others.

    Args:
        folder: Training's working folder, which holds ``data``.
        horizon_ticks: How far ahead they look; that of the training data.
        threads: For the trees.

    Raises:
        BadInputError: When there is no training data.
        StoreError: When a shard is damaged.
    """
    paths = sorted((folder / "data").glob("training-*.safetensors"))
    if not paths:
        raise BadInputError(
            f"{folder / 'data'} holds no training-*.safetensors; give the --work folder that `opswm train` kept"
        )
    batches = [read_shard(path) for path in paths]
    given = batches[0].bad.shape[2]
    if given != horizon_ticks:
        raise BadInputError(f"the data in {folder} reach {given} ticks ahead, the model {horizon_ticks}: use its own")
    return [
        MeanEffectRanker(horizon_ticks).fit(batches),
        LightGBMEffectRanker(horizon_ticks, LightGBMConfig(threads=threads)).fit(batches),
    ]
