"""Training data at rest."""

import os
import resource
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from opswm.errors import StoreError
from opswm.tensors import Batch
from opswm.training.shards import open_shards, read_shard, shard_identity, write_shard
from tests.core.model.queue_world import QueueWorld


def marked(points: int, first: int, entities: int = 3) -> Batch:
    """Return points whose first effect error is their number."""
    batch = QueueWorld(entities=entities).batch(points, seed=first)
    batch.effect_error[:, 0] = torch.arange(first, first + points)
    return batch


def write(folder: Path, sizes: list[int]) -> list[Path]:
    """Write shards of consecutively numbered points."""
    paths, first = [], 0
    for number, size in enumerate(sizes):
        paths.append(folder / f"{number}.safetensors")
        write_shard(paths[-1], marked(size, first, entities=3 + number % 2), {"points": size, "number": number})
        first += size
    return paths


def test_comes_back(tmp_path: Path) -> None:
    """What is written comes back, history and channels within half precision, everything else exactly."""
    batch = marked(5, 0)
    write_shard(tmp_path / "a" / "s.safetensors", batch, {"points": 5})
    found = read_shard(tmp_path / "a" / "s.safetensors")
    assert torch.equal(found.effect, batch.effect)
    assert torch.equal(found.courses.features, batch.courses.features)
    for field in fields(batch.situation.structure):
        assert torch.equal(
            getattr(found.situation.structure, field.name), getattr(batch.situation.structure, field.name)
        )
    torch.testing.assert_close(found.situation.history.value, batch.situation.history.value, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(found.channel, batch.channel, atol=1e-2, rtol=1e-3)


def test_only_recorded_channels_take_room(tmp_path: Path) -> None:
    """Courses without channels cost no space and come back masked."""
    batch = marked(4, 0)
    write_shard(tmp_path / "all", batch, {"points": 4})
    batch.channel_seen[:, 2:] = False
    write_shard(tmp_path / "two", batch, {"points": 4})
    assert (tmp_path / "two").stat().st_size < (tmp_path / "all").stat().st_size
    found = read_shard(tmp_path / "two")
    assert found.channel.shape == batch.channel.shape
    assert not found.channel_seen[:, 2:].any()


@pytest.mark.parametrize("batch_size", [4, 7, 100])
def test_every_point_once(tmp_path: Path, batch_size: int) -> None:
    """A pass yields every point once, in batches of the size asked for but the last, in an order of the seed."""
    data = open_shards(write(tmp_path, [6, 3, 5, 6, 4, 2]))
    passes = []
    for seed in (1, 1, 2):
        batches = list(data.batches(batch_size, torch.Generator().manual_seed(seed)))
        assert all(len(batch.arm) == batch_size for batch in batches[:-1])
        passes.append([int(number) for batch in batches for number in batch.effect_error[:, 0]])
    assert sorted(passes[0]) == list(range(26)) == list(range(data.num_points))
    assert passes[0] == passes[1] != passes[2]


def test_identity_tells_data_apart(tmp_path: Path) -> None:
    """The identity of a set changes with what made its shards."""
    first = open_shards(write(tmp_path, [3, 2]))
    assert first.identity == open_shards(first.paths).identity
    assert first.identity != open_shards(first.paths[:1]).identity
    assert shard_identity(first.paths[1]) == {"points": 2, "number": 1}


@pytest.mark.parametrize("spoil", ["cut", "flipped", "foreign", "missing"])
def test_broken_shards_are_said(tmp_path: Path, spoil: str) -> None:
    """A truncated, altered, foreign or missing file raises StoreError, names the file and says to remove it."""
    path = write(tmp_path, [3])[0]
    if spoil == "cut":
        os.truncate(path, 4_000)
    elif spoil == "flipped":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    elif spoil == "foreign":
        path.write_bytes(b"PAR1")
    else:
        path.unlink()
    with pytest.raises(StoreError, match=rf"{path.name}.*remove it"):
        read_shard(path)
    with pytest.raises(StoreError, match=rf"{path.name}.*remove it"):
        open_shards([path])
    assert shard_identity(path) is None


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where writing fails, the error says so and no partial file is left."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_shard(tmp_path / "file" / "s.safetensors", marked(2, 0), {"points": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path: Path) -> None:
    """A write that runs out of room is said; the shard that was there stays whole, and no half of a new one is left."""
    path = write(tmp_path, [3])[0]
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        with pytest.raises(StoreError, match=r"cannot write .* free some space"):
            write_shard(path, marked(3, 7), {"points": 3})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_points_make_the_same_bytes(tmp_path: Path) -> None:
    """A shard that is written again is the same file."""
    first, again = (write(tmp_path / name, [4])[0] for name in ("one", "two"))
    assert first.read_bytes() == again.read_bytes()
