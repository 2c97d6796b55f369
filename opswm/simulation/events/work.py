"""What travels: a call with its tries, each try an attempt at one server, and lanes of deadlines that rarely expire."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from simpy import Environment, Event
from simpy.events import NORMAL

from opswm.simulation.events.randomness import no_type_check

SHORTEST_S: Final = 1e-9
NEW: Final = 0
WAITS_FOR_CORE: Final = 1
COMPUTES: Final = 2
COMPUTED: Final = 3


@no_type_check
class Calendar(Environment):
    """simpy's calendar for events that never fail and call one function each.

    ``run_to`` does what ``run`` does, without looking for processes to wake or failures to raise.

    Attributes:
        now: The present second; an attribute, as it is asked for several times a request.
    """

    now = 0.0

    def run_to(self, until_s: float) -> None:
        """Let everything happen that is to happen before a second, and stop there."""
        queue = self._queue
        while queue and queue[0][0] < until_s:
            entry = heappop(queue)
            self.now = self._now = entry[0]
            event = entry[3]
            event.callbacks[0](event)
        self.now = self._now = until_s


@no_type_check
class Later(Event):
    """An event that calls one function after a while; ``value`` is what for.

    It does what a ``Timeout`` with one callback does, in half of the time.
    """

    value: Any = None

    def __init__(self, env: Calendar, after_s: float, callback: Callable[[Any], None], value: Any) -> None:
        self.env = env
        self.callbacks = [callback]
        self._value = self.value = value
        self._ok = True
        heappush(env._queue, (env.now + after_s, NORMAL, next(env._eid), self))


@no_type_check
class Call:
    """One call that somebody waits for; its tries follow one another.

    Attributes:
        way: Who made it and takes the answer: a wire, the clients of an inlet, a queue.
        parent: The attempt it was made for, None for clients.
        key: Of its randomness.
        token: Number of the try under way; answers to earlier tries come too late.
        left: Tries that are left.
        sent_s: Second at which its first try was sent.
        tick: Tick in which that was.
    """

    __slots__ = ("key", "left", "parent", "sent_s", "tick", "token", "way")

    def __init__(self, way: Any, parent: "Attempt | None", key: int, left: int, sent_s: float, tick: int) -> None:
        self.way = way
        self.parent = parent
        self.key = key
        self.token = 0
        self.left = left
        self.sent_s = sent_s
        self.tick = tick


@no_type_check
class Attempt:
    """One request at one server.

    Attributes:
        key: Of its randomness.
        call, token: The call it answers and the number of the try, None for loads that nobody waits for.
        arrived_s: When it came.
        alive: Whether it is still to be answered.
        replica: Where it is worked on, None while it waits in the line.
        stage: How far it is, one of the four below.
        cpu_s, rest_s: Work, and time beside it, that its service takes.
        luck: In [0, 1): below its server's share of errors it is answered with one.
        todo, at: Calls to be made one after the other, and how many of them were made.
        pending: Answers it waits for.
    """

    __slots__ = (
        "alive", "arrived_s", "at", "call", "cpu_s", "key", "luck", "pending", "replica", "rest_s", "stage", "todo",
        "token",
    )  # fmt: skip

    def __init__(self, key: int, call: Call | None, token: int, arrived_s: float) -> None:
        self.key = key
        self.call = call
        self.token = token
        self.arrived_s = arrived_s
        self.alive = True
        self.replica: Any = None
        self.stage = NEW
        self.cpu_s = 0.0
        self.rest_s = 0.0
        self.luck = 1.0
        self.todo: list[Any] | None = None
        self.at = 0
        self.pending = 0


@no_type_check
class CallDeadlines:
    """Deadlines of calls that all wait equally long: one event for the earliest instead of one for each.

    Attributes:
        after_s: How long they wait.
    """

    def __init__(self, env: Calendar, after_s: float) -> None:
        self.env = env
        self.after_s = after_s
        self.lane: deque[tuple[float, Call, int]] = deque()
        self.armed = False

    def add(self, call: Call) -> None:
        """Let the present try of a call run out of time, unless it is answered before."""
        self.lane.append((self.env.now + self.after_s, call, call.token))
        if not self.armed:
            self.armed = True
            Later(self.env, self.after_s, self._fire, None)

    def purge(self) -> None:
        """Forget the calls that were answered."""
        self.lane = deque(entry for entry in self.lane if entry[1].token == entry[2])

    def _fire(self, _: Any) -> None:
        lane, now = self.lane, self.env.now
        while lane:
            at_s, call, token = lane[0]
            if call.token == token:
                if at_s > now + SHORTEST_S:
                    break
                lane.popleft()
                call.way.expired(call)
            else:
                lane.popleft()
        self.armed = bool(lane)
        if lane:
            Later(self.env, max(0.0, lane[0][0] - now), self._fire, None)
