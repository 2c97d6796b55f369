"""Each implementation of the ingest log, as something that can be opened again."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from tests.core.store.ingest_log.logs import Log

Open = Callable[[int], Log]
"""Opens the one log of a test, as another process would, with room for some bytes."""


@pytest.fixture(scope="session")
def brokers() -> Iterator[str]:
    """Addresses of a cluster of three brokers that the Kafka client library plays within this process."""
    kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed (extra 'kafka')")
    cluster = kafka.Producer({"test.mock.num.brokers": 3, "log_level": 0})
    found = cluster.list_topics(timeout=30.0).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in found)
    del cluster


@pytest.fixture(params=["sqlite", "kafka"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the log of this test; what is open is closed behind it."""
    opened: list[Log] = []

    def open_sqlite(max_bytes: int) -> Log:
        return SqliteIngestLog(tmp_path / "log" / "ingest.sqlite", SqliteIngestLogConfig(max_bytes=max_bytes))

    def open_kafka(max_bytes: int) -> Log:
        from opswm.store.ingest_log.kafka_log import KafkaIngestLog, KafkaIngestLogConfig

        servers = request.getfixturevalue("brokers")
        return KafkaIngestLog(
            KafkaIngestLogConfig(servers, topic=f"log-{topic}", max_bytes=max_bytes, settings={"log_level": 0})
        )

    topic = uuid.uuid4().hex
    if request.param == "kafka":
        request.getfixturevalue("brokers")

    def open_one(max_bytes: int) -> Log:
        opened.append((open_sqlite if request.param == "sqlite" else open_kafka)(max_bytes))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: Open) -> Log:
    """An empty log with room."""
    return open_log(1 << 30)
