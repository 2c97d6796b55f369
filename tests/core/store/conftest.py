"""Each implementation of the telemetry port, and a whole store."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.ledger import SqlLedger
from opswm.store.open import Store, Telemetry, open_store, open_telemetry
from opswm.store.tables.telemetry import RECEIVED, LoggedTelemetry
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import shop
from tests.core.store.tables.rig import logged


class FilledAtOnce(LoggedTelemetry):
    """Telemetry whose table is filled after every batch, so that reading is from the table alone."""

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str, source: str = RECEIVED) -> int:
        """Append a batch and fill the table."""
        version = super().append_metrics(system, table, batch_id, source)
        self.flush()
        return version


@pytest.fixture(params=["sqlite", "arrow", "log", "table"])
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    """Each implementation of the telemetry port, closed at the end."""
    opened: Telemetry = ArrowTelemetry()
    if request.param == "sqlite":
        opened = open_telemetry(tmp_path, SqliteIngestLog(tmp_path / "ingest.sqlite"))
    elif request.param != "arrow":
        in_log = logged(tmp_path / "metrics")
        opened = in_log if request.param == "log" else FilledAtOnce(in_log.log, in_log.table, in_log.filler)
    yield opened
    opened.close()


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


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of each kind without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    url: str = request.getfixturevalue("empty_postgresql")
    return url


@pytest.fixture
def ledger(database_url: str) -> Iterator[SqlLedger]:
    """A ledger that knows the shop, in each kind of database."""
    opened = SqlLedger.open(database_url)
    opened.register(shop())
    yield opened
    opened.close()
