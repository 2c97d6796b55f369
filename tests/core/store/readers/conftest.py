"""Every reader of telemetry, by name."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from opswm_schemas.ports import TelemetryReader
from tests.core.store.readers import served
from tests.core.store.readers.served import Serve

READERS = ("memory", "delta", "duckdb", "files", "prometheus", "victoriametrics")
SERVERS = {"prometheus": "prometheus_server", "victoriametrics": "victoria_server"}


@pytest.fixture(params=READERS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a reader."""
    return str(request.param)


@pytest.fixture
def serve(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Puts readings where that reader finds them, and gives the reader."""
    with ExitStack() as opened:

        def put(rows: pa.Table) -> TelemetryReader:
            if kind in SERVERS:
                server = request.getfixturevalue(SERVERS[kind])
                return opened.enter_context(served.from_server(rows, server))
            if kind == "memory":
                return served.from_memory(rows)
            make = {"delta": served.from_delta, "duckdb": served.from_duckdb, "files": served.from_files}[kind]
            return make(rows, tmp_path)

        yield put
