"""Which worlds are generated, and that what is there is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from opswm.errors import StoreError
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.tensors import Batch
from opswm.training.generate import SHARD_POINTS, generate, generate_sets, pieces
from opswm.training.recipes import FIRST_TRAINING_SEED, DataPlan
from opswm.training.shards import read_shard, write_shard
from opswm.training.simulated import simulate_batch
from tests.core.model.queue_world import QueueWorld

TINY = DataPlan(points=3, validation_points=1, calibration_points=1, shop_share=0.5, courses=6, futures=2)


def test_no_world_is_in_two_sets() -> None:
    """Training, validation and calibration share no world seed, and none is one of evaluation."""
    plan = DataPlan(points=200, validation_points=70, calibration_points=90, shop_share=0.6)
    seeds = {name: [seed for piece in part for seed in piece.seeds] for name, part in pieces(plan).items()}
    everything = [seed for part in seeds.values() for seed in part]
    assert len(everything) == len(set(everything)) == 360
    assert min(everything) == FIRST_TRAINING_SEED
    assert {name: len(part) for name, part in seeds.items()} == {"training": 200, "validation": 70, "calibration": 90}


def test_systems_are_shared_out_as_planned() -> None:
    """Each set has its share of demo-shop points, in shards of limited size."""
    for part in pieces(DataPlan(points=500, shop_share=0.6)).values():
        shop = sum(len(piece.seeds) for piece in part if piece.system == "web_shop")
        assert shop == round(0.6 * sum(len(piece.seeds) for piece in part))
        assert max(len(piece.seeds) for piece in part) <= SHARD_POINTS


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The simulator replaced by a made-up world; returns the first seeds it was asked for."""
    asked: list[int] = []

    def world(
        plan: EpisodePlan, seeds: Sequence[int], num_courses: int, num_futures: int, channel_courses: int, horizon: int
    ) -> Batch:
        asked.append(seeds[0])
        batch = QueueWorld(entities=3, context=plan.context_ticks, horizon=horizon).batch(len(seeds), seed=seeds[0])
        assert num_futures == TINY.futures
        return batch

    monkeypatch.setattr("opswm.training.generate.simulate_batch", world)
    return asked


def test_what_is_there_is_kept_and_what_is_gone_comes_back(made_up: list[int], tmp_path: Path) -> None:
    """A second run makes only what is missing, bit for bit."""
    notes: list[tuple[int, int]] = []
    made = generate(TINY, 16, 8, tmp_path, lambda stage, done, total, note: notes.append((done, total)))
    assert notes[-1] == (5, 5)
    assert (made.training.num_points, made.validation.num_points, made.calibration.num_points) == (3, 1, 1)
    lost = made.training.paths[0]
    before = lost.read_bytes()
    lost.unlink()
    made_up.clear()
    again = generate(TINY, 16, 8, tmp_path, lambda stage, done, total, note: None)
    assert lost.read_bytes() == before
    assert made_up == [TINY.seed]
    assert again.training.identity == made.training.identity


def test_one_set_can_be_made_alone(made_up: list[int], tmp_path: Path) -> None:
    """Making one set of a plan makes the files that making all of them would, and no others."""
    whole = generate(TINY, 16, 8, tmp_path / "whole", lambda *_: None)
    alone = generate_sets(TINY, ["calibration"], 16, 8, tmp_path / "alone", lambda *_: None)
    assert list(alone) == ["calibration"]
    assert alone["calibration"].identity == whole.calibration.identity
    assert [path.name for path in (tmp_path / "alone").iterdir()] == [path.name for path in whole.calibration.paths]


