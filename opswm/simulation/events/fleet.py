"""The replicas of one server and the controllers that keep their number: reconciler, rollouts, autoscaler."""

import math
from typing import Any, Final

from opswm.simulation.events.randomness import Draw, derive, no_type_check, uniform
from opswm.simulation.events.replicas import LONG_AGO_S, Host, Replica
from opswm.simulation.events.work import Later

LOOK_S: Final = 15.0
TOLERANCE: Final = 0.1
STABLE_S: Final = 180.0
"""The autoscaler removes replicas only when it has wanted fewer for so long, one at a look."""
SPARE_MEMORY_PACES: Final = 0.3
"""Replicas leak at paces that differ by up to this share, so that they do not all die at once."""


@no_type_check
class Fleet:
    """Replicas of a server.

    Attributes:
        server: Whose they are.
        replicas: All that are not gone, starting ones included.
        serving: Those that requests are sent to.
        desired: How many there should be.
        least, most, aim, told: What the autoscaler may do and aims at, and whether an operator said so.
        slots: Of a replica that starts from now on.
        cores: Of a replica that starts from now on.
        host: Where such a replica runs.
        leaked: What a replica has leaked that was there from the start.
    """

    def __init__(self, server: Any) -> None:
        part = server.part
        self.server = server
        self.env = server.env
        self.host: Host | None = None
        self.cores = float(part.cores)
        self.desired = int(part.replicas)
        self.least, self.most = int(part.scaler_min), int(part.scaler_max)
        self.aim = float(part.scaler_target)
        self.slots = float(part.slots)
        self.told = False
        self.replicas: list[Replica] = []
        self.serving: list[Replica] = []
        self.turn = 0
        self.leaked = 0.0
        self._number = 0
        self._look_left_s = LOOK_S
        self._cpu_then_s = 0.0
        self._wanted: list[tuple[float, int]] = []
        self._was_down = 0.0
        self._part = part

    def fill(self) -> None:
        """Begin with all replicas ready."""
        for _ in range(self.desired):
            replica = self._fresh(LONG_AGO_S)
            replica.ready = True
            self.replicas.append(replica)
        self._sort()

    @property
    def num_ready(self) -> int:
        """Replicas that the platform counts as there, sick ones included."""
        return sum(replica.ready for replica in self.replicas)

    # ------------------------------------------------------------------------------------------- what others ask for
    def want(self, count: int) -> None:
        """Set how many replicas there should be."""
        self.desired = max(0, count)
        self._reconcile()

    def kill(self, count: int, after_s: float | None = None) -> None:
        """Take replicas down with their work, the sick ones first; others are started in their place.

        Args:
            count: How many.
            after_s: When these are ready; the usual time to start where left out.
        """
        there = [replica for replica in self.replicas if replica.ready]
        there.sort(key=lambda one: (not one.gray, not one.stuck, one.number))
        chosen = there[:count]
        if self.server.is_cache and there:
            self.server.warmth *= 1.0 - len(chosen) / len(there)
        for replica in chosen:
            self._lose(replica)
        self._reconcile(after_s)

    def set_aside(self) -> None:
        """Send a replica, a sick one first, no more requests; it finishes what it has, and another is started."""
        there = sorted(self.serving, key=lambda one: (not one.gray, one.number))
        for replica in there[:1]:
            self._retire(replica)
        self._reconcile()

    def roll(self) -> None:
        """Replace all replicas gracefully: a quarter leaves at once to make room, the others as fresh ones get ready.

        Where there are fewer than three, room is made beside them.
        """
        old = [replica for replica in self.replicas if replica.ready and not replica.outgoing]
        old.sort(key=lambda one: (not one.gray, not one.stuck, one.number))
        self.server.tally.restarts += len(old)
        for replica in old:
            replica.outgoing = True
        for replica in old[: round(len(old) / 4.0)]:
            self._retire(replica)
        self._reconcile()

    def fall_sick(self, count: int, gray: bool) -> None:
        """Let replicas fall sick: they answer badly (``gray``), or are down and do not come back."""
        for replica in [one for one in self.replicas if one.serves and not one.gray][:count]:
            if gray:
                replica.gray = True
            else:
                replica.stuck = True
                self._drop_work(replica)
        self._sort()

    # ---------------------------------------------------------------------------------------------------- every second
    def advance(self, leak: float, down: float) -> None:
        """Bring replicas up to date.

        Args:
            leak: Share of its memory that a replica loses now, per second.
            down: Share of the replicas that a fault holds down now.
        """
        part, now = self._part, self.env.now
        self.leaked += leak
        if down > 0.0 or self._was_down > 0.0:
            self._hold(down)
        full: list[Replica] = []
        for replica in self.replicas:
            if replica.ready:
                replica.feel(now, self.leaked, float(part.warmup_s), float(part.warmup_penalty))
                if replica.memory >= 1.0:
                    full.append(replica)
        for replica in full:
            self._lose(replica)
        if part.scaler_on:
            self._autoscale()
        self._reconcile()

    def _hold(self, down: float) -> None:
        ready = [replica for replica in self.replicas if replica.ready]
        held = round(down * len(ready)) if down > 0.0 else 0
        for number, replica in enumerate(ready):
            if number < held and not replica.held:
                replica.held = True
                self._drop_work(replica)
            elif number >= held and replica.held:
                replica.held = False
                replica.born_s = self.env.now
        self._was_down = down
        self._sort()

    def _autoscale(self) -> None:
        """Set the number of replicas by the CPU that they use, as the Kubernetes HorizontalPodAutoscaler (v2) does."""
        self._look_left_s -= 1.0
        if self._look_left_s > 0.0:
            return
        self._look_left_s = LOOK_S
        server, now = self.server, self.env.now
        ready = [replica for replica in self.replicas if replica.ready]
        reserved = sum(replica.cores for replica in ready)
        used = (server.used_cpu_s - self._cpu_then_s) / (LOOK_S * max(reserved, 0.01))
        self._cpu_then_s = server.used_cpu_s
        ratio = used / self.aim
        wanted = math.ceil(max(1, len(ready)) * ratio) if abs(ratio - 1.0) > TOLERANCE else self.desired
        wanted = min(max(wanted, self.least), self.most)
        self._wanted = [(at, count) for at, count in self._wanted if at > now - STABLE_S] + [(now, wanted)]
        before = self.desired
        if wanted > before:
            self.desired = wanted
        elif now > STABLE_S and max(count for _, count in self._wanted) < before:
            self.desired = before - 1
        if self.told:
            self.desired = min(max(self.desired, self.least), self.most)
        server.tally.scaled += self.desired - before

    # --------------------------------------------------------------------------------------------------- one by one
    def _reconcile(self, after_s: float | None = None) -> None:
        staying = [replica for replica in self.replicas if not replica.outgoing]
        for _ in range(self.desired - len(staying)):
            replica = self._fresh(LONG_AGO_S)
            self.replicas.append(replica)
            start_s = float(self._part.start_s) if after_s is None else after_s
            Later(self.env, start_s, self._ready, replica)
        if len(staying) > self.desired:
            for replica in sorted(staying, key=lambda one: (one.ready, -one.number))[: len(staying) - self.desired]:
                self._retire(replica)
        self._sort()

    def _fresh(self, born_s: float) -> Replica:
        part, server = self._part, self.server
        self._number += 1
        pace = 1.0 + SPARE_MEMORY_PACES * (uniform(derive(server._key, self._number), Draw.PACE) - 0.5)
        slots = 1_000_000_000 if server.pooled else max(1, round(self.slots))
        replica = Replica(self._number, self.cores, slots, self.host, born_s, pace)
        bigger = self.cores / float(part.cores)
        replica.memory_at_start = replica.memory = float(part.memory_ratio) / max(bigger, float(part.memory_ratio))
        replica.pace = pace / bigger
        replica.leaked_before = self.leaked
        return replica

    def _ready(self, event: Any) -> None:
        replica: Replica = event.value
        if replica.gone:
            return
        replica.ready = True
        replica.born_s = self.env.now
        replica.leaked_before = self.leaked
        replica.feel(self.env.now, self.leaked, float(self._part.warmup_s), float(self._part.warmup_penalty))
        outgoing = [one for one in self.replicas if one.outgoing]
        if outgoing:
            self._retire(outgoing[0])
        self._sort()
        self.server.pull()

    def _retire(self, replica: Replica) -> None:
        """Send a replica no more requests; it finishes what it has."""
        replica.gone = True
        self.replicas.remove(replica)
        self._sort()

    def _lose(self, replica: Replica) -> None:
        """Take a replica away with its work."""
        if replica.gone:
            return
        self.server.tally.restarts += 1
        self._retire(replica)
        self._drop_work(replica)

    def _drop_work(self, replica: Replica) -> None:
        self._sort()
        for attempt in list(replica.work):
            self.server.drop(attempt)

    def _sort(self) -> None:
        self.serving = [replica for replica in self.replicas if replica.serves]
