"""Peers of the world model learn from what it learned from."""

from pathlib import Path

import pytest

from opswm.errors import BadInputError
from opswm.evaluation.demo.peers import fitted_peers
from opswm.training.shards import write_shard
from tests.core.model.queue_world import QueueWorld


def test_peers_learn_from_the_training_shards(tmp_path: Path) -> None:
    """Both peers rank what the shards hold; validation and calibration shards are left alone."""
    world = QueueWorld(entities=3, context=16, horizon=8)
    (tmp_path / "data").mkdir()
    write_shard(tmp_path / "data" / "training-random-000000.safetensors", world.batch(24, seed=1), {})
    (tmp_path / "data" / "validation-random-000000.safetensors").write_bytes(b"no shard at all")
    asked = world.batch(5, seed=2)
    for peer in fitted_peers(tmp_path, 8, threads=1):
        found = peer.effects(asked.situation, asked.courses, seed=0)
        assert found.value.shape == tuple(asked.courses.there.shape[:2])
        assert (found.value[:, 0] == 0.0).all()
        assert found.value.any()


def test_a_folder_without_training_data_is_refused(tmp_path: Path) -> None:
    """A wrong folder, and data of another horizon, are told apart from an empty result."""
    with pytest.raises(BadInputError, match="--work"):
        fitted_peers(tmp_path, 8)
    (tmp_path / "data").mkdir()
    world = QueueWorld(entities=3, context=16, horizon=8)
    write_shard(tmp_path / "data" / "training-random-000000.safetensors", world.batch(4, seed=1), {})
    with pytest.raises(BadInputError, match="8 ticks ahead, the model 12"):
        fitted_peers(tmp_path, 12)
