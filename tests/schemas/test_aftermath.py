"""What is kept around a decision: incidents fold from dated facts, outcomes are of windows that ended, tokens end."""

from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from opswm_schemas.examples.aftermath import api_token, incident, outcome
from opswm_schemas.examples.system import after
from opswm_schemas.incidents import Incident, IncidentUpdate
from opswm_schemas.outcomes import Outcome


def told(event_s: float, known_s: float, **fields: Any) -> IncidentUpdate:
    """Return an update that happened and was known at seconds after the start."""
    return IncidentUpdate(event_at=after(event_s), known_at=after(known_s), **fields)


def test_an_incident_is_what_its_updates_say_whatever_their_order() -> None:
    """The last word on each field counts, by when it happened; entities and events add up."""
    updates = [
        told(10, 30, status="opened", title="slow", severity="warn", entity_ids=["web"], event_ids=["e2"]),
        told(20, 21, severity="fatal", entity_ids=["db"], event_ids=["e1"]),
        told(40, 41, status="mitigated", title="slow checkout"),
    ]
    for order in permutations(updates):
        seen = incident().model_copy(update={"updates": list(order)})
        assert (seen.title, seen.severity, seen.status) == ("slow checkout", "fatal", "mitigated")
        assert (seen.entity_ids, seen.event_ids) == (["db", "web"], ["e1", "e2"])
        assert (seen.opened_at, seen.resolved_at) == (after(10), None)


def test_an_incident_as_of_a_moment_rests_on_nothing_later() -> None:
    """Only updates known by then count, and before the first there is no incident."""
    (opened, resolved) = incident().updates
    seen = incident().as_of(opened.known_at)
    assert seen is not None
    assert (seen.status, seen.resolved_at) == ("opened", None)
    assert incident().as_of(after(30.5)) is None
    assert incident().as_of(resolved.known_at) == incident()
    assert incident().resolved_at == resolved.event_at


def test_an_incident_that_says_little_is_one_all_the_same() -> None:
    """Without title, severity and status it bears its id, is a warning, and is open since the first that is known."""
    seen = Incident(incident_id="i1", system_id="shop", updates=[told(5, 6, note="hm")])
    assert (seen.title, seen.severity, seen.status, seen.opened_at) == ("i1", "warn", "opened", after(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decision_id": None, "action_id": None, "course_id": None}, "of a decision or an action"),
        ({"decision_id": None}, "'course_id' names a course of a ranking"),
        ({"known_at": after(659.9)}, "before its window of 600.0 s ended"),
        ({"slo_cost_bad_minutes": -0.1}, "greater than or equal to 0"),
        ({"slo_cost_bad_minutes": float("nan")}, "finite"),
        ({"measured_ratio": 1.1}, "less than or equal to 1"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    """An outcome is of something, was measured after its window, and its numbers are possible ones."""
    with pytest.raises(ValidationError, match=message):
        Outcome.model_validate(outcome().model_dump() | change)


def test_tokens_allow_what_they_name_until_they_end() -> None:
    """A scope counts for the systems named, or for all where none is; expiry and revocation end it."""
    token = api_token()
    assert token.allows("ingest", "shop")
    assert not token.allows("read", "shop")
    assert not token.allows("ingest", "mall")
    assert not token.allows("ingest")
    assert token.model_copy(update={"system_ids": []}).allows("ingest")
    assert token.is_good(after(1e8))
    expiring = token.model_copy(update={"expires_at": after(60)})
    assert [expiring.is_good(after(second)) for second in (59.9, 60.0)] == [True, False]
    assert not token.model_copy(update={"revoked_at": after(5)}).is_good(after(4))
