"""The replicas of one server: those that are missing are started, and they are replaced one by one or all together."""

from typing import Any, Final

from opswm.simulation.events.autoscaler import Autoscaler
from opswm.simulation.events.randomness import Draw, derive, no_type_check, uniform
from opswm.simulation.events.replicas import LONG_AGO_S, NOWHERE, Host, Replica, place
from opswm.simulation.events.rollouts import Rollout, Version
from opswm.simulation.events.work import Later

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
        scaler: Its autoscaler, at work where the part has one.
        slots: Of a replica that starts from now on.
        cores: Of a replica that starts from now on.
        version: What it runs.
        host: Where it runs, unless no more replicas are placed there.
        places: Every host there is.
        rollout, extra: A version that is on its way, and replicas beyond ``desired`` that try it out.
        leaked: What a replica has leaked that was there from the start, whatever it runs.
    """

    def __init__(self, server: Any) -> None:
        part = server.part
        self.server = server
        self.env = server.env
        self.host: Host | None = None
        self.places: list[Host] = []
        self.version = Version()
        self.rollout: Rollout | None = None
        self.extra = 0
        self.cores = float(part.cores)
        self.desired = int(part.replicas)
        self.scaler = Autoscaler(self, part)
        self.slots = float(part.slots)
        self.replicas: list[Replica] = []
        self.serving: list[Replica] = []
        self.turn = 0
        self.leaked = 0.0
        self._number = 0
        self._was_down = 0.0
        self._part = part

    def fill(self) -> None:
        """Begin with all replicas ready."""
        for _ in range(self.desired):
            replica = self._fresh(LONG_AGO_S, self.version, self.host)
            replica.ready = True
            self.replicas.append(replica)
        self._sort()

    @property
    def num_ready(self) -> int:
        """Replicas that the platform counts as there, sick ones included."""
        return sum(replica.ready and not replica.waits for replica in self.replicas)

    def share_of(self, version: Version) -> float:
        """Return the share of the replicas that requests are sent to which run a version."""
        return sum(one.version is version for one in self.serving) / max(1, len(self.serving))

    # ------------------------------------------------------------------------------------------- what others ask for
    def want(self, count: int) -> None:
        """Set how many replicas there should be."""
        self.desired = max(0, count)
        self.reconcile()

    def kill(self, count: int, after_s: float | None = None, grace_s: float = 0.0) -> None:
        """Take replicas down with their work, the sick ones first; others are started in their place.

        Args:
            count: How many.
            after_s: When these are ready; the usual time to start where left out.
            grace_s: How long those that go may go on with what they have.
        """
        there = [replica for replica in self.replicas if replica.ready and not replica.waits]
        there.sort(key=lambda one: (not one.gray, not one.stuck, one.number))
        chosen = there[:count]
        if self.server.is_cache and there:
            self.server.warmth *= 1.0 - len(chosen) / len(there)
        for replica in chosen:
            replica.grace_s = max(0.0, grace_s)
            self._lose(replica)
        self.reconcile(after_s)

    def set_aside(self) -> None:
        """Send a replica, a sick one first, no more requests; it finishes what it has, and another is started."""
        there = sorted(self.serving, key=lambda one: (not one.gray, one.number))
        for replica in there[:1]:
            self.retire(replica)
        self.reconcile()

    def roll(self, host: Host | None = None, grace_s: float = -1.0) -> None:
        """Replace replicas gracefully: a quarter leaves at once to make room, the others as fresh ones get ready.

        Where there are fewer than three, room is made beside them.

        Args:
            host: Only those that run there, all where left out.
            grace_s: How long those that leave may go on with what they have; as long as it takes where negative.
        """
        old = [replica for replica in self.replicas if replica.ready and not (replica.outgoing or replica.waits)]
        old = [replica for replica in old if host is None or replica.host is host]
        old.sort(key=lambda one: (not one.gray, not one.stuck, one.number))
        self.server.tally.restarts += len(old)
        for replica in old:
            replica.outgoing = True
            replica.grace_s = grace_s
        for replica in old[: round(len(old) / 4.0)]:
            self.retire(replica)
        self.reconcile()

    def fall_sick(self, count: int, gray: bool) -> None:
        """Let replicas fall sick: they answer badly (``gray``), or are down and do not come back."""
        for replica in [one for one in self.replicas if one.serves and not one.gray][:count]:
            if gray:
                replica.gray = True
            else:
                replica.stuck = True
                self._drop_work(replica)
        self._sort()

    def free_core(self, replica: Replica) -> None:
        """Give back a core that something beside requests has used."""
        replica.free_cores += 1
        self.server.compute_next(replica)

    # --------------------------------------------------------------------------------------------- another version
    def deploy(self, version: Version, strategy: int, surge_ratio: float = 0.0, over_s: float = 0.0) -> None:
        """Let a version take the place of the one that runs; a rollout under way is given up."""
        self.settle()
        self.rollout = Rollout(self, version, strategy, surge_ratio)
        self.rollout.begin(over_s)

    def settle(self) -> None:
        """Let go of a rollout under way: of what it added, and of what waits for it."""
        self.rollout, self.extra = None, 0
        for replica in [one for one in self.replicas if one.waits]:
            self.retire(replica)

    def exchange(self, replica: Replica) -> None:
        """Let a replica that is ready take the place of one that leaves."""
        fresh = self._fresh(self.env.now, self.version, place(self.host, self.places))
        fresh.ready = True
        fresh.leaked_before = self.leaked + self.version.leaked
        self._feel(fresh)
        self.replicas.append(fresh)
        self.server.tally.restarts += 1
        self.retire(replica)

    # ---------------------------------------------------------------------------------------------------- every second
    def advance(self, leak: float, down: float) -> None:
        """Bring replicas up to date.

        Args:
            leak: Share of its memory that a replica loses now, per second.
            down: Share of the replicas that a fault holds down now.
        """
        part = self._part
        self.leaked += leak
        if down > 0.0 or self._was_down > 0.0:
            self._hold(down)
        full: list[Replica] = []
        for replica in self.replicas:
            if replica.ready:
                self._feel(replica)
                if replica.memory >= 1.0:
                    full.append(replica)
        for replica in full:
            replica.grace_s = -1.0
            self._lose(replica)
        if part.scaler_on:
            self.scaler.advance()
        self.reconcile()

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

    # --------------------------------------------------------------------------------------------------- one by one
    def reconcile(self, after_s: float | None = None) -> None:
        """Start replicas that are missing, and let those go that are too many.

        Args:
            after_s: When replicas that start now are ready; the usual time to start where left out.
        """
        staying = [replica for replica in self.replicas if not (replica.outgoing or replica.waits)]
        wanted = self.desired + self.extra
        for _ in range(wanted - len(staying)):
            self.order(self.rollout.version_of_next() if self.rollout else self.version, after_s)
        if len(staying) > wanted:
            for replica in sorted(staying, key=lambda one: (one.ready, -one.number))[: len(staying) - wanted]:
                self.retire(replica)
        self._let_go()
        self._sort()

    def _let_go(self) -> None:
        """Retire replicas that are to be replaced and for which no other is awaited any more."""
        outgoing = [replica for replica in self.replicas if replica.outgoing]
        if outgoing:
            awaited = sum(not (one.ready or one.outgoing or one.waits) for one in self.replicas)
            for replica in outgoing[: max(0, len(outgoing) - awaited)]:
                self.retire(replica)

    def retire(self, replica: Replica) -> None:
        """Send a replica no more requests; it finishes what it has, within its grace."""
        replica.gone = True
        self.replicas.remove(replica)
        if replica.host is not None:
            replica.host.reserved -= replica.cores
        if replica.grace_s >= 0.0 and replica.work:
            Later(self.env, replica.grace_s, self._cut, replica)
        self._sort()

    def order(self, version: Version, after_s: float | None = None) -> Replica:
        """Order a replica; one for which there is no place never gets ready."""
        host = place(self.host, self.places)
        replica = self._fresh(LONG_AGO_S, version, None if host is NOWHERE else host)
        self.replicas.append(replica)
        if host is not NOWHERE:
            Later(self.env, float(self._part.start_s) if after_s is None else after_s, self._ready, replica)
        return replica

    def _fresh(self, born_s: float, version: Version, host: Host | None) -> Replica:
        part, server = self._part, self.server
        self._number += 1
        pace = 1.0 + SPARE_MEMORY_PACES * (uniform(derive(server._key, self._number), Draw.PACE) - 0.5)
        slots = 1_000_000_000 if server.pooled else max(1, round(self.slots))
        replica = Replica(self._number, self.cores, slots, host, born_s, pace, version)
        bigger = self.cores / float(part.cores)
        replica.memory_at_start = replica.memory = float(part.memory_ratio) / max(bigger, float(part.memory_ratio))
        replica.pace = pace / bigger
        replica.leaked_before = self.leaked + version.leaked
        if host is not None:
            host.reserved += self.cores
        return replica

    def _feel(self, replica: Replica) -> None:
        replica.feel(self.env.now, self.leaked, float(self._part.warmup_s), float(self._part.warmup_penalty))

    def _ready(self, event: Any) -> None:
        replica: Replica = event.value
        if replica.gone:
            return
        replica.ready = True
        replica.born_s = self.env.now
        replica.leaked_before = self.leaked + replica.version.leaked
        self._feel(replica)
        outgoing = [] if replica.waits else [one for one in self.replicas if one.outgoing]
        if outgoing:
            self.retire(outgoing[0])
        if self.rollout is not None:
            self.rollout.arrived(replica)
        self._sort()
        self.server.pull()

    def _lose(self, replica: Replica) -> None:
        """Take a replica away, with its work unless it has a grace."""
        if replica.gone:
            return
        self.server.tally.restarts += 1
        self.retire(replica)
        if replica.grace_s <= 0.0:
            self._drop_work(replica)

    def _cut(self, event: Any) -> None:
        self._drop_work(event.value)

    def _drop_work(self, replica: Replica) -> None:
        self._sort()
        for attempt in list(replica.work):
            self.server.drop(attempt)

    def _sort(self) -> None:
        self.serving = [replica for replica in self.replicas if replica.serves]
