"""Maintenance of a database: a job that keeps a core and the disk busy, and locks out writers, until it is done."""

import math
from typing import Any, Final

from opswm.simulation.events.randomness import Draw, no_type_check, uniform

VACUUM_S: Final = 45.0
INDEX_S: Final = 30.0
DISK_FACTOR: Final = 2.0
"""On the time off the CPU of every query while a vacuum goes over the tables."""
LOCKED_S: Final = 0.4
"""Of each second while an index is made, for how long writers are locked out."""
WRITES_SHARE: Final = 0.4
CURED: Final = 0.9
"""Of what makes queries slow, what an index does away with."""


@no_type_check
class Upkeep:
    """What is done to a database beside its queries.

    Attributes:
        server: The database.
        bloat: Extra time of a query for want of a vacuum.
        vacuum_left_s, index_left_s: Time that is left of each job.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.bloat = float(server.part.bloat)
        self.vacuum_left_s = 0.0
        self.index_left_s = 0.0
        self._slow: list[Any] = []
        self._on: Any = None
        self._index_end_s = 0.0

    def vacuum(self) -> None:
        """Begin to go over the tables: bloat goes as that proceeds."""
        self.vacuum_left_s = VACUUM_S

    def create_index(self, faults: list[Any]) -> None:
        """Begin to make an index.

        Args:
            faults: Of the database; queries that are slow will no longer be so.
        """
        self.index_left_s = INDEX_S
        self._index_end_s = self.server.env.now + INDEX_S
        self._slow = [fault for fault in faults if fault.breakage.kind == "slow_queries"]

    @property
    def disk_factor(self) -> float:
        """Factor on the time off the CPU of a query."""
        return DISK_FACTOR if self.vacuum_left_s > 0.0 else 1.0

    @property
    def cpu_factor(self) -> float:
        """Factor on the CPU time of a query, where a job has to share the only core."""
        on = self._on
        return 2.0 if on is not None and not on.gone and on.whole_cores == 1 else 1.0

    def locked_out_s(self, key: int) -> float:
        """Return how long a query that begins now waits for a lock: writers do, until it is given back."""
        now = float(self.server.env.now)
        if now >= self._index_end_s or uniform(key, Draw.WRITES) >= WRITES_SHARE:
            return 0.0
        return max(0.0, LOCKED_S - (now - math.floor(now)))

    def advance(self) -> None:
        """Go on for a second, on a core of its own as long as the replica lives on which it began."""
        if self.vacuum_left_s <= 0.0 and self.index_left_s <= 0.0:
            return
        if not self._is_on():
            return
        if self.vacuum_left_s > 0.0:
            self.bloat *= max(0.0, 1.0 - 1.0 / self.vacuum_left_s)
            self.vacuum_left_s -= 1.0
        if self.index_left_s > 0.0:
            self.index_left_s -= 1.0
            if self.index_left_s <= 0.0:
                for fault in self._slow:
                    fault.left *= 1.0 - CURED
                self._slow = []
        if self.vacuum_left_s <= 0.0 and self.index_left_s <= 0.0:
            if self._on.whole_cores > 1:
                self.server.fleet.free_core(self._on)
            self._on = None
            return
        self.server.used_cpu_s += self._on.speed / (2.0 if self._on.whole_cores == 1 else 1.0)

    def _is_on(self) -> bool:
        """Return whether there is a replica to work on; a job that loses its own is given up."""
        if self._on is not None and self._on.gone:
            self._on = None
            self.vacuum_left_s = self.index_left_s = self._index_end_s = 0.0
            return False
        if self._on is None and self.server.fleet.serving:
            self._on = self.server.fleet.serving[0]
            if self._on.whole_cores > 1:
                self._on.free_cores -= 1
        return self._on is not None
