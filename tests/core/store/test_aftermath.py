"""What the ledger keeps around decisions: incidents, outcomes, and who may report them."""

from typing import Any

import pytest
from sqlalchemy import select

from opswm.clock import FixedClock
from opswm.errors import BadInputError, NotFoundError
from opswm.store.database import open_database, reading
from opswm.store.ledger import SqlLedger
from opswm.store.ledger_tables import METADATA
from opswm_schemas.actions.record import Source
from opswm_schemas.incidents import Incident, IncidentUpdate
from opswm_schemas.outcomes import Outcome
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, after, shop
from tests.core.store.test_ledger import answer


def incident(*updates: IncidentUpdate, incident_id: str = "i1", system_id: str = "shop") -> Incident:
    """Return an incident of the shop."""
    return Incident(incident_id=incident_id, system_id=system_id, updates=list(updates))


def told(event_s: float, known_s: float, **fields: Any) -> IncidentUpdate:
    """Return an update that happened and was known at seconds after noon."""
    return IncidentUpdate(event_at=after(event_s), known_at=after(known_s), **fields)


def outcome(outcome_id: str = "o1", known_s: float = 700.0, **fields: Any) -> Outcome:
    """Return what was measured in the ten minutes after noon."""
    given: dict[str, Any] = {"decision_id": "d1", "slo_cost_bad_minutes": 2.5, **fields}
    times: dict[str, Any] = {"since": after(0), "window_s": 600.0, "known_at": after(known_s)}
    return Outcome(outcome_id=outcome_id, system_id="shop", source=Source(system="opswm"), **times, **given)


# --------------------------------------------------------------------------------------------------- incidents
def test_incidents_add_up_and_are_read_as_of(ledger: SqlLedger) -> None:
    """Updates come late, twice and out of order; a reading rests on those known by then."""
    resolved = told(50, 60, status="resolved")
    ledger.record_incident(incident(resolved))
    opened = told(10, 70, status="opened", title="slow", event_ids=["e1"])
    stored = ledger.record_incident(incident(opened, resolved, opened))
    assert (stored.status, stored.title, stored.updates) == ("resolved", "slow", [resolved, opened])
    ledger.record_incident(incident(told(5, 65, status="opened"), incident_id="i0"))
    seen = {second: ledger.incidents(SHOP, after(second)) for second in (59, 60, 66, 70)}
    assert [[found.incident_id for found in seen[second]] for second in seen] == [
        [],
        ["i1"],
        ["i0", "i1"],
        ["i0", "i1"],
    ]
    assert (seen[60][0].title, seen[70][1].title, seen[70][1].opened_at) == ("i1", "slow", after(10))
    assert ledger.sequence(SHOP) == 3


def test_incidents_belong_to_a_system_and_end_somewhere(ledger: SqlLedger) -> None:
    """An unknown system is not found, and a source that reports without end is told so."""
    with pytest.raises(NotFoundError, match="'mall'"):
        ledger.record_incident(incident(told(1, 1), system_id="mall"))
    ledger.record_incident(incident(*(told(second, second) for second in range(1_000))))
    with pytest.raises(BadInputError, match="would have 1001 updates"):
        ledger.record_incident(incident(told(1_000, 1_000)))
    assert len(ledger.record_incident(incident(told(7, 7))).updates) == 1_000


def test_incidents_tell_no_secrets(ledger: SqlLedger) -> None:
    """A password in the title or note of an alert is gone before it is written."""
    texts = {"title": "login with password=hunter2-a failed", "note": "password=hunter2-b"}
    stored = ledger.record_incident(incident(told(1, 1, **texts)))
    assert "hunter2" not in stored.model_dump_json()
    assert stored.title.startswith("login with")


