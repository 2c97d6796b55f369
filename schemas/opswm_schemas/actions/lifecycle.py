"""The lifecycle of an action: which status may follow which, and the fold over facts that came in any order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, get_args

ActionStatus = Literal[
    "proposed", "approved", "rejected", "expired", "cancelled", "scheduled", "started", "succeeded", "failed",
    "timed_out", "rolled_back", "unknown",
]  # fmt: skip

ALLOWED: Final[dict[str, frozenset[str]]] = {
    "proposed": frozenset({"approved", "rejected", "expired", "cancelled"}),
    "approved": frozenset({"scheduled", "started", "expired", "cancelled"}),
    "scheduled": frozenset({"started", "cancelled", "unknown"}),
    "started": frozenset({"succeeded", "failed", "timed_out", "cancelled", "unknown"}),
    "succeeded": frozenset({"rolled_back"}),
    "failed": frozenset({"rolled_back"}),
    "timed_out": frozenset({"succeeded", "failed", "rolled_back"}),
    "unknown": frozenset({"succeeded", "failed", "timed_out", "cancelled", "rolled_back"}),
    "rejected": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
    "rolled_back": frozenset(),
}
"""What a request may do next. Observed facts may do anything; what breaks this is flagged."""

_STAGE: Final[dict[str, int]] = {
    "proposed": 0, "approved": 1, "rejected": 6, "expired": 6, "cancelled": 6, "scheduled": 2, "started": 3,
    "unknown": 4, "timed_out": 5, "failed": 6, "succeeded": 6, "rolled_back": 7,
}  # fmt: skip
_ENDINGS: Final[frozenset[str]] = frozenset({"succeeded", "failed", "cancelled", "rejected", "expired"})


class StatusFact(Protocol):
    """The part of a transition that the fold needs."""

    @property
    def status(self) -> ActionStatus:
        """The status that was reached."""
        ...

    @property
    def event_at(self) -> datetime:
        """When it was reached at the source."""
        ...

    @property
    def known_at(self) -> datetime:
        """When it was learned."""
        ...


class LifecycleError(ValueError):
    """A request that the lifecycle does not allow from the present status."""


def derive_status(facts: Sequence[StatusFact]) -> ActionStatus:
    """Return the status that a set of facts adds up to, whatever order they came in.

    The furthest stage wins; among facts of one stage, the latest at its source, then the latest known.
    The result does not depend on the order of ``facts``.

    Args:
        facts: Any number of transitions; none means ``unknown``.
    """
    if not facts:
        return "unknown"
    return max(facts, key=lambda fact: (_STAGE[fact.status], fact.event_at, fact.known_at, fact.status)).status


def contradictions(facts: Sequence[StatusFact]) -> list[str]:
    """Return a sentence for each pair of facts that cannot both be right; an empty list when all agree."""
    found: list[str] = []
    endings = sorted({fact.status for fact in facts if fact.status in _ENDINGS})
    if len(endings) > 1:
        found.append(f"several endings were reported: {', '.join(endings)}")
    first: dict[str, datetime] = {}
    for fact in facts:
        first[fact.status] = min(first.get(fact.status, fact.event_at), fact.event_at)
    for earlier in first:
        for later in first:
            if _STAGE[earlier] < _STAGE[later] and first[earlier] > first[later]:
                found.append(
                    f"{earlier!r} is dated {first[earlier].isoformat()}, after {later!r} at {first[later].isoformat()}"
                )
    if "rejected" in first and "started" in first:
        found.append("it was started although it was rejected")
    return sorted(found)


def require_allowed(current: ActionStatus, wanted: ActionStatus) -> None:
    """Check that a request may take an action from ``current`` to ``wanted``.

    Raises:
        LifecycleError: When it may not, naming what is allowed.
    """
    if wanted not in ALLOWED[current]:
        allowed = ", ".join(sorted(ALLOWED[current])) or "nothing: it has ended"
        raise LifecycleError(f"an action that is {current!r} cannot become {wanted!r}; allowed next: {allowed}")


ALL_STATUSES: Final[tuple[ActionStatus, ...]] = get_args(ActionStatus)
"""Every status, in the order of the lifecycle."""
