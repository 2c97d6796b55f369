"""An action as it was known at a moment, and how it takes further facts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opswm_schemas.actions.lifecycle import ALL_STATUSES
from opswm_schemas.actions.record import Action, Target, Transition
from opswm_schemas.examples.system import action

START = datetime(2025, 6, 1, tzinfo=UTC)
SECONDS = st.integers(0, 1_000).map(lambda count: timedelta(seconds=count))
TRANSITIONS = st.lists(
    st.builds(
        lambda status, event, known: Transition(status=status, event_at=START + event, known_at=START + known),
        st.sampled_from(ALL_STATUSES),
        SECONDS,
        SECONDS,
    ),
    max_size=8,
)


def with_transitions(facts: list[Transition]) -> Action:
    """Return the example action with these facts alone."""
    return action().model_copy(update={"transitions": facts})


@given(facts=TRANSITIONS, moment=SECONDS, hidden=TRANSITIONS)
def test_a_read_as_of_a_moment_never_sees_later_known_facts(
    facts: list[Transition], moment: timedelta, hidden: list[Transition]
) -> None:
    """Adding any facts that became known after a moment changes nothing that is read as of that moment."""
    at = START + moment
    later = [fact.model_copy(update={"known_at": at + timedelta(microseconds=1)}) for fact in hidden]
    without, with_later = with_transitions(facts), with_transitions(facts + later)
    assert with_later.status_as_of(at) == without.status_as_of(at)
    for status in ALL_STATUSES:
        assert with_later.first_at(status, as_of=at) == without.first_at(status, as_of=at)


@given(facts=TRANSITIONS)
def test_as_of_the_end_everything_is_known(facts: list[Transition]) -> None:
    """After the last fact became known, the status as of then is the status."""
    assert with_transitions(facts).status_as_of(START + timedelta(seconds=1_000)) == with_transitions(facts).status


@given(facts=TRANSITIONS, data=st.data())
def test_facts_are_appended_once(facts: list[Transition], data: st.DataObject) -> None:
    """A fact that comes again is kept once, whatever the order, and the status is that of the set."""
    split = data.draw(st.integers(0, len(facts)))
    unique = list(dict.fromkeys(fact.model_dump_json() for fact in facts))
    record = with_transitions([]).with_facts(*facts[:split]).with_facts(*facts)
    assert [fact.model_dump_json() for fact in record.transitions] == unique
    assert record.status == with_transitions(facts).status


def test_the_first_moment_of_a_status_is_the_earliest_at_its_source() -> None:
    """Of several reports of one status the earliest at the source counts, even when it was learned last."""
    early = Transition(status="started", event_at=START, known_at=START + timedelta(seconds=9))
    late = Transition(status="started", event_at=START + timedelta(seconds=2), known_at=START + timedelta(seconds=3))
    record = with_transitions([late, early])
    assert record.first_at("started") == START
    assert record.first_at("started", as_of=START + timedelta(seconds=5)) == late.event_at
    assert record.first_at("failed") is None


def test_resolved_targets_stand_before_the_named_one() -> None:
    """What an action acted on are the resolved targets where there are any, else the named entity, else nothing."""
    base = action().model_copy(update={"resolved_targets": []})
    assert base.targets == ["checkout"]
    assert base.model_copy(update={"resolved_targets": ["orders-db", "checkout"]}).targets == ["orders-db", "checkout"]
    assert base.model_copy(update={"target": Target(selector={"zone": "a"})}).targets == []