def test_a_group_that_is_interrupted_is_finished(
    made_up: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a failing write whole shards stay, nothing else; going on makes the same bytes as a run in one go."""
    plan = replace(TINY, points=5, shop_share=0.0)
    monkeypatch.setattr("opswm.training.generate.SHARD_POINTS", 2)
    whole = generate(plan, 16, 8, tmp_path / "whole", lambda *_: None)
    limit = len(whole.training.paths[0].read_bytes())

    def full(path: Path, batch: Batch, identity: Mapping[str, Any]) -> None:
        if batch.arm.shape[0] == 1:
            raise StoreError("cannot write: no space left on device")
        write_shard(path, batch, identity)

    with monkeypatch.context() as patch:
        patch.setattr("opswm.training.generate.write_shard", full)
        with pytest.raises(StoreError, match="no space left"):
            generate(plan, 16, 8, tmp_path / "part", lambda *_: None)
    left = sorted((tmp_path / "part").iterdir())
    assert [path.name for path in left] == [path.name for path in whole.training.paths[:2]]
    assert limit == left[0].stat().st_size
    made_up.clear()
    again = generate(plan, 16, 8, tmp_path / "part", lambda *_: None)
    assert made_up[0] == plan.seed
    for one, other in zip(whole.training.paths, again.training.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("spoil", ["cut", "flipped"])
def test_a_damaged_shard_is_made_again(made_up: list[int], tmp_path: Path, spoil: str) -> None:
    """A truncated or altered shard is noticed, named and made again, bit for bit."""
    made = generate(TINY, 16, 8, tmp_path, lambda *_: None)
    path = made.calibration.paths[0]
    before = path.read_bytes()
    data = bytearray(before)
    data[-3] ^= 64
    path.write_bytes(data if spoil == "flipped" else data[:-8])
    notes: list[str] = []
    generate(TINY, 16, 8, tmp_path, lambda stage, done, total, note: notes.append(note))
    assert [note for note in notes if "damaged" in note] == [f"damaged, made again: {path.name}"]
    assert path.read_bytes() == before


def test_the_data_of_another_version_are_refused(
    made_up: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shards of another generator are refused by name, and stay as they are."""
    made = generate(TINY, 16, 8, tmp_path, lambda *_: None)
    before = made.training.paths[0].read_bytes()
    monkeypatch.setattr("opswm.training.generate.GENERATOR_VERSION", 0)
    with pytest.raises(StoreError, match=rf"{made.training.paths[0].name} .*version \(version differ\)"):
        generate(TINY, 16, 8, tmp_path, lambda *_: None)
    assert made.training.paths[0].read_bytes() == before


def test_the_data_of_another_plan_is_refused(made_up: list[int], tmp_path: Path) -> None:
    """A folder with shards of another plan is neither used nor overwritten."""
    generate(TINY, 16, 8, tmp_path, lambda stage, done, total, note: None)
    made_up.clear()
    with pytest.raises(StoreError, match="another plan"):
        generate(replace(TINY, courses=4), 16, 8, tmp_path, lambda stage, done, total, note: None)
    assert made_up == []


def test_a_simulated_point_is_what_it_promises(tmp_path: Path) -> None:
    """A point of the simulator has no_op first, effects that follow from its bad shares, and recorded channels."""
    batch = simulate_batch(EpisodePlan(system="web_shop", context_ticks=8), [FIRST_TRAINING_SEED], 3, 2, 2, 5)
    assert bool(batch.arm.all())
    assert not batch.courses.there[:, 0].any()
    assert bool(((batch.bad >= 0) & (batch.bad <= 1)).all())
    weight = batch.situation.structure.objective_weight
    assert float(weight.sum()) == pytest.approx(1.0)
    cost = torch.einsum("bsho,bo->bs", batch.bad, weight) / 5
    torch.testing.assert_close(batch.effect, cost - cost[:, :1], atol=1e-5, rtol=0.0)
    assert bool(batch.situation.history.seen.any())
    assert batch.channel_seen.flatten(2).any(2).tolist() == [[True, True, False]]
    write_shard(tmp_path / "one", batch, {"points": 1})
    assert torch.equal(read_shard(tmp_path / "one").effect, batch.effect)


@pytest.mark.slow
def test_two_processes_make_the_same_data(tmp_path: Path) -> None:
    """How many processes generate does not show in the shards."""
    plan = replace(TINY, points=2, validation_points=1, calibration_points=1, courses=2, futures=1, channel_courses=1)
    one, two = (generate(plan, 4, 3, tmp_path / str(n), lambda *_: None, processes=n) for n in (1, 2))
    assert one.training.identity == two.training.identity
    assert one.calibration.identity == two.calibration.identity
