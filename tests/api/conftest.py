"""A small system, its telemetry, a service that answers for it, and the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from opswm.model.checkpoint import write_checkpoint
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm_api.app import create_app
from opswm_api.cli import main
from opswm_api.settings import Settings
from opswm_schemas.descriptor import SystemDescriptor
from tests.api.system import descriptor_document, points


class Ran:
    """What a verb left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def descriptor() -> SystemDescriptor:
    """The small system."""
    return SystemDescriptor.model_validate(descriptor_document())


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world model with drawn weights, so that actions do something: well-formed answers, not good ones."""
    folder = tmp_path_factory.mktemp("checkpoints") / "untrained"
    sizes = GraphWorldModelConfig(width=16, message_width=8, hidden=24, rounds=1, history_rounds=1, samples=16)
    model = GraphWorldModel(sizes)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    write_checkpoint(folder, model, {"recipe": "none"}, {})
    return folder


@pytest.fixture
def settings(tmp_path: Path, checkpoint: Path) -> Settings:
    """A service of its own folder."""
    return Settings(store=tmp_path / "store", checkpoint=checkpoint, torch_threads=1)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A running service without any system."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        yield running


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    """A running service with the small system registered and its telemetry stored."""
    client.post("/v1/systems", json=descriptor_document()).raise_for_status()
    batch = {"batch_id": "first", "points": points()}
    client.post("/v1/systems/corner-shop/telemetry", json=batch).raise_for_status()
    return client


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a verb with the small world model."""
    monkeypatch.setenv("OPSWM_CHECKPOINT", str(checkpoint))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        code = end.value.code
        return Ran(code if isinstance(code, int) else 0, told.out, told.err)

    return run
