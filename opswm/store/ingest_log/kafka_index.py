"""What follows from the messages of an ingest log in Kafka, whoever reads them: offsets, names and what is kept."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from opswm.errors import StoreError
from opswm.store.ingest_log.deliveries import Name
from opswm.store.ingest_log.kafka_wire import Entry, Known, Trim, name_record
from opswm_schemas.ports import SystemKey


@dataclass(frozen=True)
class Place:
    """Where a batch is kept.

    Attributes:
        offset: In the ingest log.
        position: Of its message in the partition.
        base: The last offset before that message.
        number: Of the batch in the message, from 0.
        entry: What the message says of it.
    """

    offset: int
    position: int
    base: int
    number: int
    entry: Entry


class KafkaIndex:
    """A fold over a totally ordered partition: each reader of it comes to the same offsets.

    Of several batches with one name the first counts. A message with a batch that says something else than the
    one of its name before is void as a whole. Names are held in memory, about 300 bytes each.
    """

    def __init__(self) -> None:
        self.end = 0
        self.trimmed = 0
        self.kept: list[Place] = []
        self.kept_bytes = 0
        self._names: dict[Name, Known] = {}
        self._first_known: defaultdict[SystemKey, list[int]] = defaultdict(list)
        self._last_trim = Trim(0, 0, 0)

    def known(self, name: Name) -> Known | None:
        """Return what is known of a name."""
        return self._names.get(name)

    def count(self, system: SystemKey, known_us: int | None) -> int:
        """Return how many batches of a system there were, or hold something known by a moment."""
        first = self._first_known.get(system, [])
        return len(first) if known_us is None else bisect_right(first, known_us)

    def take_record(self, found: Trim | tuple[Name, Known]) -> None:
        """Take in a compacted record: a name that outlives its readings, or up to where readings were dropped."""
        if isinstance(found, Trim):
            if found.through > self._last_trim.through:
                self._last_trim = found
            self._drop(found.through)
            return
        self._learn(*found)

    def begin(self) -> int:
        """Return the position from which on messages are to be taken in, once all compacted records are."""
        self.end = self._last_trim.base
        return self._last_trim.position

    def take_message(self, position: int, held: Sequence[Entry], skip_to: int) -> None:
        """Take in the next message.

        Args:
            position: In the partition.
            held: The batches in it.
            skip_to: Behind which offset the next batch comes, 0 where the message does not say.

        Raises:
            StoreError: When names and messages contradict each other.
        """
        if skip_to > self.end:
            self.end = skip_to
            self.trimmed = skip_to if not self.kept else self.trimmed
        base = self.end
        before = [self._names.get(entry.name) for entry in held]
        if any(one is not None and one.content != entry.content for one, entry in zip(before, held, strict=True)):
            return
        for number, (entry, known) in enumerate(zip(held, before, strict=True)):
            if known is not None and known.offset <= self.end:
                continue
            self.end += 1
            if known is not None and known.offset != self.end:
                raise StoreError(
                    f"batch {entry.name} was at offset {known.offset} and is found at {self.end}: messages are lost"
                )
            self._learn(entry.name, Known(self.end, entry.content, entry.first_known_us))
            if self.end > self.trimmed:
                self.kept.append(Place(self.end, position, base, number, entry))
                self.kept_bytes += entry.size

    def behind(self, after: int) -> Sequence[Place]:
        """Return where batches behind an offset are kept, in order."""
        return self.kept[bisect_right(self.kept, after, key=lambda place: place.offset) :]

    def trim(self, through: int, position: int) -> tuple[list[tuple[bytes, bytes]], Trim]:
        """Return records of the names that lose their readings, and of the trim, to be written in this order.

        Args:
            through: The last offset whose readings are dropped.
            position: The first one in the partition that was not taken in yet.
        """
        dropped = self.kept[: bisect_right(self.kept, through, key=lambda place: place.offset)]
        rest = self.kept[len(dropped) :]
        names = [name_record(place.entry.name, self._names[place.entry.name]) for place in dropped]
        return names, Trim(through, rest[0].position, rest[0].base) if rest else Trim(through, position, self.end)

    def _learn(self, name: Name, known: Known) -> None:
        if name not in self._names:
            self._names[name] = known
            insort(self._first_known[SystemKey(name[0], name[1])], known.first_known_us)

    def _drop(self, through: int) -> None:
        self.trimmed = max(self.trimmed, through)
        gone = bisect_right(self.kept, through, key=lambda place: place.offset)
        self.kept_bytes -= sum(place.entry.size for place in self.kept[:gone])
        del self.kept[:gone]
