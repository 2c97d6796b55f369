"""The fold of facts into a status does not care in which order, or how often, the facts came."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_schemas.actions.lifecycle import (
    ALL_STATUSES,
    ALLOWED,
    LifecycleError,
    contradictions,
    derive_status,
    require_allowed,
)
from opswm_schemas.actions.record import Transition

START = datetime(2025, 6, 1, tzinfo=UTC)


def fact(status: str, event_s: float = 0.0, lag_s: float = 0.0) -> Transition:
    """Return a fact that happened ``event_s`` after the start and was learned ``lag_s`` later."""
    event_at = START + timedelta(seconds=event_s)
    return Transition.model_validate(
        {"status": status, "event_at": event_at, "known_at": event_at + timedelta(seconds=lag_s)}
    )


FACTS = st.lists(
    st.builds(fact, st.sampled_from(ALL_STATUSES), st.integers(0, 50).map(float), st.integers(-3, 40).map(float)),
    max_size=8,
)


@given(facts=FACTS, data=st.data())
def test_status_ignores_order_and_repetition(facts: list[Transition], data: st.DataObject) -> None:
    """Any permutation of the facts, with any of them repeated, adds up to the same status and contradictions."""
    repeated = facts + (data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else [])
    shuffled = data.draw(st.permutations(repeated))
    assert derive_status(shuffled) == derive_status(facts)
    assert contradictions(shuffled) == contradictions(facts)


@given(facts=FACTS)
def test_status_is_one_that_was_reported(facts: list[Transition]) -> None:
    """The status is one of those reported, and unknown without any report."""
    assert derive_status(facts) in ({fact.status for fact in facts} or {"unknown"})


@given(data=st.data())
def test_every_allowed_path_ends_where_it_went(data: st.DataObject) -> None:
    """Facts along any allowed path, each later than the one before, give the last status and no contradiction."""
    path = ["proposed"]
    while following := sorted(ALLOWED[path[-1]] - set(path)):
        path.append(data.draw(st.sampled_from(following)))
    facts = [fact(status, event_s=float(second)) for second, status in enumerate(path)]
    endings = {"succeeded", "failed", "cancelled", "rejected", "expired"} & set(path)
    assert derive_status(facts) == path[-1]
    assert (contradictions(facts) == []) == (len(endings) < 2)


def test_the_furthest_stage_wins_over_a_later_date() -> None:
    """A late 'started' does not undo a 'succeeded', and is flagged."""
    facts = [fact("succeeded", 10.0), fact("started", 20.0)]
    assert derive_status(facts) == "succeeded"
    (flag,) = contradictions(facts)
    assert "'started' is dated" in flag


def test_two_endings_are_flagged_and_the_later_wins() -> None:
    """Of two endings the one that happened later counts, and both are named in the contradiction."""
    facts = [fact("failed", 10.0), fact("succeeded", 30.0)]
    assert derive_status(facts) == "succeeded"
    assert contradictions(facts) == ["several endings were reported: failed, succeeded"]


def test_starting_what_was_rejected_is_flagged() -> None:
    """A start after a rejection is kept and flagged."""
    assert "it was started although it was rejected" in contradictions([fact("rejected", 1.0), fact("started", 2.0)])


@pytest.mark.parametrize("current", ALL_STATUSES)
def test_requests_may_do_what_the_lifecycle_allows_and_nothing_else(current: str) -> None:
    """A request is refused exactly where the lifecycle has no such step, and told which steps there are."""
    for wanted in ALL_STATUSES:
        if wanted in ALLOWED[current]:
            require_allowed(fact(current).status, wanted)
        else:
            with pytest.raises(LifecycleError, match="allowed next") as refusal:
                require_allowed(fact(current).status, wanted)
            assert all(step in str(refusal.value) for step in ALLOWED[current])


def test_every_status_has_a_place_in_the_lifecycle() -> None:
    """Each status has its allowed next steps, all of them statuses, and can be reached from a proposal."""
    assert set(ALLOWED) == set(ALL_STATUSES)
    reached = {"proposed"}
    for _ in ALL_STATUSES:
        reached |= {step for status in reached for step in ALLOWED[status]}
    assert reached == set(ALL_STATUSES)