# ---------------------------------------------------------------------------------------------------- outcomes
def test_outcomes_are_kept_as_they_were_measured(ledger: SqlLedger) -> None:
    """An outcome reads back equal as of when it was known; its id never stands for another measurement."""
    ledger.store_decision(answer("d1"))
    ledger.store_decision(answer("d2"))
    first, second, other = outcome(), outcome("o2", 900.0, measured_ratio=0.5), outcome("o3", 800.0, decision_id="d2")
    for each in (second, first, other, first):
        ledger.record_outcome(each)
    assert ledger.outcomes(SHOP, after(899)) == [first, other]
    assert ledger.outcomes(SHOP, after(900), "d1") == [first, second]
    assert ledger.sequence(SHOP) == 3
    with pytest.raises(BadInputError, match="'o1' is stored with other content"):
        ledger.record_outcome(outcome(slo_cost_bad_minutes=0.0))
    assert [found.provenance.decision_id for found in ledger.decisions(SHOP, after(0))] == ["d1", "d2"]
    assert ledger.decisions(SHOP, after(-1)) == []


def test_an_outcome_is_of_a_decision_of_its_own_system(ledger: SqlLedger) -> None:
    """A decision that is not there, or another system's, is not found; an action may become known later."""
    ledger.register(shop("mall"))
    ledger.store_decision(answer("d1", system_id="mall"))
    with pytest.raises(NotFoundError, match="decision 'd1' of system 'shop' is not stored"):
        ledger.record_outcome(outcome())
    ledger.record_outcome(outcome(decision_id=None, action_id="a-not-yet-known"))
    assert [found.action_id for found in ledger.outcomes(SHOP, after(700))] == ["a-not-yet-known"]
    assert ledger.outcomes(SystemKey("default", "mall"), after(700)) == []


# ------------------------------------------------------------------------------------------------------ tokens
def test_a_token_is_good_for_its_tenant_until_it_is_revoked(ledger: SqlLedger) -> None:
    """The secret finds its token while it is good; revoked, or changed by one letter, it finds nothing."""
    token, secret = ledger.tokens.create("default", "collector", ["read", "ingest", "read"], ["shop"])
    assert ledger.tokens.authenticate(secret) == token
    assert (token.scopes, token.system_ids, token.revoked_at) == (["ingest", "read"], ["shop"], None)
    assert secret.startswith(token.prefix)
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    with pytest.raises(NotFoundError, match="is not known, has expired or was revoked"):
        ledger.tokens.authenticate(changed)
    with pytest.raises(NotFoundError, match=f"'{token.token_id}' of tenant 'acme'"):
        ledger.tokens.revoke("acme", token.token_id)
    assert ledger.tokens.authenticate(secret) == token
    revoked = ledger.tokens.revoke("default", token.token_id)
    assert ledger.tokens.revoke("default", token.token_id) == revoked
    assert revoked.revoked_at is not None
    for dead in (secret, "", "opswm_short", secret + "\n"):
        with pytest.raises(NotFoundError, match="ask for a new one"):
            ledger.tokens.authenticate(dead)
    assert ledger.tokens.of_tenant("default") == [revoked]
    assert ledger.tokens.of_tenant("acme") == []


def test_a_token_expires(database_url: str) -> None:
    """From its last moment on a token is refused, by the ledger's own clock."""
    early = SqlLedger.open(database_url, FixedClock(after(59.999999)))
    _, secret = early.tokens.create("default", "short", ["read"], expires_at=after(60))
    assert early.tokens.authenticate(secret).name == "short"
    late = SqlLedger.open(database_url, FixedClock(after(60)))
    with pytest.raises(NotFoundError, match="expired"):
        late.tokens.authenticate(secret)
    early.close()
    late.close()


def test_the_database_holds_no_secret(ledger: SqlLedger, database_url: str) -> None:
    """Of a token only its prefix and a digest are stored."""
    token, secret = ledger.tokens.create("default", "collector", ["read"])
    engine = open_database(database_url)
    with reading(engine) as connection:
        rows = repr([tuple(row) for table in METADATA.sorted_tables for row in connection.execute(select(table))])
    engine.dispose()
    assert token.prefix in rows
    assert secret.removeprefix(token.prefix) not in rows
