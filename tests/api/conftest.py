"""A small system, its telemetry, and a service that answers for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from starlette.testclient import TestClient

from opswm.model.checkpoint import write_checkpoint
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm_api.app import create_app
from opswm_api.settings import Settings
from opswm_schemas.descriptor import SystemDescriptor
from tests.api.system import descriptor_document, points


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
