"""The people outside: first attempts at a rate that nothing inside changes, and repeated ones when these fail."""

import math
from typing import Any, Final

import numpy as np

from opswm.simulation.events.randomness import Draw, Stream, derive, generator, no_type_check, uniform
from opswm.simulation.events.work import Attempt, Calendar, Call, CallDeadlines, Later
from opswm.simulation.kernel.blueprint import Inlet

SHORTEST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 1.5
"""Before they try again, people look at the error for a while."""


@no_type_check
class Clients:
    """Those who come in by one inlet.

    Attributes:
        inlet: Its description.
        server: Where they arrive.
        thresholds_s: Latencies that objectives allow.
        offered, answered_well: First attempts per tick of their arrival, and those that were answered at all.
        good: For each threshold, those answered within it.
        num_repeats: Repeated attempts since the start.
    """

    def __init__(self, env: Calendar, inlet: Inlet, number: int, server: Any) -> None:
        self.env = env
        self.inlet = inlet
        self.number = number
        self.server = server
        self.thresholds_s: list[float] = []
        self.offered: list[int] = []
        self.answered_well: list[int] = []
        self.good: list[list[int]] = []
        self.num_repeats = 0
        self.tick = -1
        self._log_demand = 0.0
        self._retries = round(float(inlet.client_retries))
        self._coming: list[tuple[float, int]] = []
        self._deadlines = CallDeadlines(env, float(inlet.client_timeout_s))

    def begin_tick(self) -> None:
        """Count for another tick from now on."""
        self.tick += 1
        self.offered.append(0)
        self.answered_well.append(0)
        self.good.append([0] * len(self.thresholds_s))

    def expected_rps(self, second: int, surge: float) -> float:
        """Return the mean first attempts per second at one second, without the persistent noise.

        Args:
            second: Since the start.
            surge: Log factor that faults add.
        """
        inlet = self.inlet
        turns = second / float(inlet.diurnal_period_s)
        slow = 1.0 + float(inlet.diurnal_amplitude) * math.sin(2.0 * math.pi * turns + float(inlet.diurnal_phase))
        within = (second / float(inlet.burst_period_s) + float(inlet.diurnal_phase)) % 1.0
        burst = 1.0 + float(inlet.burst_amplitude) * (within < inlet.burst_share)
        return float(inlet.rate_rps) * slow * burst * _shape(inlet, second) * math.exp(surge)

    def begin_second(self, seed: int, future: int, second: int, surge: float) -> None:
        """Draw the arrivals of a second: Poisson with a rate that moves as an Ornstein-Uhlenbeck process."""
        rng = generator(seed, future, Stream.ARRIVALS, self.number, second)
        keep = math.exp(-1.0 / float(self.inlet.jitter_s))
        shock = float(self.inlet.jitter) * math.sqrt(1.0 - keep * keep) * float(rng.standard_normal())
        self._log_demand = keep * self._log_demand + shock
        count = int(rng.poisson(self.expected_rps(second, surge) * math.exp(self._log_demand)))
        if not count:
            return
        moments = np.sort(rng.random(count))[::-1].tolist()
        keys = rng.integers(0, 2**62, count).tolist()
        self._coming = list(zip(moments, keys, strict=True))
        self._second = second
        self._next()

    def answered(self, call: Call, good: bool) -> None:
        """Take an answer to the present try."""
        first = call.token == 0
        call.token += 1
        if first and good:
            self.answered_well[call.tick] += 1
            latency_s = self.env.now - call.sent_s
            counts = self.good[call.tick]
            for number, threshold_s in enumerate(self.thresholds_s):
                if latency_s <= threshold_s:
                    counts[number] += 1
        if not good:
            self._again(call)

    def expired(self, call: Call) -> None:
        """Stop waiting for the present try."""
        call.token += 1
        self._again(call)

    def purge(self) -> None:
        """Forget deadlines of calls that were answered."""
        self._deadlines.purge()

    def _next(self) -> None:
        moment, key = self._coming.pop()
        after_s = max(0.0, self._second + moment - self.env.now)
        Later(self.env, after_s, self._come, key)

    def _come(self, event: Any) -> None:
        self.offered[self.tick] += 1
        if self._coming:
            self._next()
        self._send(Call(self, None, event.value, self._retries, self.env.now, self.tick))

    def _again(self, call: Call) -> None:
        if call.left > 0:
            call.left -= 1
            pause_s = SHORTEST_PAUSE_S + (LONGEST_PAUSE_S - SHORTEST_PAUSE_S) * uniform(call.key, Draw.PAUSE)
            Later(self.env, pause_s, self._resend, call)

    def _resend(self, event: Any) -> None:
        self.num_repeats += 1
        self._send(event.value)

    def _send(self, call: Call) -> None:
        self._deadlines.add(call)
        key = call.key if call.token == 0 else derive(call.key, call.token)
        self.server.arrive(Attempt(key, call, call.token, self.env.now))


def _shape(inlet: Inlet, second: int) -> float:
    """Return the multiplier of a given workload shape, on straight lines between its points."""
    points = inlet.profile
    if not points:
        return 1.0
    position = second / float(inlet.profile_step_s) % len(points)
    before = int(position)
    value, then = points[before], points[(before + 1) % len(points)]
    return value + (then - value) * (position - before)
