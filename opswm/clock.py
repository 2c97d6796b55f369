"""Where "now" comes from: an argument, so that a replay and a test can say what time it is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from opswm.errors import BadInputError


@runtime_checkable
class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> datetime:
        """Return the present as an aware instant in UTC."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present as an aware instant in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands still, for replays and tests.

    Attributes:
        at: The instant it shows; must be aware, and is held in UTC.

    Raises:
        BadInputError: When ``at`` is naive.
    """

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", to_utc(self.at))

    def now(self) -> datetime:
        """Return the fixed instant."""
        return self.at


def to_utc(moment: datetime) -> datetime:
    """Return an aware instant in UTC.

    Args:
        moment: An instant of any time zone.

    Raises:
        BadInputError: When ``moment`` is naive, since nobody can tell what it means.
    """
    if moment.utcoffset() is None:
        raise BadInputError(f"{moment.isoformat()} has no time zone; give an aware instant, for instance in UTC")
    return moment.astimezone(UTC)
