"""The two topics of an ingest log in Kafka: written with all replicas confirming, read up to what there is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from opswm.errors import StoreError
from opswm.store.ingest_log.kafka_wire import Headers

_POLL_S = 0.2


@dataclass(frozen=True)
class Fetched:
    """A message of the partition."""

    position: int
    headers: Headers
    value: bytes


class KafkaTopics:
    """One partition of batches, and the partition of the same number of their names; used by one thread at a time.

    Args:
        servers: Brokers to ask first.
        topic: Of batches.
        partition: Which.
        timeout_s: How long brokers may take.
        settings: Further ones of the client.
    """

    def __init__(
        self, servers: str, topic: str, partition: int, timeout_s: float, settings: Mapping[str, str | int | bool]
    ) -> None:
        common: dict[str, Any] = {**settings, "bootstrap.servers": servers}
        reading = common | {
            "group.id": f"{topic}-{partition}",  # asked for by the client; nothing is committed to it
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "queued.max.messages.kbytes": 16_384,
        }
        self.position = 0
        self._topic, self._names, self._partition, self._timeout_s = topic, f"{topic}.names", partition, timeout_s
        self._names_position = 0
        self._producer = Producer(
            common
            | {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "compression.type": "none",  # bodies are compressed where that pays
                "delivery.timeout.ms": int(timeout_s * 1_000),
            }
        )
        self._admin = AdminClient(common)
        self._make_known(topic)
        self._make_known(self._names)
        self._reader, self._names_reader, self._fetcher = Consumer(reading), Consumer(reading), Consumer(reading)
        low, _ = self._ends(self._names)
        self._names_position = low
        self._names_reader.assign([TopicPartition(self._names, partition, low)])

    def begin(self, position: int) -> None:
        """Read messages from a position on.

        Raises:
            StoreError: When the topic lost those.
            KafkaException: When brokers do not answer.
        """
        low, high = self._ends(self._topic)
        if not (low <= position or (position == 0 and low == high)) or position > high:
            raise StoreError(
                f"topic {self._topic!r} holds messages {low} to {high}, and those from {position} on are needed: it "
                "lost some; give it unlimited retention"
            )
        self.position = position
        self._reader.assign([TopicPartition(self._topic, self._partition, position)])

    def new_names(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and value of each record of names not read yet that there is at the call."""
        _, high = self._ends(self._names)
        for message in self._read(self._names_reader, self._names_position, high):
            self._names_position = _position(message) + 1
            yield message.key() or b"", message.value() or b""

    def new_messages(self) -> Iterator[Fetched]:
        """Yield each message not read yet that there is at the call."""
        _, high = self._ends(self._topic)
        for message in self._read(self._reader, self.position, high):
            fetched = _fetched(message)
            self.position = fetched.position + 1
            yield fetched

    def fetch(self, positions: Sequence[int]) -> dict[int, Fetched]:
        """Return messages at positions, which increase.

        Raises:
            StoreError: When one is gone.
            KafkaException: When brokers do not answer.
        """
        wanted = sorted(set(positions))
        found: dict[int, Fetched] = {}
        if not wanted:
            return found
        self._fetcher.assign([TopicPartition(self._topic, self._partition, wanted[0])])
        for message in self._read(self._fetcher, wanted[0], wanted[-1] + 1):
            fetched = _fetched(message)
            found[fetched.position] = fetched
        missing = [position for position in wanted if position not in found]
        if missing:
            raise StoreError(
                f"topic {self._topic!r} has lost the messages at {missing[:5]}; give it unlimited retention"
            )
        return found

    def write(self, messages: Sequence[tuple[bytes, Headers]]) -> None:
        """Send messages in order, and return when all in-sync replicas have them.

        Raises:
            KafkaException: When one was not confirmed in time.
        """
        self._send(self._topic, [(None, value, headers) for value, headers in messages])

    def write_names(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Send records of names, and return when all in-sync replicas have them.

        Raises:
            KafkaException: When one was not confirmed in time.
        """
        self._send(self._names, [(key, value, []) for key, value in records])

    def delete_before(self, position: int) -> None:
        """Ask brokers to delete messages before a position; where they do not, the next time asks for these again."""
        asked = TopicPartition(self._topic, self._partition, position)
        for done in self._admin.delete_records([asked], request_timeout=self._timeout_s).values():
            try:
                done.result()
            except KafkaException:
                return

    def close(self) -> None:
        """Close the clients."""
        self._producer.flush(self._timeout_s)
        for consumer in (self._reader, self._names_reader, self._fetcher):
            consumer.close()

    def _send(self, topic: str, messages: Sequence[tuple[bytes | None, bytes, Headers]]) -> None:
        problems: list[KafkaError] = []

        def delivered(problem: KafkaError | None, _message: Message) -> None:
            if problem is not None:
                problems.append(problem)

        for key, value, headers in messages:
            while True:
                try:
                    self._producer.produce(
                        topic, value, key, partition=self._partition, on_delivery=delivered, headers=[*headers]
                    )
                    break
                except BufferError:
                    self._producer.poll(_POLL_S)
        if self._producer.flush(self._timeout_s * 2):
            self._producer.purge()
            self._producer.flush(_POLL_S)
        if problems:
            raise KafkaException(problems[0])

    def _read(self, consumer: Consumer, position: int, end: int) -> Iterator[Message]:
        """Yield messages before an end."""
        until = monotonic() + self._timeout_s
        while position < end:
            message = consumer.poll(_POLL_S)
            if message is None:
                if monotonic() > until:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"message {position} did not come"))
                continue
            problem = message.error()
            if problem is not None:
                raise KafkaException(problem)
            position = _position(message) + 1
            until = monotonic() + self._timeout_s
            if position <= end:
                yield message

    def _ends(self, topic: str) -> tuple[int, int]:
        found = self._reader_of(topic).get_watermark_offsets(
            TopicPartition(topic, self._partition), timeout=self._timeout_s
        )
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"the ends of topic {topic!r} are unknown"))
        return found

    def _reader_of(self, topic: str) -> Consumer:
        return self._reader if topic == self._topic else self._names_reader

    def _make_known(self, topic: str) -> None:
        """Ask for a topic, which brokers that make topics by themselves then do.

        Raises:
            StoreError: When it has no such partition.
        """
        until = monotonic() + self._timeout_s
        while True:
            described = self._producer.list_topics(topic, timeout=self._timeout_s).topics[topic]
            if self._partition in described.partitions:
                return
            if monotonic() > until or (described.error is None and described.partitions):
                raise StoreError(
                    f"topic {topic!r} has no partition {self._partition}: {described.error or described.partitions}; "
                    "make the topic first"
                )


def _position(message: Message) -> int:
    position = message.offset()
    if position is None:
        raise KafkaException(KafkaError(KafkaError._BAD_MSG, "a message without a position"))
    return position


def _fetched(message: Message) -> Fetched:
    given = dict(message.headers() or {})
    headers = [(name, value if isinstance(value, bytes) else b"") for name, value in given.items()]
    value = message.value()
    return Fetched(_position(message), headers, value if isinstance(value, bytes) else b"")
