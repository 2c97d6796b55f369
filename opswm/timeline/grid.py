"""The grid of ticks that irregular points are brought to; instants are microseconds since 1970 in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.clock import to_utc
from opswm.errors import BadInputError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Grid:
    """``num_ticks`` ticks of ``step_us``, the last ending at ``end_us``; each is open below and closed above.

    Points on a border belong to the tick before it, as in Prometheus range selectors since 3.0, so that a
    reading taken at the decision itself is in the last tick.
    """

    end_us: int
    step_us: int
    num_ticks: int

    @classmethod
    def until(cls, at: datetime, step_s: float, num_ticks: int) -> "Grid":
        """Return the grid that ends at ``at``.

        Raises:
            BadInputError: When ``at`` is naive, there is no tick, or a tick is shorter than a microsecond.
        """
        step_us = round(step_s * 1e6)
        if num_ticks < 1 or step_us < 1:
            raise BadInputError(
                f"{num_ticks} ticks of {step_s} s make no timeline; give at least one tick of a microsecond"
            )
        return cls(to_microseconds(to_utc(at)), step_us, num_ticks)

    @property
    def start_us(self) -> int:
        """Where the first tick begins."""
        return self.end_us - self.num_ticks * self.step_us

    @property
    def ends_us(self) -> NDArray[np.int64]:
        """Where each tick ends."""
        return self.start_us + self.step_us * np.arange(1, self.num_ticks + 1, dtype=np.int64)

    def tick_of(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tick of each instant; negative before the grid, ``num_ticks`` or more after it."""
        return (at_us - self.start_us - 1) // self.step_us

    def spans(self, since_us: int, until_us: int | None) -> NDArray[np.bool_]:
        """Return which ticks an interval touches: it began by the tick's end, and ended after its beginning.

        Args:
            since_us: When it began.
            until_us: When it ended; None while it lasts. One that ended as it began counts in its own tick.
        """
        ends = self.ends_us
        touches = ends >= since_us
        if until_us is not None:
            touches &= (ends - self.step_us < until_us) & (until_us >= since_us)
        return touches


def to_microseconds(moment: datetime) -> int:
    """Return an aware instant as microseconds since 1970 in UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(at_us: int) -> datetime:
    """Undo :func:`to_microseconds`."""
    return _EPOCH + timedelta(microseconds=at_us)
