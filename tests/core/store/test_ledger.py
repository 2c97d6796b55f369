"""The ledger: descriptors, actions, events and decisions in a database."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.database import open_database, reading
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import METADATA
from opswm_schemas.actions.parameters import ConfigChange
from opswm_schemas.actions.record import Action, Actor
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import Ledger, SystemKey, Tokens
from opswm_schemas.telemetry import Event
from tests.core.store.shop import SHOP, after, moved, scaling, shop


def alert(event_id: str, event_s: float, known_s: float, **attributes: str) -> Event:
    """Return an alert on the web tier."""
    return Event(
        event_id=event_id,
        type="alert_fired",
        entity_id="web",
        name="slow",
        event_at=after(event_s),
        known_at=after(known_s),
        attributes=attributes,
    )


def answer(decision_id: str, headline: str = "wait", system_id: str = "shop", new: str | None = None) -> RankingAnswer:
    """Return a ranking; with ``new``, of one configuration change."""
    interval = {"value": -1.0, "lower": -2.0, "upper": -0.5}
    told = {
        "text": "t",
        "recovery_minutes": interval,
        "recovery_minutes_no_op": interval,
        "failed_requests_avoided": None,
    }
    params = {"type": "config_change", "key": "db.password", "new": new}
    ranked = {"rank": 1, "course": {"course_id": "c1", "actions": [{"target": "web", "params": params}]},
              "headline": told, "effect_bad_minutes": interval, "p_best": 0.5, "p_harm": 0.1, "support": 0.9,
              "evidence_grade": "E1", "verdict": "worth_testing", "reversibility": "reversible", "reconciled_by": [],
              "approvals_needed": 0, "blocked_by": []}  # fmt: skip
    provenance = {"decision_id": decision_id, "tenant_id": "default", "system_id": system_id,
                  "decided_at": after(0), "expires_at": after(600), "data_age_s": 3.0, "model_id": "m",
                  "model_digest": "d", "descriptor_revision": 1, "ledger_sequence": 0, "table_versions": {"metrics": 4},
                  "seed": 7}  # fmt: skip
    return RankingAnswer.model_validate(
        {"provenance": provenance, "verdict": "no_op_best", "headline": headline, "ranked": [ranked] if new else [],
         "noise_floor_bad_minutes": 0.05, "horizon_minutes": 2.0, "would_change": [], "calibration_source": "none",
         "notes": []}
    )  # fmt: skip


@dataclass
class Turned:
    """A clock that a test sets."""

    at: datetime

    def now(self) -> datetime:
        """Return what it was set to."""
        return self.at


def actor(name: str) -> Actor:
    """Return a person."""
    return Actor(kind="human", id=name)


def test_it_is_the_port(ledger: SqlLedger) -> None:
    """The ledger has every method the core asks of one, and so have its tokens."""
    assert isinstance(ledger, Ledger)
    assert isinstance(ledger.tokens, Tokens)


# ------------------------------------------------------------------------------------------------- descriptors
def test_a_changed_descriptor_is_a_new_revision(ledger: SqlLedger) -> None:
    """An equal descriptor keeps its revision whatever number it carries; every revision can be read again."""
    assert ledger.register(shop().model_copy(update={"revision": 9})).revision == 1
    assert ledger.register(shop(description="two")).revision == 2
    assert ledger.register(shop()).revision == 3
    assert [ledger.descriptor(SHOP, revision).description for revision in (1, 2, 3)] == ["", "two", ""]
    assert ledger.descriptor(SHOP) == shop().model_copy(update={"revision": 3})
    assert ledger.revision_of(shop(description="two")) == 2
    assert ledger.revision_of(shop(description="three")) is None


def test_a_revision_holds_from_when_it_was_registered() -> None:
    """As of a moment the newest revision registered by then holds; the first one for all time before it."""
    clock = Turned(after(10))
    ledger = SqlLedger.open("sqlite://", clock)
    ledger.register(shop(description="one"))
    clock.at = after(20)
    ledger.register(shop(description="two"))
    held = [ledger.descriptor(SHOP, as_of=after(second)).description for second in (-1e6, 10, 19.999999, 20, 1e6)]
    assert held == ["one", "one", "one", "two", "two"]
    assert ledger.descriptor(SHOP, 1, as_of=after(30)).description == "one"
    ledger.close()


@settings(max_examples=15, deadline=None)
@given(
    facts=st.lists(st.tuples(st.sampled_from(["a1", "a2", "e1", "e2", "e3"]), st.integers(0, 9)), max_size=8),
    at_s=st.integers(0, 9),
)
def test_the_sequence_as_of_a_moment_rests_on_nothing_later(facts: list[tuple[str, int]], at_s: int) -> None:
    """It grows with each fact known by the moment, and with no other."""
    ledger = SqlLedger.open("sqlite://")
    ledger.register(shop())
    seen: set[tuple[str, int]] = set()
    for name, known_s in facts:
        before = ledger.sequence(SHOP, after(at_s))
        if name.startswith("a"):
            ledger.record_action(scaling(name, moved("started", 0, known_s)))
            is_new = (name, known_s) not in seen
        else:
            ledger.record_events(SHOP, [alert(name, 0, known_s)])
            is_new = all(other != name for other, _ in seen)
        seen.add((name, known_s))
        assert (ledger.sequence(SHOP, after(at_s)) > before) == (is_new and known_s <= at_s)
    ledger.close()


def test_systems_are_listed_by_tenant(ledger: SqlLedger) -> None:
    """The latest descriptor of each system of one tenant, by id; other tenants have the same ids to themselves."""
    ledger.register(shop("bar"))
    ledger.register(shop("bar", "newer"))
    ledger.register(shop("zoo").model_copy(update={"tenant_id": "acme"}))
    assert [(entry.system_id, entry.revision) for entry in ledger.systems("default")] == [("bar", 2), ("shop", 1)]
    assert [entry.system_id for entry in ledger.systems("acme")] == ["zoo"]
    with pytest.raises(NotFoundError, match=r"'zoo' of tenant 'default' is not registered"):
        ledger.descriptor(SystemKey("default", "zoo"))
    with pytest.raises(NotFoundError, match="revision 4"):
        ledger.descriptor(SystemKey("acme", "zoo"), 4)


def test_fields_of_a_later_minor_version_are_kept(ledger: SqlLedger) -> None:
    """Descriptors and actions of a later minor version come back with fields this software does not know."""
    later = {"schema_version": "1.9", "colour": "blue"}
    ledger.register(SystemDescriptor.model_validate(shop().model_dump() | later))
    assert ledger.descriptor(SHOP).extensions == {"colour": "blue"}
    document = scaling("a1", moved("started", 1)).model_dump() | later
    document["transitions"][0]["region"] = "eu"
    ledger.record_action(Action.model_validate(document))
    ledger.record_action(scaling("a1", moved("succeeded", 5)))
    stored = ledger.action(SHOP, "a1").model_dump()
    assert [fact.get("region") for fact in stored["transitions"]] == ["eu", None]
    assert ledger.actions(SHOP, after(2))[0].extensions == {"colour": "blue"}


# ----------------------------------------------------------------------------------------------------- actions
def test_transitions_fold_whatever_their_order(ledger: SqlLedger) -> None:
    """Late, repeated and reordered facts add up; each counts once."""
    ledger.record_action(scaling("a1", moved("succeeded", 9, 10)))
    ledger.record_transition(SHOP, "a1", moved("proposed", 1, 30))
    ledger.record_action(scaling("a1", moved("started", 4, 20), moved("succeeded", 9, 10)))
    stored = ledger.record_transition(SHOP, "a1", moved("proposed", 1, 30))
    assert [fact.status for fact in stored.transitions] == ["succeeded", "started", "proposed"]
    assert stored.status == "succeeded"
    assert ledger.sequence(SHOP) == 4


def test_contradicting_facts_are_kept_and_flagged(ledger: SqlLedger) -> None:
    """Observed facts are never refused for breaking the lifecycle."""
    ledger.record_action(scaling("a1", moved("rejected", 1)))
    stored = ledger.record_transition(SHOP, "a1", moved("started", 5))
    assert any("rejected" in sentence for sentence in stored.contradictions())
    assert len(stored.transitions) == 2


def test_actions_are_read_as_of(ledger: SqlLedger) -> None:
    """Only facts known by then; an action nobody knew of is not there."""
    ledger.record_action(scaling("late", moved("started", 1, 50)))
    ledger.record_action(scaling("early", moved("started", 3, 4), moved("succeeded", 5, 40)))
    assert ledger.actions(SHOP, after(3)) == []
    (early,) = ledger.actions(SHOP, after(39))
    assert (early.action_id, early.status) == ("early", "started")
    assert [action.action_id for action in ledger.actions(SHOP, after(50))] == ["early", "late"]


def test_what_a_later_record_tells_is_not_known_before(ledger: SqlLedger) -> None:
    """Corrected parameters and outcomes show from when the facts they came with were known."""
    ledger.record_action(scaling("a1", moved("started", 1), to_replicas=5))
    ended = scaling("a1", moved("started", 1), moved("succeeded", 20), to_replicas=6)
    realised = {"slo_cost_bad_minutes": 2.0, "window_s": 60.0, "known_at": after(30)}
    document = ended.model_dump() | {"realised": realised, "progress_ratio": 1.0}
    ledger.record_action(Action.model_validate(document))
    before, after_all = ledger.actions(SHOP, after(29))[0], ledger.actions(SHOP, after(30))[0]
    assert (before.params.model_dump()["to_replicas"], before.realised, before.progress_ratio) == (5, None, None)
    assert after_all == Action.model_validate(document)


def test_a_whole_record_shows_no_outcome_before_it_was_known(ledger: SqlLedger) -> None:
    """Where only the finished record was delivered, earlier readings see it without its outcome."""
    realised = {"slo_cost_bad_minutes": 2.0, "window_s": 60.0, "known_at": after(30)}
    ended = scaling("a1", moved("started", 1), moved("succeeded", 20)).model_dump()
    ledger.record_action(Action.model_validate(ended | {"realised": realised, "inverse_action_id": "a2"}))
    (seen,) = ledger.actions(SHOP, after(5))
    assert (seen.status, seen.realised, seen.inverse_action_id) == ("started", None, None)


def test_actions_need_a_system_a_record_and_a_date(ledger: SqlLedger) -> None:
    """Unknown systems and actions are not found; an action without any dated fact is refused."""
    with pytest.raises(NotFoundError, match="register its descriptor first"):
        ledger.record_action(scaling("a1", moved("started", 1), system_id="mall"))
    with pytest.raises(NotFoundError, match="'a1' is not known"):
        ledger.record_transition(SHOP, "a1", moved("started", 1))
    with pytest.raises(NotFoundError, match="'a1' of system 'shop'"):
        ledger.action(SHOP, "a1")
    with pytest.raises(BadInputError, match="nobody can tell when"):
        ledger.record_action(scaling("a1"))
    assert ledger.sequence(SHOP) == 0


def test_several_actions_are_recorded_together_or_not_at_all(ledger: SqlLedger) -> None:
    """One bad action among many leaves no trace of the others."""
    with pytest.raises(BadInputError, match="'a2' has no transition"):
        ledger.record_actions([scaling("a1", moved("started", 1)), scaling("a2")])
    assert ledger.actions(SHOP, after(100)) == []
    assert ledger.sequence(SHOP) == 0


def test_more_facts_than_an_action_holds_are_refused(ledger: SqlLedger) -> None:
    """A source that reports without end is told so, and the record stays readable."""
    ledger.record_action(scaling("a1", *(moved("started", second) for second in range(1000))))
    with pytest.raises(BadInputError, match="1001 facts of kind 'transition'"):
        ledger.record_transition(SHOP, "a1", moved("started", 1000))
    assert len(ledger.record_transition(SHOP, "a1", moved("started", 7)).transitions) == 1000


def test_secrets_are_gone_before_they_are_written(ledger: SqlLedger, database_url: str) -> None:
    """Nothing in the database tells a password, whichever way it came in."""
    change = ConfigChange(key="db.password", old="hunter2-old", new="hunter2-new")
    action = scaling("a1", moved("started", 1)).model_copy(update={"type": "config_change", "params": change})
    ledger.record_action(action)
    ledger.record_transition(SHOP, "a1", moved("succeeded", 2).model_copy(update={"note": "password=hunter2-note"}))
    ledger.record_events(SHOP, [alert("e1", 1, 1, api_key="hunter2-key", text="see password=hunter2-text")])
    ledger.store_decision(answer("d1", new="hunter2-asked"))
    engine = open_database(database_url)
    with reading(engine) as connection:
        rows = [repr(tuple(row)) for table in METADATA.sorted_tables for row in connection.execute(select(table))]
    engine.dispose()
    assert sum("db.password" in row for row in rows) == 2
    assert not any("hunter2" in row for row in rows)
    assert ledger.events(SHOP, after(1))[0].attributes["api_key"] == "[redacted]"


# ----------------------------------------------------------------------------------------- events and decisions
def test_events_count_once_and_are_read_as_of(ledger: SqlLedger) -> None:
    """Each id is stored once; events come in the order they happened, if known by then."""
    given = [alert("e2", 9, 9), alert("e1", 5, 30), alert("e2", 9, 9)]
    assert ledger.record_events(SHOP, given) == 2
    assert ledger.record_events(SHOP, [*given, alert("e3", 1, 1)]) == 1
    assert [event.event_id for event in ledger.events(SHOP, after(29))] == ["e3", "e2"]
    assert [event.event_id for event in ledger.events(SHOP, after(30))] == ["e3", "e1", "e2"]
    with pytest.raises(NotFoundError):
        ledger.record_events(SystemKey("default", "mall"), given)


@pytest.mark.parametrize("stored_before", [True, False])
def test_an_event_is_never_another_one(ledger: SqlLedger, stored_before: bool) -> None:
    """A used id with other content is refused, within one batch too; one that was only learned again is the same."""
    first, other = alert("e1", 5, 5), alert("e1", 5, 5).model_copy(update={"name": "fast"})
    if stored_before:
        ledger.record_events(SHOP, [first])
    batch = [alert("e0", 1, 1), other] if stored_before else [alert("e0", 1, 1), first, other]
    with pytest.raises(BadInputError, match="'e1' was given before with another 'name'"):
        ledger.record_events(SHOP, batch)
    assert [event.event_id for event in ledger.events(SHOP, after(9))] == (["e1"] if stored_before else [])
    assert ledger.record_events(SHOP, [first, alert("e1", 5, 8)]) == (0 if stored_before else 1)


def test_decisions_are_kept_as_they_were_answered(ledger: SqlLedger) -> None:
    """A decision reads back equal; its id cannot be used for another answer."""
    ledger.store_decision(answer("d1"))
    ledger.store_decision(answer("d1"))
    assert ledger.decision("d1") == answer("d1")
    with pytest.raises(BadInputError, match="another answer"):
        ledger.store_decision(answer("d1", "act"))
    with pytest.raises(NotFoundError, match="'d2'"):
        ledger.decision("d2")
    with pytest.raises(NotFoundError, match="'mall'"):
        ledger.store_decision(answer("d2", system_id="mall"))
