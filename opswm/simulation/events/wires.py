"""Calls from one server to another: timeouts, retries, circuit breakers, and what can happen on the way."""

from typing import Any, Final

from opswm.simulation.events.randomness import LOW_24, UNIT, derive, no_type_check, uniform
from opswm.simulation.events.work import Attempt, Calendar, Call, CallDeadlines, Later
from opswm.simulation.kernel.blueprint import Link

BREAKER_MEMORY: Final = 0.97
"""Weight of the past in a breaker's failure ratio, per answer: about the last thirty count."""
BREAKER_ANSWERS: Final = 10.0
PROBE_SHARE: Final = 0.05
"""Share of the calls that an open breaker lets through to see whether the target is well again."""
ORDERS: Final = 64
"""Numbers set aside for the calls along one wire."""
CONNECT_S: Final = 1.0
"""How long a connection that never comes about is waited for, at most."""


@no_type_check
class Wire:
    """One link at work.

    Attributes:
        link: Its description.
        number: Position among the links of the system.
        source, target: Servers (or a queue) at its ends.
        timeout_s, retries, weight, enabled, breaker_ratio, breaker_open_s: As set at present.
        delay_s, loss: What faults do to calls on the way.
        num_retries, num_timeouts: Since the last tick.
    """

    def __init__(self, env: Calendar, link: Link, number: int, source: Any, target: Any) -> None:
        self.env = env
        self.link = link
        self.number = number
        self.source = source
        self.target = target
        self.synchronous = link.synchronous > 0
        self.on_miss = link.on_miss > 0
        self.required = float(link.required)
        self.retries = round(float(link.retries))
        self.backoff_s = float(link.backoff_s)
        self.weight = float(link.weight)
        self.enabled = True
        self.breaker_ratio = float(link.breaker_ratio)
        self.breaker_open_s = float(link.breaker_open_s)
        self.open_until_s = -1.0
        self.delay_s = 0.0
        self.loss = 0.0
        self.num_retries = 0
        self.num_timeouts = 0
        self._answers = 0.0
        self._failures = 0.0
        self.lanes: list[CallDeadlines] = []
        self.set_timeout(float(link.timeout_s))

    def set_timeout(self, timeout_s: float) -> None:
        """Let calls from now on wait so long; those under way keep their deadlines."""
        self.timeout_s = timeout_s
        self.deadlines = CallDeadlines(self.env, timeout_s)
        self.lanes = [lane for lane in self.lanes if lane.lane] + [self.deadlines]

    def begin(self, parent: Attempt, order: int) -> None:
        """Make a call for an attempt at the source; its answer, or failure, comes to ``source.came_back``."""
        key = derive(parent.key, ORDERS * self.number + order)
        now = self.env.now
        if self.open_until_s > now and (key & LOW_24) * UNIT >= PROBE_SHARE:
            self.source.came_back(parent, self, key, False)
            return
        self._send(Call(self, parent, key, self.retries, now, 0))

    def publish(self, parent: Attempt, order: int) -> None:
        """Send a message that nobody waits for."""
        key = derive(parent.key, ORDERS * self.number + order)
        self.target.arrive(Attempt(key, None, 0, self.env.now))

    def answered(self, call: Call, good: bool) -> None:
        """Take the answer to the present try of a call."""
        call.token += 1
        if self.breaker_ratio <= 1.0:
            self._watch(good)
        if good:
            self.source.came_back(call.parent, self, call.key, True)
        else:
            self._again(call)

    def expired(self, call: Call) -> None:
        """Give up the present try of a call; whoever works on it does not know."""
        call.token += 1
        self.num_timeouts += 1
        if self.breaker_ratio <= 1.0:
            self._watch(False)
        self._again(call)

    def purge(self) -> None:
        """Forget deadlines of calls that were answered."""
        for lane in self.lanes:
            lane.purge()

    def _again(self, call: Call) -> None:
        parent = call.parent
        if parent is None:
            return
        if call.left > 0 and parent.alive and self.open_until_s <= self.env.now:
            call.left -= 1
            self.num_retries += 1
            if self.backoff_s > 0.0:
                Later(self.env, self.backoff_s, self._resend, call)
            else:
                self._send(call)
        else:
            self.source.came_back(parent, self, call.key, False)

    def _resend(self, event: Any) -> None:
        self._send(event.value)

    def _send(self, call: Call) -> None:
        token = call.token
        key = derive(call.key, token) if token else call.key
        if self.delay_s > 0.0 or self.loss > 0.0:
            if ((key >> 24) & LOW_24) * UNIT < self.loss:
                Later(self.env, min(CONNECT_S, self.timeout_s), self._lost, (call, token))
                return
            self.deadlines.add(call)
            if self.delay_s > 0.0:
                Later(self.env, self.delay_s, self._deliver, (key, call, token))
                return
        else:
            self.deadlines.add(call)
        self.target.arrive(Attempt(key, call, token, self.env.now))

    def _deliver(self, event: Any) -> None:
        key, call, token = event.value
        self.target.arrive(Attempt(key, call, token, self.env.now))

    def _lost(self, event: Any) -> None:
        call, token = event.value
        if call.token == token:
            self.answered(call, False)

    def _watch(self, good: bool) -> None:
        self._answers = self._answers * BREAKER_MEMORY + 1.0
        self._failures = self._failures * BREAKER_MEMORY + (0.0 if good else 1.0)
        now = self.env.now
        if self.open_until_s > now or self._answers < BREAKER_ANSWERS:
            return
        if self._failures > self.breaker_ratio * self._answers:
            self.open_until_s = now + self.breaker_open_s
            self._answers = self._failures = 0.0


@no_type_check
class Junction:
    """Calls of one kind that a server makes: along one wire, or to one of several equivalent targets at a time.

    Attributes:
        wires: The wires, which share calls per request by their weights.
        number: Of its draws.
    """

    def __init__(self, wires: list[Wire], number: int) -> None:
        self.wires = wires
        self.number = number
        self.on_miss = wires[0].on_miss
        self.refresh()

    def refresh(self) -> None:
        """Take the present weights and flags into account."""
        self._single = len(self.wires) == 1
        mean = float(self.wires[0].link.calls)
        if len(self.wires) == 1:
            mean *= self.wires[0].weight * self.wires[0].enabled
        self._whole = int(mean)
        self._part = mean - self._whole

    def wires_for(self, key: int, missed: bool) -> list[Wire]:
        """Return a wire for each call that an attempt makes.

        Args:
            key: Of the attempt at the source.
            missed: Whether a cache at the source lacks what it asks for.
        """
        if self.on_miss and not missed:
            return []
        count = self._whole
        if self._part > 0.0 and uniform(key, ORDERS * self.number) < self._part:
            count += 1
        if self._single:
            return self.wires if count == 1 else self.wires * count
        return [wire for order in range(count) if (wire := self._choose(key, order)) is not None]

    def _choose(self, key: int, order: int) -> Wire | None:
        left = uniform(key, ORDERS * self.number + 1 + order)
        for wire in self.wires:
            if left < wire.weight:
                return wire if wire.enabled else None
            left -= wire.weight
        return None
