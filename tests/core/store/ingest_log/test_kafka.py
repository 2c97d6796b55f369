"""What the log in Kafka adds to the suite: races, half-done trims, messages that are gone, a light import."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from opswm.errors import BadInputError, StoreError
from opswm.store.ingest_log.kafka_index import KafkaIndex
from opswm.store.ingest_log.kafka_wire import BATCHES, Entry, Trim, entries, record, trim_record
from opswm_schemas.ports import SystemKey
from tests.core.store.ingest_log.appender import ROOT, SEARCH_PATH
from tests.core.store.ingest_log.logs import batch, replayed

MISSING = "confluent-kafka is not installed (extra 'kafka')"
Open = Callable[[], Any]
"""Opens the log of a topic."""


@pytest.fixture
def open_kafka(brokers: str) -> Iterator[Open]:
    """Opens the log of one topic of this test."""
    kafka_log = pytest.importorskip("opswm.store.ingest_log.kafka_log", reason=MISSING)
    config = kafka_log.KafkaIngestLogConfig(brokers, topic=uuid.uuid4().hex, timeout_s=20.0, settings={"log_level": 0})
    opened = []

    def open_one() -> Any:
        opened.append(kafka_log.KafkaIngestLog(config))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def test_two_that_deliver_one_name_at_once_agree(open_kafka: Open) -> None:
    """Of two writers that race with the same names, both get the same offsets; with other content, one is refused."""
    logs = [open_kafka(), open_kafka()]

    def send(log: Any) -> list[int]:
        return [log.append([batch(f"b{number}", float(number))])[0] for number in range(20)]

    def quarrel(given: tuple[Any, float]) -> list[int | None]:
        found: list[int | None] = []
        for number in range(10):
            try:
                found += given[0].append([batch(f"{given[1]}-{number}"), batch(f"c{number}", given[1])])
            except BadInputError:
                found += [None, None]
        return found

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(send, logs)
        assert one == two == list(range(1, 21))
        first, second = pool.map(quarrel, zip(logs, (1.0, 2.0), strict=True))
    assert all((mine is None) != (yours is None) for mine, yours in zip(first, second, strict=True))
    assert replayed(logs[0]) == replayed(logs[1]) == replayed(open_kafka())
    assert len(replayed(logs[0])) == 20 + 20


def test_a_trim_that_stopped_half_way_changes_nothing(open_kafka: Open) -> None:
    """Names that were written for a trim that never came are those of batches still there, once."""
    log = open_kafka()
    log.append([batch("b1", 1.0), batch("b2", 2.0)])
    log.append([batch("b3", 3.0)])
    log.trim(1)
    names, _ = log._index.trim(3, log._topics.position)
    log._topics.write_names(names)
    log.close()
    log = open_kafka()
    assert (replayed(log), log.trimmed()) == ([(2, "b2", 2.0), (3, "b3", 3.0)], 1)
    assert log.append([batch("b3", 3.0), batch("b4", 4.0)]) == [3, 4]
    log.trim(3)
    assert replayed(open_kafka()) == [(4, "b4", 4.0)]


def test_a_position_the_topic_does_not_have_is_reported(open_kafka: Open) -> None:
    """Messages that should be there and are not make opening fail, not the readings vanish."""
    log = open_kafka()
    log.append([batch("b1")])
    log._topics.write_names([trim_record(Trim(1, 1_000, 1))])
    log.close()
    with pytest.raises(StoreError, match="lost"):
        open_kafka()


def test_brokers_that_do_not_answer_are_reported() -> None:
    """Where nobody listens, opening fails within the time that was given."""
    kafka_log = pytest.importorskip("opswm.store.ingest_log.kafka_log", reason=MISSING)
    config = kafka_log.KafkaIngestLogConfig("127.0.0.1:1", timeout_s=1.0, settings={"log_level": 0})
    with pytest.raises(StoreError, match="cannot be opened"):
        kafka_log.KafkaIngestLog(config)


def entry(name: str, content: int = 7, first_known_us: int = 5) -> Entry:
    """Return a batch as a message describes it."""
    return Entry(("default", "shop", "otlp", name), content, first_known_us, 0, 10, 0, 10)


def test_every_reader_numbers_batches_alike() -> None:
    """Whether all messages are folded, or those behind a trim at any offset, offsets, names and counts are the same."""
    messages = [
        [entry("a"), entry("b")],
        [entry("b"), entry("c")],
        [entry("d"), entry("a", 8)],
        [entry("d", 9)],
        [],
        [entry("e"), entry("f")],
    ]
    whole = KafkaIndex()
    for position, held in enumerate(messages):
        whole.take_message(position, held, 0)
    assert [(place.offset, place.entry.name[3]) for place in whole.kept] == list(enumerate("abcdef", start=1))
    for through in range(1, 7):
        names, trim = whole.trim(through, len(messages))
        later = KafkaIndex()
        for key, value in [*names, trim_record(trim)]:
            later.take_record(record(key, value))
        for position in range(later.begin(), len(messages)):
            later.take_message(position, messages[position], 0)
        assert (later.end, later.trimmed) == (6, through)
        assert later.kept == whole.kept[through:]
        assert [later.known(entry(name).name) for name in "abcdef"] == [
            whole.known(entry(name).name) for name in "abcdef"
        ]
        assert later.count(SystemKey("default", "shop"), 5) == 6


def test_a_damaged_description_is_reported() -> None:
    """Headers and records that nobody of ours wrote are an error, and messages of others are no batches."""
    assert entries([("other", b"x")]) == []
    with pytest.raises(StoreError, match="cannot be read"):
        entries([(BATCHES, b"[[1, 2]]")])
    with pytest.raises(StoreError, match="cannot be read"):
        record(b'["name"]', b"[1, 2, 3]")


def test_kafka_is_imported_only_when_asked_for() -> None:
    """The log on SQLite, and what both share, load no Kafka client."""
    code = "import sys, opswm.store.ingest_log.sqlite_log; sys.exit('confluent_kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=SEARCH_PATH, check=False).returncode == 0
