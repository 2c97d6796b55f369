"""The ingest log of a larger installation: one partition of a Kafka topic, and a compacted topic for names."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import pyarrow as pa
from confluent_kafka import KafkaException

from opswm.clock import to_utc
from opswm.errors import BadInputError, LogFullError, StoreError
from opswm.instrument import timed
from opswm.store.ingest_log.bodies import decode
from opswm.store.ingest_log.counts import counted
from opswm.store.ingest_log.deliveries import Delivery, deliveries, require_same_content
from opswm.store.ingest_log.group_commit import GroupCommit
from opswm.store.ingest_log.kafka_index import KafkaIndex, Place
from opswm.store.ingest_log.kafka_topics import KafkaTopics
from opswm.store.ingest_log.kafka_wire import bodies, entries, message, record, skip, skipped, trim_record
from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import Batch, LoggedBatch, SystemKey


@dataclass(frozen=True)
class KafkaIngestLogConfig:
    """Where an ingest log in Kafka is, and its bounds.

    Attributes:
        bootstrap_servers: Brokers to ask first.
        topic: Of batches; its names are in the topic ``<topic>.names``.
        partition: The one that is this log; another partition is another log.
        max_bytes: Of readings that are not trimmed yet; beyond it, appending is refused.
        max_message_bytes: Of one call, below what topic and brokers allow (``max.message.bytes``).
        group_bytes: About as much is sent before it is waited for.
        retry_after_s: What a refused sender is told.
        timeout_s: How long brokers may take.
        settings: Further ones of the client, such as ``security.protocol``.
    """

    bootstrap_servers: str
    topic: str = "opswm.ingest"
    partition: int = 0
    max_bytes: int = 4 << 30
    max_message_bytes: int = 900_000
    group_bytes: int = 16 << 20
    retry_after_s: float = 5.0
    timeout_s: float = 30.0
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)


class KafkaIngestLog:
    """Keeps batches in one partition; a batch is on all in-sync replicas when :meth:`append` returns.

    A call is one message, so it is there whole or not at all. The partition orders all calls of all processes, and
    every reader numbers batches by the same rule (:class:`~opswm.store.ingest_log.kafka_index.KafkaIndex`), so offsets
    have no gaps and two processes that deliver one name at once get the same offset. One process at a time trims.

    Both topics are made beforehand: batches with ``cleanup.policy=delete`` and unlimited retention, names with
    ``cleanup.policy=compact``, both with several replicas and ``min.insync.replicas`` above 1.

    Raises:
        StoreError: When brokers do not answer, or the topic lost messages.
    """

    def __init__(self, config: KafkaIngestLogConfig) -> None:
        self._config = config
        self._group = GroupCommit[list[Delivery], list[int]](self._commit, config.group_bytes)
        self._turn = Lock()
        self._is_closed = False
        self._index = KafkaIndex()
        with self._translated("opened"):
            self._topics = KafkaTopics(
                config.bootstrap_servers, config.topic, config.partition, config.timeout_s, config.settings
            )
            try:
                self._read_names()
                self._topics.begin(self._index.begin())
                self._catch_up()
            except BaseException:
                self._topics.close()
                raise

    def append(self, batches: Sequence[Batch]) -> list[int]:
        """Keep batches, all of them or none, and return their offsets once all in-sync replicas have them.

        A batch that is there already, trimmed or not, keeps its offset.

        Raises:
            BadInputError: When one cannot be admitted, its name stands for other content, or all together are
                larger than a message or the log may be; nothing is kept.
            LogFullError: When the tables have to catch up first; nothing is kept.
            StoreError: When brokers did not confirm; what was not acknowledged may be there, whole, or not.
        """
        with counted(len(batches)):
            made = deliveries(batches)
            size = sum(len(delivery.body.data) for delivery in made)
            allowed = min(self._config.max_bytes, self._config.max_message_bytes)
            if size > allowed:
                raise BadInputError(f"{size} bytes of readings at once are more than {allowed}; send less at once")
            with timed("ingest_log.append", batches=len(made)):
                return self._group.run(made, size) if made else []

    def replay(self, after: int, max_bytes: int) -> list[LoggedBatch]:
        """Return the next batches behind an offset, in order, that are not trimmed.

        At least one where there is one, then while they fill at most ``max_bytes`` of memory.

        Raises:
            StoreError: When a batch is damaged, or when the log ends before ``after``.
        """
        with self._current("read") as index:
            if after > index.end:
                raise StoreError(
                    f"the log in topic {self._config.topic!r} ends at offset {index.end}, and batches behind {after} "
                    "were asked for: it lost some; let it go on behind what the tables hold (skip_to)"
                )
            wanted: list[Place] = []
            total = 0
            for place in index.behind(after):
                total += place.entry.plain_bytes
                if wanted and total > max_bytes:
                    break
                wanted.append(place)
            return self._fetched(wanted)

    def end(self) -> int:
        """Return the last offset, 0 where nothing was ever appended."""
        with self._current("read") as index:
            return index.end

    def trimmed(self) -> int:
        """Return the last offset whose readings were dropped, 0 where none were."""
        with self._current("read") as index:
            return index.trimmed

    def trim(self, through: int) -> None:
        """Drop the readings of batches up to an offset; their names stay known.

        Names are written to the compacted topic first. Brokers are asked to delete the messages; where they cannot
        yet, or at all, the readings are dropped all the same for every reader of the log.

        Raises:
            BadInputError: When the log ends before it.
            StoreError: When brokers do not confirm.
        """
        with self._current("trimmed") as index:
            if through > index.end:
                raise BadInputError(f"the log ends at offset {index.end} and cannot be trimmed through {through}")
            if through <= index.trimmed:
                return
            names, trim = index.trim(through, self._topics.position)
            self._topics.write_names(names)
            self._topics.write_names([trim_record(trim)])
            index.take_record(trim)
            self._topics.delete_before(trim.position)

    def skip_to(self, offset: int) -> None:
        """Let the next batch come behind an offset, where the tables hold more than a log that lost its end.

        Raises:
            BadInputError: When there are batches that are not trimmed.
            StoreError: When brokers do not confirm.
        """
        with self._current("written") as index:
            if offset <= index.end:
                return
            if index.kept:
                raise BadInputError("there are batches that are not trimmed; fill the tables from them, then trim")
            self._topics.write([(b"", skip(offset))])
            self._catch_up()

    def count(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many batches of a system hold something, or something known by ``as_of``, trimmed or not.

        Raises:
            BadInputError: On a naive moment.
        """
        known_us = None if as_of is None else int(pa.scalar(to_utc(as_of), INSTANT).value)
        with self._current("read") as index:
            return index.count(system, known_us)

    def close(self) -> None:
        """Close what is open; what was appended stays. A second time does nothing."""
        with self._turn:
            if not self._is_closed:
                self._is_closed = True
                self._topics.close()

    def _commit(self, calls: list[list[Delivery]]) -> Sequence[list[int] | Exception]:
        try:
            with self._current("written") as index:
                return self._kept(index, calls)
        except StoreError as problem:
            return [StoreError(str(problem)) for _ in calls]

    def _kept(self, index: KafkaIndex, calls: list[list[Delivery]]) -> list[list[int] | Exception]:
        """Send what is new, read back where it came to stand, and answer by what counts there."""
        sent: list[tuple[bytes, list[tuple[str, bytes]]]] = []
        refused: dict[int, Exception] = {}
        size = index.kept_bytes
        for number, call in enumerate(calls):
            new = {one.name: one for one in call if index.known(one.name) is None}
            adds = sum(len(one.body.data) for one in new.values())
            if new and size + adds > self._config.max_bytes:
                refused[number] = LogFullError(
                    f"the ingest log holds {size} bytes that are in no table yet, of {self._config.max_bytes} allowed; "
                    f"nothing was kept, send it again in {self._config.retry_after_s:g} s",
                    self._config.retry_after_s,
                )
            elif new and _refusal(index, call) is None:
                sent.append(message(list(new.values())))
                size += adds
        if sent:
            self._topics.write(sent)
            self._catch_up()
        return [
            refused.get(number) or _refusal(index, call) or [_offset(index, one) for one in call]
            for number, call in enumerate(calls)
        ]

    def _read_names(self) -> None:
        for found in self._topics.new_names():
            self._index.take_record(record(*found))

    def _catch_up(self) -> None:
        """Take in all that the brokers held at the call."""
        self._read_names()
        for found in self._topics.new_messages():
            self._index.take_message(found.position, entries(found.headers), skipped(found.headers))

    def _fetched(self, wanted: Sequence[Place]) -> list[LoggedBatch]:
        values = self._topics.fetch([place.position for place in wanted])
        found = []
        for place in wanted:
            fetched = values[place.position]
            body = bodies(entries(fetched.headers), fetched.value)[place.number]
            tenant, system, source, batch_id = place.entry.name
            try:
                batch = Batch(SystemKey(tenant, system), source, batch_id, decode(body))
            except StoreError as problem:
                raise StoreError(f"batch {place.offset} in topic {self._config.topic!r}: {problem}") from problem
            found.append(LoggedBatch(place.offset, batch))
        return found

    @contextmanager
    def _current(self, done: str) -> Iterator[KafkaIndex]:
        """Run a block that alone uses the index, which has taken in all there was at the call."""
        with self._turn, self._translated(done):
            if self._is_closed:
                raise StoreError(f"the ingest log in topic {self._config.topic!r} was closed")
            self._catch_up()
            yield self._index

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except KafkaException as problem:
            raise StoreError(f"the ingest log in topic {self._config.topic!r} cannot be {done}: {problem}") from problem


def _refusal(index: KafkaIndex, call: Sequence[Delivery]) -> BadInputError | None:
    try:
        for one in call:
            known = index.known(one.name)
            if known is not None:
                require_same_content(one, known.content)
    except BadInputError as refusal:
        return refusal
    return None


def _offset(index: KafkaIndex, one: Delivery) -> int:
    known = index.known(one.name)
    if known is None:
        raise StoreError(f"batch {one.name} was confirmed and is not in the topic; send it again")
    return known.offset
