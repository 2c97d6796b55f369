"""Any part that works: requests wait for a slot, then for a core, call other parts and are answered."""

from typing import Any, Final

from opswm.simulation.events.randomness import QUANTILES, Draw, derive, no_type_check, service_factors, uniform
from opswm.simulation.events.reception import Reception
from opswm.simulation.events.replicas import Replica
from opswm.simulation.events.upkeep import Upkeep
from opswm.simulation.events.work import COMPUTED, COMPUTES, WAITS_FOR_CORE, Attempt, Calendar, Later
from opswm.simulation.kernel.blueprint import Part

MOST_LOCKED: Final = 3.0
LAST: Final = QUANTILES - 1
SERVICE, NEEDED, HIT = int(Draw.SERVICE), int(Draw.NEEDED), int(Draw.HIT)
LOW_20: Final = 0xFFFFF
PER_MILLION: Final = 2.0**-20


@no_type_check
class Server(Reception):
    """One part at work; see the module.

    Attributes:
        warmth: Share of its working set that a cache holds.
        deployed_s: Since when the present version is running.
        promoted: Whether a database runs on its standby.
        upkeep: Maintenance of a database.
        chain, side_by_side, messages: Calls one after the other, all at once, and without waiting.
        calls_nobody: Whether there are none of these, and no hits to count.
        loading_left_s, loading_pace: A run that warms a cache: time left, reads per second.
    """

    def __init__(self, env: Calendar, part: Part, number: int, usual_rps: float, key: int) -> None:
        self._key = key
        super().__init__(env, part, number)
        self.per_load = 1.0 / max(1.0, usual_rps * float(part.refill_s))
        self.promoted = False
        self.upkeep = Upkeep(self)
        self.deployed_s = float(part.deployed_s)
        self.chain: list[Any] = []
        self.side_by_side: list[Any] = []
        self.messages: list[Any] = []
        self.calls_nobody = True
        self.loading_left_s = 0.0
        self.loading_pace = 0.0
        self._factors = service_factors(round(float(part.scv), 4))
        self._cpu_s, self._io_s = float(part.cpu_s), float(part.io_s)
        self._knee, self._slope = float(part.contention_knee), float(part.contention_slope)
        self._cpu_factor = 1.0
        self._io_factor = 1.0
        self._lock = 0.0
        self._delay_s = 0.0
        self._error = float(part.error_ratio)

    # -------------------------------------------------------------------------------------------------------- the work
    def came_back(self, attempt: Attempt, wire: Any, key: int, good: bool) -> None:
        """Go on with an attempt after one of its calls was answered, or failed for good."""
        if not attempt.alive:
            return
        if good:
            if wire.on_miss:
                self.warmth = min(1.0, self.warmth + self.per_load)
        elif uniform(key, NEEDED) < wire.required:
            self._finish(attempt, False)
            return
        attempt.pending -= 1
        if attempt.pending <= 0:
            self._go_on(attempt)

    def _start(self, attempt: Attempt, replica: Replica) -> None:
        bits = derive(attempt.key, SERVICE)
        attempt.luck = (bits & LOW_20) * PER_MILLION
        factor = self._factors[(bits >> 20) & LAST]
        attempt.replica = replica
        replica.load += 1
        replica.work[attempt] = None
        self.busy = busy = self.busy + 1
        slow = replica.slow
        if busy > self._knee:
            slow *= 1.0 + self._slope * (busy / self._knee - 1.0)
        attempt.cpu_s = cpu_s = self._cpu_s * self._cpu_factor * slow * factor
        rest_s = self._delay_s * factor
        if self._io_s > 0.0:
            rest_s += self._io_s * self._io_factor * slow * factor
        if self._lock > 0.0:
            crowd = 0.5 + min(MOST_LOCKED, busy / self._knee)
            held_s = self._lock * (self._cpu_s + self._io_s) * crowd * self._factors[(bits >> 40) & LAST]
            self.tally.locked_s += held_s
            rest_s += held_s
        if self.upkeep.index_left_s > 0.0:
            rest_s += self.upkeep.locked_out_s(attempt.key)
        attempt.rest_s = rest_s
        if replica.free_cores > 0:
            self._compute(attempt, replica, cpu_s)
        else:
            attempt.stage = WAITS_FOR_CORE
            replica.line.append(attempt)
            self.queued += 1

    def _compute(self, attempt: Attempt, replica: Replica, cpu_s: float) -> None:
        replica.free_cores -= 1
        attempt.stage = COMPUTES
        self.used_cpu_s += cpu_s
        speed = replica.speed
        host = replica.host
        if host is not None:
            host.running += speed
            host.used_cpu_s += cpu_s
            if host.running > host.available:
                speed *= host.available / host.running
        Later(self.env, cpu_s / speed, self._computed, attempt)

    def _computed(self, event: Any) -> None:
        attempt: Attempt = event.value
        if not attempt.alive:
            return
        replica: Replica = attempt.replica
        self._give_core_back(attempt, replica)
        if attempt.rest_s > 0.0:
            Later(self.env, attempt.rest_s, self._rested, attempt)
        else:
            self._call_others(attempt)

    def _give_core_back(self, attempt: Attempt, replica: Replica) -> None:
        attempt.stage = COMPUTED
        replica.free_cores += 1
        if replica.host is not None:
            replica.host.running -= replica.speed
        if replica.line:
            self.compute_next(replica)

    def compute_next(self, replica: Replica) -> None:
        """Let the next attempt in a replica's line have the core that is idle now."""
        line = replica.line
        while line and replica.free_cores > 0:
            following = line.popleft()
            if not following.alive:
                continue
            self.queued -= 1
            if self.env.now - following.arrived_s > self._patience_s:
                following.stage = COMPUTED
                self._expire(following)
                continue
            self._compute(following, replica, following.cpu_s)
            return

    def _rested(self, event: Any) -> None:
        attempt: Attempt = event.value
        if attempt.alive:
            self._call_others(attempt)

    def _call_others(self, attempt: Attempt) -> None:
        if self.calls_nobody:
            self._go_on(attempt)
            return
        missed = True
        if self.is_cache:
            missed = uniform(attempt.key, HIT) >= float(self.part.hit_max) * self.warmth
            if missed:
                self.tally.misses += 1
            else:
                self.tally.hits += 1
        for group in self.messages:
            for order, wire in enumerate(group.wires_for(attempt.key, missed)):
                wire.publish(attempt, order)
        if self.chain:
            todo: list[Any] = []
            for group in self.chain:
                todo += group.wires_for(attempt.key, missed)
            attempt.todo = todo
        if self.side_by_side:
            together: list[Any] = []
            for group in self.side_by_side:
                together += group.wires_for(attempt.key, missed)
            if together:
                attempt.pending = len(together)
                for order, wire in enumerate(together):
                    if attempt.alive:
                        wire.begin(attempt, order)
                return
        self._go_on(attempt)

    def _go_on(self, attempt: Attempt) -> None:
        todo, at = attempt.todo, attempt.at
        if todo is not None and at < len(todo):
            attempt.at = at + 1
            attempt.pending = 1
            todo[at].begin(attempt, at)
            return
        error = self._error + attempt.replica.errors
        self._finish(attempt, error <= 0.0 or attempt.luck >= error)

    def _finish(self, attempt: Attempt, good: bool) -> None:
        attempt.alive = False
        tally = self.tally
        tally.served += 1
        if not good:
            tally.errors += 1
        tally.latencies_s.append(self.env.now - attempt.arrived_s)
        replica: Replica = attempt.replica
        del replica.work[attempt]
        replica.load -= 1
        self.busy -= 1
        if self.lined or self.inbox is not None:
            self.pull()
        call = attempt.call
        if call is not None and call.token == attempt.token:
            call.way.answered(call, good)

    def _leave(self, attempt: Attempt) -> None:
        replica: Replica = attempt.replica
        del replica.work[attempt]
        replica.load -= 1
        self.busy -= 1
        if attempt.stage == COMPUTES:
            self._give_core_back(attempt, replica)
        elif attempt.stage == WAITS_FOR_CORE:
            self.queued -= 1

    # -------------------------------------------------------------------------------------------------- every second
    def advance(self, push: Any) -> None:
        """Bring everything slow up to date, once a second.

        Args:
            push: What faults do to this server now, see ``breakages.Push``.
        """
        part = self.part
        self.upkeep.advance()
        standby = float(part.standby_factor) if self.promoted else 1.0
        self._cpu_factor = push.service_factor * standby * (1.0 + self.upkeep.bloat)
        self._io_factor = self._cpu_factor * push.io_factor * self.upkeep.disk_factor
        self._cpu_factor *= self.upkeep.cpu_factor
        self._lock = push.lock
        self._delay_s = push.delay_s
        self._error = min(0.98, float(part.error_ratio) + push.error)
        if self.pooled and push.pool_leak > 0.0:
            self.leaked = min(self.leaked + push.pool_leak, max(0.0, self.pool_size - 2.0))
        self.fleet.advance(push.leak, push.down)
        if self.loading_left_s > 0.0:
            self._load_cache()
        if self.lined or self.inbox is not None:
            self.pull()

    def _load_cache(self) -> None:
        """Read what a cache lacks from behind it, for a second."""
        self.loading_left_s -= 1.0
        reads = round(self.loading_pace)
        gained = (1.0 - self.warmth) * self.part_of_loading
        self.warmth = min(1.0, self.warmth + gained)
        for group in self.chain:
            for wire in group.wires:
                if wire.on_miss and wire.enabled:
                    for number in range(reads):
                        after_s = (number + 0.5) / max(1, reads)
                        key = derive(derive(self._key, round(self.env.now)), number)
                        Later(self.env, after_s, self._read_behind, (wire.target, key))

    part_of_loading = 1.0 - 2.718281828 ** (-1.0 / 40.0)

    def _read_behind(self, event: Any) -> None:
        target, key = event.value
        target.arrive(Attempt(key, None, 0, self.env.now))
