"""The front of a part that works: who is let in, who waits in the line and for how long, and who is answered."""

from collections import deque
from typing import Any, Final

from opswm.simulation.events.fleet import Fleet
from opswm.simulation.events.randomness import Draw, no_type_check, uniform
from opswm.simulation.events.replicas import Replica
from opswm.simulation.events.work import SHORTEST_S, Attempt, Calendar, Later
from opswm.simulation.kernel.blueprint import Part

LONGEST_PATIENCE_S: Final = 5e3


@no_type_check
class Tally:
    """What happened at a server since the last tick."""

    def __init__(self) -> None:
        self.offered = 0
        self.served = 0
        self.errors = 0
        self.refused = 0
        self.dropped = 0
        self.hits = 0
        self.misses = 0
        self.restarts = 0
        self.scaled = 0.0
        self.locked_s = 0.0
        self.latencies_s: list[float] = []


@no_type_check
class Reception:
    """What a server does with attempts before and after it works on them.

    Attributes:
        part: Its description.
        fleet: Its replicas.
        inbox: The queue that it takes items from, if any.
        line: Attempts that wait for a slot.
        lined, queued: How many of them there are, and how many wait for a core.
        busy: Attempts that hold a slot.
        guarded, shed, limit_rps, burst: Admission, as set at present.
        cut_off: Whether nothing gets through to it.
        pool_size, leaked: Connections of a pool, and those that nobody gives back.
    """

    def __init__(self, env: Calendar, part: Part, number: int) -> None:
        self.env = env
        self.part = part
        self.number = number
        self.tally = Tally()
        self.inbox: Any = None
        self.line: deque[Attempt] = deque()
        self.lined = 0
        self.queued = 0
        self.busy = 0
        self.guarded = False
        self.shed = 0.0
        self.limit_rps = -1.0
        self.burst = 0.0
        self.tokens = 0.0
        self.tokens_at_s = 0.0
        self.pooled = part.pool_size > 0
        self.pool_size = float(part.pool_size)
        self.leaked = 0.0
        self.is_cache = part.hit_max > 0
        self.warmth = 1.0
        self.used_cpu_s = 0.0
        self.used_then_s = 0.0
        self._patience_s = float(part.patience_s)
        self._queue_limit = float(part.queue_limit)
        self._impatient_until_s = -1.0
        self.cut_off = False
        self.fleet = Fleet(self)

    def arrive(self, attempt: Attempt) -> None:
        """Take an attempt in, or refuse it."""
        self.tally.offered += 1
        full = self.cut_off or not self.fleet.serving or self.lined + self.queued >= self._queue_limit
        if full or (self.guarded and not self._admits(attempt)):
            self._refuse(attempt)
        elif self.lined == 0 and (replica := self._free()) is not None:
            self._start(attempt, replica)
        else:
            self.line.append(attempt)
            self.lined += 1
            if self._patience_s < LONGEST_PATIENCE_S and self._impatient_until_s < 0.0:
                self._wake(self._patience_s)

    def set_places(self, count: float) -> None:
        """Let so many wait from now on."""
        self._queue_limit = count

    def room(self) -> bool:
        """Whether an attempt would be worked on at once."""
        return not self.cut_off and self.lined == 0 and self._free() is not None

    def pull(self) -> None:
        """Start what can be started: from the line, then from the queue that it consumes."""
        line = self.line
        while self.lined:
            replica = self._free()
            if replica is None:
                return
            attempt = line.popleft()
            if attempt.alive:
                self.lined -= 1
                self._start(attempt, replica)
        line.clear()
        if self.inbox is not None:
            self.inbox.feed()

    def drop(self, attempt: Attempt) -> None:
        """Lose an attempt that waits or is worked on: its caller gets an error."""
        if not attempt.alive:
            return
        self.tally.dropped += 1
        attempt.alive = False
        if attempt.replica is None:
            self.lined -= 1
        else:
            self._leave(attempt)
        self._reply(attempt, False)

    def drop_longest(self, count: int) -> None:
        """Lose the attempts that have been worked on for longest."""
        working = [attempt for replica in self.fleet.replicas for attempt in replica.work]
        for attempt in sorted(working, key=lambda one: one.arrived_s)[:count]:
            self.drop(attempt)
        self.pull()

    def _free(self) -> Replica | None:
        serving = self.fleet.serving
        if self.pooled:
            if self.busy >= max(1.0, self.pool_size - self.leaked) or not serving:
                return None
        elif not serving:
            return None
        if len(serving) == 1:
            best = serving[0]
        else:
            self.fleet.turn = turn = (self.fleet.turn + 1) % len(serving)
            best = serving[turn]
            if best.load:
                for replica in serving:
                    if replica.load < best.load:
                        best = replica
        return best if self.pooled or best.load < best.slots else None

    def _admits(self, attempt: Attempt) -> bool:
        if self.shed > 0.0 and uniform(attempt.key, Draw.ADMISSION) < self.shed:
            return False
        if self.limit_rps >= 0.0:
            now = self.env.now
            self.tokens = min(self.burst, self.tokens + (now - self.tokens_at_s) * self.limit_rps)
            self.tokens_at_s = now
            if self.tokens < 1.0:
                return False
            self.tokens -= 1.0
        return True

    def _refuse(self, attempt: Attempt) -> None:
        self.tally.refused += 1
        attempt.alive = False
        self._reply(attempt, False)

    def _expire(self, attempt: Attempt) -> None:
        """Answer an attempt that has waited for too long, before work on it began."""
        attempt.alive = False
        self.tally.refused += 1
        if attempt.replica is None:
            self.lined -= 1
        else:
            self._leave(attempt)
        self._reply(attempt, False)

    def _wake(self, after_s: float) -> None:
        self._impatient_until_s = self.env.now + after_s
        Later(self.env, after_s, self._look_at_line, None)

    def _look_at_line(self, _: Any) -> None:
        """Answer those at the head of the line whose patience is over."""
        line, now = self.line, self.env.now
        self._impatient_until_s = -1.0
        while line:
            attempt = line[0]
            if attempt.alive:
                left_s = attempt.arrived_s + self._patience_s - now
                if left_s > SHORTEST_S:
                    if self._impatient_until_s < 0.0:
                        self._wake(left_s)
                    return
                line.popleft()
                self._expire(attempt)
            else:
                line.popleft()

    def _reply(self, attempt: Attempt, good: bool) -> None:
        call = attempt.call
        if call is not None and call.token == attempt.token:
            call.way.answered(call, good)

    def _start(self, attempt: Attempt, replica: Replica) -> None:
        raise NotImplementedError

    def _leave(self, attempt: Attempt) -> None:
        raise NotImplementedError
