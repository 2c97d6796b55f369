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


@pytest.fixture
def ledger(store: Store) -> SqlLedger:
    """A ledger that knows the shop."""
    store.ledger.register(shop())
    return store.ledger
