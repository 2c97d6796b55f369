"""Stores to back up, places to restore to, and a backup."""

from pathlib import Path

import pytest

from opswm.store.backup.back_up import back_up
from tests.core.store.backup.stores import CLOCK, Place, fill


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store to back up, with each kind of ledger."""
    on_server = request.param == "postgresql"
    return Place(tmp_path / "source", request.getfixturevalue("postgresql") if on_server else None)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where nothing is yet."""
    on_server = request.param == "postgresql"
    return Place(tmp_path / "target", request.getfixturevalue("empty_postgresql") if on_server else None)


@pytest.fixture
def local(tmp_path: Path) -> Place:
    """A store in a folder alone."""
    return Place(tmp_path / "source")


@pytest.fixture
def archive(local: Place, tmp_path: Path) -> Path:
    """A backup of a small store."""
    store = local.open()
    fill(store)
    store.close()
    back_up(local.folder, None, tmp_path / "archive.zip", CLOCK)
    return tmp_path / "archive.zip"
