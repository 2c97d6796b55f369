"""The controller that sets the number of replicas by the CPU that they use, like a HorizontalPodAutoscaler."""

import math
from typing import Any, Final

from opswm.simulation.events.randomness import no_type_check

LOOK_S: Final = 15.0
TOLERANCE: Final = 0.1
STABLE_S: Final = 180.0
"""The autoscaler removes replicas only when it has wanted fewer for so long, one at a look."""


@no_type_check
class Autoscaler:
    """The autoscaler of a fleet (rules of version v2).

    Attributes:
        fleet: Whose replicas it counts.
        least, most, aim: What it may do, and the share of their CPU that replicas should use.
        told: Whether an operator said so; then the bounds hold for whatever number there is.
    """

    def __init__(self, fleet: Any, part: Any) -> None:
        self.fleet = fleet
        self.least, self.most = int(part.scaler_min), int(part.scaler_max)
        self.aim = float(part.scaler_target)
        self.told = False
        self._look_left_s = LOOK_S
        self._cpu_then_s = 0.0
        self._wanted: list[tuple[float, int]] = []

    def advance(self) -> None:
        """Look every fifteen seconds, once a second; whoever calls reconciles."""
        self._look_left_s -= 1.0
        if self._look_left_s > 0.0:
            return
        self._look_left_s = LOOK_S
        fleet = self.fleet
        server, now = fleet.server, fleet.env.now
        ready = [replica for replica in fleet.replicas if replica.ready and not replica.waits]
        reserved = sum(replica.cores for replica in ready)
        used = (server.used_cpu_s - self._cpu_then_s) / (LOOK_S * max(reserved, 0.01))
        self._cpu_then_s = server.used_cpu_s
        ratio = used / self.aim
        wanted = math.ceil(max(1, len(ready)) * ratio) if abs(ratio - 1.0) > TOLERANCE else fleet.desired
        wanted = min(max(wanted, self.least), self.most)
        self._wanted = [(at, count) for at, count in self._wanted if at > now - STABLE_S] + [(now, wanted)]
        before = fleet.desired
        if wanted > before:
            fleet.desired = wanted
        elif now > STABLE_S and max(count for _, count in self._wanted) < before:
            fleet.desired = before - 1
        if self.told:
            fleet.desired = min(max(fleet.desired, self.least), self.most)
        server.tally.scaled += fleet.desired - before
