"""Replicas one by one: each starts, warms up, fills its memory, falls ill and goes away for itself."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from opswm.simulation.events.randomness import no_type_check
from opswm.simulation.events.rollouts import Version
from opswm.simulation.events.work import Attempt

SICK_SLOWDOWN: Final = 1.0 / 0.3
"""A sick replica that passes its health checks works this much slower, and errs on half of what it does."""
SICK_ERRORS: Final = 0.5
MEMORY_KNEE: Final = 0.85
MEMORY_PENALTY: Final = 4.0
"""Collecting garbage takes up to this many times the work itself as memory goes from the knee to its limit."""
LONG_AGO_S: Final = -1e9


@no_type_check
class Host:
    """A machine whose cores its residents share.

    Attributes:
        cores: All of them.
        available: Those that nobody else has taken.
        running: Those that residents keep busy now.
        reserved: Those that replicas which run here, or start, have reserved.
        closed, drained: Whether no replica is placed here any more, and whether those that were are moved away.
        used_cpu_s: CPU time of residents since the start.
    """

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self.available = cores
        self.stolen = 0.0
        self.running = 0.0
        self.reserved = 0.0
        self.closed = False
        self.drained = False
        self.used_cpu_s = 0.0
        self.used_then_s = 0.0

    def steal(self, share: float) -> None:
        """Set the share of the cores that somebody else takes."""
        self.stolen = share
        self.available = self.cores * max(0.05, 1.0 - share)


NOWHERE: Final = Host(0.0)
"""Where a replica lands that there is no place for."""


def place(home: Host | None, hosts: Sequence[Host]) -> Host | None:
    """Return where a replica lands: at home, or else where most room is left, be it too little.

    Args:
        home: Where its server runs, None where it has cores of its own.
        hosts: Every host there is.
    """
    if home is None or not home.closed:
        return home
    open_ones = [host for host in hosts if not host.closed]
    if open_ones:
        return max(open_ones, key=lambda host: host.cores - host.reserved)
    return None if home.drained else NOWHERE


@no_type_check
class Replica:
    """One running copy of a server's program.

    Attributes:
        cores: CPU cores that it has reserved.
        slots: Requests that it works on at once.
        host: Where it runs, None where it has cores of its own.
        version: What it runs.
        work: What it works on, in the order in which it began.
        line: Of that, what waits for a core.
        free_cores: Cores that are idle.
        ready, gone, outgoing: Whether it serves; whether it is no more; whether a fresh one is to take its place.
        waits: Whether it gets no requests before all of its version are ready.
        grace_s: How long it may go on with what it has once it is gone; for as long as it takes where negative.
        gray, stuck, held: Sick though it passes for well; down for good; down while a fault lasts.
        born_s: When it became ready.
        memory_s: How much of the leak of its server there was before it.
        memory: Used share of its memory.
        slow: Factor on the time of what it does.
        errors: Share of its answers that are errors, beside those of its server.
    """

    def __init__(
        self, number: int, cores: float, slots: int, host: Host | None, born_s: float, pace: float, version: Version
    ) -> None:
        self.number = number
        self.cores = cores
        self.slots = slots
        self.host = host
        self.born_s = born_s
        self.pace = pace
        self.version = version
        self.whole_cores = max(1, math.ceil(cores - 1e-9))
        self.speed = cores / self.whole_cores
        self.free_cores = self.whole_cores
        self.load = 0
        self.work: dict[Attempt, None] = {}
        self.line: deque[Attempt] = deque()
        self.ready = False
        self.gone = False
        self.outgoing = False
        self.waits = False
        self.grace_s = -1.0
        self.gray = False
        self.stuck = False
        self.held = False
        self.leaked_before = 0.0
        self.memory_at_start = 0.0
        self.memory = 0.0
        self.slow = 1.0
        self.errors = 0.0

    @property
    def serves(self) -> bool:
        """Whether requests may be sent to it."""
        return self.ready and not (self.gone or self.stuck or self.held or self.waits)

    def feel(self, now: float, leaked: float, warmup_s: float, warmup_penalty: float) -> None:
        """Bring memory and pace up to date.

        Args:
            now: Second.
            leaked: What replicas of its server have leaked since the start, as a share of their memory.
            warmup_s: How long a fresh replica is slow.
            warmup_penalty: By which extra fraction at first.
        """
        version = self.version
        self.memory = self.memory_at_start + (leaked + version.leaked - self.leaked_before) * self.pace
        pressure = 1.0 + MEMORY_PENALTY * max(0.0, (min(self.memory, 1.05) - MEMORY_KNEE) / (1.0 - MEMORY_KNEE))
        cold = warmup_penalty * math.exp(-(now - self.born_s) / warmup_s) if self.born_s > LONG_AGO_S else 0.0
        self.slow = (1.0 + cold) * pressure * (SICK_SLOWDOWN if self.gray else 1.0) * version.slow
        self.errors = version.error + (SICK_ERRORS if self.gray else 0.0)
