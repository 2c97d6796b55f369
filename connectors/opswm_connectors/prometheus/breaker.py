"""A circuit breaker: a server that fails again and again is left alone for a while, whoever wants to ask it."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from opswm_connectors.errors import TransientSourceError


class CircuitBreaker:
    """Counts failures in a row; once there are enough, nobody may ask until a pause is over, then one may try.

    Args:
        failures: How many in a row open it.
        pause_s: How long it stays open.
        now_s: A clock that never goes back, seconds.
    """

    def __init__(self, failures: int, pause_s: float, now_s: Callable[[], float] = monotonic) -> None:
        self._limit = failures
        self._pause_s = pause_s
        self._now_s = now_s
        self._lock = Lock()
        self._in_a_row = 0
        self._open_until_s: float | None = None
        self._is_tried = False

    def enter(self) -> None:
        """Ask to send a request; :meth:`succeeded` or :meth:`failed` must follow.

        Raises:
            TransientSourceError: While it is open.
        """
        with self._lock:
            if self._open_until_s is None:
                return
            left_s = self._open_until_s - self._now_s()
            if left_s > 0.0 or self._is_tried:
                raise TransientSourceError(
                    f"the server failed {self._in_a_row} times in a row and is left alone for "
                    f"{max(left_s, 0.0):.1f} s more, so that asking does not make it worse"
                )
            self._is_tried = True

    def succeeded(self) -> None:
        """Note that the server answered: it may be asked freely."""
        with self._lock:
            self._in_a_row, self._open_until_s, self._is_tried = 0, None, False

    def failed(self) -> None:
        """Note that the server was away, busy or too slow."""
        with self._lock:
            self._in_a_row += 1
            if self._is_tried or self._in_a_row >= self._limit:
                self._open_until_s = self._now_s() + self._pause_s
            self._is_tried = False
