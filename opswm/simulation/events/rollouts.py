"""Versions of a server's program, and the ways in which a new one takes the place of the one before."""

import math
from typing import Any, Final

from opswm.simulation.events.randomness import no_type_check
from opswm.simulation.events.work import Later

ROLLING: Final = 0
CANARY: Final = 1
BLUE_GREEN: Final = 2
RECREATE: Final = 3
PACED: Final = 4
"""A rollout that somebody else has prepared: every so often a replica that is ready takes the place of an old one."""
QUARTER: Final = 4
"""One replica in so many may be away during a rollout, or is added as a canary."""


@no_type_check
class Version:
    """One version of a program: what it does to the replicas that run it.

    Attributes:
        factor, errors: On the time of a request, and share of answers that are errors, when nothing is wrong with it.
        before: What an operator replaced by it, None where nobody did.
        rolled_back: Whether it is the one that a rollback brought back.
        slow, error, leak: The same and memory lost per second, with what is wrong with it at present.
        leaked: Share of its memory that a replica of it has leaked since the start.
    """

    def __init__(
        self, factor: float = 1.0, errors: float = 0.0, before: "Version | None" = None, rolled_back: bool = False
    ) -> None:
        self.factor = factor
        self.errors = errors
        self.before = before
        self.rolled_back = rolled_back
        self.slow = factor
        self.error = errors
        self.leak = 0.0
        self.leaked = 0.0

    def begin_second(self) -> None:
        """Forget what was wrong with it a second ago."""
        self.slow = self.factor
        self.error = self.errors
        self.leak = 0.0


@no_type_check
class Rollout:
    """A version on its way into a fleet.

    Attributes:
        fleet: Where it goes.
        version, before: The new one, and the one that it replaces.
        strategy: How.
        paused, hurried: Whether it halts where it is, or waits for nothing.
        away: Old replicas that leave before fresh ones are there; none where these are started beside them.
        batch: Replicas that are replaced at a time.
    """

    def __init__(self, fleet: Any, version: Version, strategy: int, surge_ratio: float = 0.0) -> None:
        count = max(1, fleet.desired)
        self.fleet = fleet
        self.version = version
        self.before: Version = fleet.version
        self.strategy = strategy
        self.paused = False
        self.hurried = False
        self.away = 0 if surge_ratio > 0.0 else count // QUARTER
        self.batch = self.away or max(1, math.ceil(min(1.0, surge_ratio) * count))

    def begin(self, over_s: float = 0.0) -> None:
        """Start the first replicas of the new version.

        Args:
            over_s: How long a paced rollout takes.
        """
        fleet = self.fleet
        if self.strategy == RECREATE:
            fleet.version, fleet.rollout = self.version, None
            fleet.kill(fleet.num_ready)
        elif self.strategy == CANARY:
            fleet.extra = max(1, round(fleet.desired / QUARTER))
            fleet.reconcile()
        elif self.strategy == BLUE_GREEN:
            for _ in range(fleet.desired):
                fleet.order(self.version).waits = True
        elif self.strategy == PACED:
            fleet.version = self.version
            self._pause_s = over_s / max(1, fleet.desired)
            Later(fleet.env, self._pause_s / 2.0, self._swap, None)
        else:
            fleet.version = self.version
            self._replace(self.batch)

    def version_of_next(self) -> Version:
        """Return what a replica that starts now runs."""
        fleet = self.fleet
        if self.strategy == CANARY:
            there = sum(replica.version is self.version for replica in fleet.replicas)
            return self.version if there < fleet.extra else self.before
        return self.before if self.strategy == BLUE_GREEN else fleet.version

    def arrived(self, replica: Any) -> None:
        """Go on after a replica has become ready."""
        if self.paused or replica.version is not self.version:
            return
        if self.strategy == BLUE_GREEN:
            if self.hurried or all(one.ready for one in self.fleet.replicas if one.waits):
                self._switch()
        elif self.strategy == ROLLING:
            self._replace(1)

    def pause(self) -> None:
        """Halt: what has begun to start still arrives, and nothing follows."""
        self.paused = True

    def promote(self) -> None:
        """Bring the new version to all replicas at once."""
        fleet = self.fleet
        self.paused, self.hurried = False, True
        if self.strategy == BLUE_GREEN:
            if any(one.waits and one.ready for one in fleet.replicas):
                self._switch()
            return
        fleet.extra, fleet.version = 0, self.version
        self.strategy, self.away = ROLLING, 0
        self._replace(len(fleet.replicas))

    def abort(self) -> None:
        """Go back to the version before; replicas of it that are still there take the load again at once."""
        fleet = self.fleet
        fleet.rollout, fleet.extra, fleet.version = None, 0, self.before
        for replica in list(fleet.replicas):
            if replica.version is not self.version:
                replica.outgoing = False
            elif self.strategy in (CANARY, BLUE_GREEN) or not replica.ready:
                fleet.retire(replica)
            else:
                replica.outgoing = True
        fleet.reconcile()

    def _replace(self, count: int) -> None:
        """Let the next old replicas go: at once where some may be away, else as fresh ones get ready."""
        fleet = self.fleet
        old = [one for one in fleet.replicas if one.version is not self.version and not one.outgoing]
        for replica in old[:count]:
            if self.away or not replica.ready:
                fleet.retire(replica)
            else:
                replica.outgoing = True
        fleet.server.tally.restarts += min(count, len(old))
        if not old:
            fleet.rollout = None
        fleet.reconcile()

    def _switch(self) -> None:
        """Send all requests to the replicas that wait, and none to the others any more."""
        fleet = self.fleet
        fleet.version, fleet.rollout = self.version, None
        for replica in list(fleet.replicas):
            if replica.waits:
                replica.waits = False
            else:
                fleet.retire(replica)
        fleet.reconcile()
        fleet.server.pull()

    def _swap(self, _: Any) -> None:
        """Put a replica of the new version, ready, in the place of an old one."""
        fleet = self.fleet
        if fleet.rollout is not self or self.paused or self.strategy != PACED:
            return
        old = [one for one in fleet.replicas if one.version is not self.version]
        if old:
            fleet.exchange(old[0])
            Later(fleet.env, self._pause_s, self._swap, None)
        else:
            fleet.rollout = None
