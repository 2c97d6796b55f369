"""A message queue: items wait until their consumer has a slot, and count as on time by their age when it is done."""

from collections import deque
from typing import Any

from opswm.simulation.events.randomness import derive, no_type_check
from opswm.simulation.events.reception import Tally
from opswm.simulation.events.work import Attempt, Calendar, Call, Later
from opswm.simulation.kernel.blueprint import Part


@no_type_check
class Queue:
    """One queue at work.

    Attributes:
        part: Its description.
        items: What waits in it.
        consumer: The server that takes items, None where items are done with as they come.
        deadlines_s: Ages that objectives allow.
        published, on_time: Items per tick of their publication, and for each deadline those done with in time.
        tick: The present tick.
    """

    def __init__(self, env: Calendar, part: Part, number: int) -> None:
        self.env = env
        self.part = part
        self.number = number
        self.tally = Tally()
        self.items: deque[Call] = deque()
        self.consumer: Any = None
        self.deadlines_s: list[float] = []
        self.published: list[int] = []
        self.on_time: list[list[int]] = []
        self.tick = -1
        self.paused = False
        self.parked: list[Call] = []

    def begin_tick(self) -> None:
        """Count for another tick from now on."""
        self.tick += 1
        self.published.append(0)
        self.on_time.append([0] * len(self.deadlines_s))

    def arrive(self, attempt: Attempt) -> None:
        """Take a message in; whoever waits for that is told at once."""
        self.tally.offered += 1
        good = len(self.items) < self.part.queue_limit
        self.published[self.tick] += 1
        if good:
            self._put(attempt.key, self.tick)
        else:
            self.tally.refused += 1
        call = attempt.call
        if call is not None and call.token == attempt.token:
            call.way.answered(call, good)

    def pile_up(self, count: int, key: int) -> None:
        """Find items in the queue that nobody expected; they count for no objective."""
        for number in range(count):
            self._put(derive(key, number), -1)

    def pause(self, after_s: float) -> None:
        """Hand out nothing for a while."""
        self.paused = True
        Later(self.env, after_s, self._resume, None)

    def purge(self) -> None:
        """Throw away what waits; it is kept aside for a replay."""
        self.parked += self.items
        self.items.clear()

    def replay(self) -> None:
        """Bring back what was thrown away, and go on."""
        self.items.extend(self.parked)
        self.parked = []
        self._resume(None)

    def _resume(self, _: Any) -> None:
        self.paused = False
        self.feed()

    def feed(self) -> None:
        """Give the consumer what it can take."""
        consumer = self.consumer
        while self.items and not self.paused and consumer.room():
            item = self.items.popleft()
            self.tally.served += 1
            consumer.arrive(Attempt(item.key, item, item.token, self.env.now))

    def answered(self, item: Call, good: bool) -> None:
        """Note that an item is done with, well or not."""
        del good
        item.token += 1
        if item.tick >= 0:
            age_s = self.env.now - item.sent_s
            for number, deadline_s in enumerate(self.deadlines_s):
                if age_s <= deadline_s:
                    self.on_time[item.tick][number] += 1

    def _put(self, key: int, tick: int) -> None:
        item = Call(self, None, key, 0, self.env.now, tick)
        if self.consumer is None:
            self.tally.served += 1
            self.answered(item, True)
            return
        self.items.append(item)
        self.feed()
