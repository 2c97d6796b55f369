"""How a change of a workload ended, from the conditions of the object afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opswm_connectors.kubernetes.outcomes import outcome
from opswm_connectors.kubernetes.quantities import quantity

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def deployment(status: str, reason: str, seen: Any = 4, at: str = "2026-03-02T12:01:00Z") -> dict[str, Any]:
    """Return a workload of generation 4 with one Progressing condition."""
    progressing = {"type": "Progressing", "status": status, "reason": reason, "lastUpdateTime": at, "message": "so"}
    available = {"type": "Available", "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": at}
    return {
        "metadata": {"generation": 4},
        "status": {"observedGeneration": seen, "conditions": [available, progressing]},
    }


@pytest.mark.parametrize(
    ("status", "reason", "ending"),
    [
        ("True", "NewReplicaSetAvailable", "succeeded"),
        ("False", "ProgressDeadlineExceeded", "timed_out"),
        ("False", "RolloutAborted", "rolled_back"),
    ],
)
def test_a_condition_tells_the_ending(status: str, reason: str, ending: str) -> None:
    """A complete, stuck or aborted rollout ends the action when its condition says, as known when it was read."""
    fact = outcome(deployment(status, reason, seen="4"), NOON, NOON + timedelta(minutes=5))
    assert fact is not None
    assert (fact.status, fact.note) == (ending, "so")
    assert fact.event_at == NOON + timedelta(minutes=1)
    assert fact.known_at == NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    "workload",
    [
        deployment("True", "ReplicaSetUpdated"),
        deployment("True", "NewReplicaSetAvailable", seen=3),
        deployment("True", "NewReplicaSetAvailable", at="2026-03-02T11:00:00Z"),
        deployment("True", "NewReplicaSetAvailable", at="soon"),
        {"metadata": {}, "status": None},
        {},
    ],
)
def test_while_it_cannot_be_told_there_is_no_ending(workload: dict[str, Any]) -> None:
    """Under way, not looked at by its controller yet, or told of an earlier change: nothing is said."""
    assert outcome(workload, NOON, NOON + timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        (2, 2.0),
        ("1.5Gi", 1.5 * 2**30),
        ("1e3", 1e3),
        ("128974848", 128974848.0),
        ("4k", 4e3),
    ],
)
def test_quantities_are_numbers_of_their_base_unit(text: Any, number: float) -> None:
    """Decimal and binary suffixes and exponents are understood."""
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "cpu", "-1", "1Xi", True, None, "1" * 60 + "Gi", [], "1e999"])
def test_what_is_no_quantity_is_none(text: Any) -> None:
    """Nothing is guessed from other text."""
    assert quantity(text) is None
