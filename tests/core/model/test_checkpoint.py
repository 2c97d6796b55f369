"""Checkpoints: what is written comes back; whatever is wrong with a folder is said before a weight is used."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from opswm.errors import CheckpointError
from opswm.model.card import CARD, WEIGHTS
from opswm.model.checkpoint import MAX_CARD_BYTES, read_checkpoint, write_checkpoint
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from tests.core.model.situations import random_actions, random_situation

CONFIG = GraphWorldModelConfig(width=12, message_width=6, hidden=16, rounds=1, history_rounds=1, samples=8)
ABOUT = {"recipe": "test", "seed": 3}


@pytest.fixture
def model() -> GraphWorldModel:
    """An untrained model."""
    torch.manual_seed(8)
    return GraphWorldModel(CONFIG).eval()


@pytest.fixture
def folder(tmp_path: Path, model: GraphWorldModel) -> Path:
    """A good checkpoint."""
    write_checkpoint(tmp_path / "good", model, ABOUT, {"level": 0.9})
    return tmp_path / "good"


def test_comes_back_whole(folder: Path, model: GraphWorldModel) -> None:
    """A checkpoint that was read gives the same futures, bit for bit, and its description."""
    found = read_checkpoint(folder)
    with torch.inference_mode():
        futures = [
            one.imagine(one.observe(random_situation(1)), random_actions(2), torch.Generator().manual_seed(4))
            for one in (model, found.model)
        ]
    assert torch.equal(futures[0].bad, futures[1].bad)
    assert torch.equal(futures[0].channel, futures[1].channel)
    assert (found.about, found.calibration) == (ABOUT, {"level": 0.9})


def test_the_digest_is_that_of_the_content(tmp_path: Path, folder: Path, model: GraphWorldModel) -> None:
    """The same model written twice has one digest, which reading states too; another description has another."""
    again = write_checkpoint(tmp_path / "again", model, ABOUT, {"level": 0.9})
    other = write_checkpoint(tmp_path / "other", model, {"recipe": "other"}, {})
    assert read_checkpoint(folder).digest == again != other


def test_only_two_files_are_left(folder: Path) -> None:
    """The folder holds the weights and their card, and nothing is left beside it."""
    assert sorted(path.name for path in folder.iterdir()) == sorted([CARD, WEIGHTS])
    assert [path.name for path in folder.parent.iterdir()] == ["good"]


def test_never_changed(folder: Path, model: GraphWorldModel) -> None:
    """Writing where a checkpoint is, or anything else, is refused and leaves it as it was."""
    before = (folder / CARD).read_bytes()
    with pytest.raises(CheckpointError, match="choose another"):
        write_checkpoint(folder, model, {"recipe": "new"}, {})
    assert (folder / CARD).read_bytes() == before


def test_a_diverged_model_is_not_written(tmp_path: Path, model: GraphWorldModel) -> None:
    """A model with NaN weights is refused, and nothing is left behind."""
    model.kind.weight.data[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match="NaN"):
        write_checkpoint(tmp_path / "bad", model, ABOUT, {})
    assert list(tmp_path.iterdir()) == []


def test_a_description_that_is_no_json_is_not_written(tmp_path: Path, model: GraphWorldModel) -> None:
    """NaN in the description is refused, and nothing is left behind."""
    with pytest.raises(CheckpointError, match="plain"):
        write_checkpoint(tmp_path / "bad", model, {"score": float("nan")}, {})
    assert list(tmp_path.iterdir()) == []


def edit_card(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a way to spoil a checkpoint through its card."""

    def spoil(folder: Path) -> None:
        card = json.loads((folder / CARD).read_text())
        change(card)
        (folder / CARD).write_text(json.dumps(card))

    return spoil


def replace_weights(data: bytes) -> Callable[[Path], None]:
    """Return a way to spoil a checkpoint by putting other weights in, with a card that vouches for them."""

    def spoil(folder: Path) -> None:
        import hashlib

        (folder / WEIGHTS).write_bytes(data)
        edit_card(lambda card: card["weights"].update(sha256=hashlib.sha256(data).hexdigest()))(folder)

    return spoil


def with_nan(folder: Path) -> None:
    """Spoil a checkpoint by an infinite weight, with a card that vouches for it."""
    weights = safetensors.torch.load((folder / WEIGHTS).read_bytes())
    weights["kind.weight"][0, 0] = torch.inf
    replace_weights(safetensors.torch.save(weights))(folder)


SPOILERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "cannot read"),
    "no card": (lambda folder: (folder / CARD).unlink(), "cannot read"),
    "truncated weights": (lambda folder: os.truncate(folder / WEIGHTS, 1000), "altered or cut"),
    "one bit flipped": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1] + b"\x01"),
        "altered or cut",
    ),
    "truncated card": (lambda folder: os.truncate(folder / CARD, 100), "not JSON"),
    "deep card": (lambda folder: (folder / CARD).write_text("[" * 100_000), "not JSON"),
    "huge card": (lambda folder: (folder / CARD).write_bytes(b" " * (MAX_CARD_BYTES + 1)), "at most"),
    "another format": (edit_card(lambda card: card.update(format="other")), "opswm train"),
    "a list": (lambda folder: (folder / CARD).write_text("[]"), "opswm train"),
    "a later version": (edit_card(lambda card: card.update(format_version=2)), "version 2"),
    "no config": (edit_card(lambda card: card.pop("config")), "lacks config"),
    "another vocabulary": (edit_card(lambda card: card["vocabulary"]["meanings"].update(size=3)), "meanings"),
    "a config field too many": (edit_card(lambda card: card["config"].update(depth=3)), "depth"),
    "a size of zero": (edit_card(lambda card: card["config"].update(width=0)), "width"),
    "an absurd size": (edit_card(lambda card: card["config"].update(hidden=10**9)), "hidden"),
    "a size in words": (edit_card(lambda card: card["config"].update(rounds="two")), "rounds"),
    "levels out of order": (edit_card(lambda card: card["config"].update(quantiles=[0.9, 0.5, 0.1])), "increase"),
    "a config of other weights": (edit_card(lambda card: card["config"].update(width=14)), "do not fit"),
    "pickled weights": (replace_weights(pickle.dumps({"kind.weight": [1.0]})), "not a safetensors"),
    "weights of another model": (replace_weights(safetensors.torch.save({"w": torch.ones(2)})), "do not fit"),
    "an infinite weight": (with_nan, "infinity"),
}


@pytest.mark.parametrize("what", SPOILERS)
def test_whatever_is_wrong_is_said(folder: Path, what: str) -> None:
    """A spoilt checkpoint raises CheckpointError, which names the matter and what to do."""
    spoil, said = SPOILERS[what]
    spoil(folder)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint(folder)
    assert str(folder) in str(caught.value)
