"""Each implementation of the telemetry port, and a whole store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.delta_telemetry import DeltaTelemetry
from opswm.store.ledger import SqlLedger
from opswm.store.open import Store, Telemetry, open_store
from tests.core.store.shop import shop


@pytest.fixture(params=["delta", "arrow"])
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Telemetry:
    """Each implementation of the telemetry port."""
    return DeltaTelemetry(tmp_path / "metrics") if request.param == "delta" else ArrowTelemetry()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in an empty folder."""
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of each kind, for a ledger that is opened for the first time or anew."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    url: str = request.getfixturevalue("postgresql")
    return url


@pytest.fixture
def ledger(database_url: str) -> Iterator[SqlLedger]:
    """A ledger that knows the shop, in each kind of database."""
    opened = SqlLedger.open(database_url)
    opened.register(shop())
    yield opened
    opened.close()
