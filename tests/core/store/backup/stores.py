"""A small store with something of every kind in it, for the tests of backups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opswm.clock import FixedClock
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm.store.ledger import SqlLedger
from opswm.store.open import Store, open_telemetry
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_schemas.telemetry import Event
from tests.core.store.shop import SHOP, after, moved, readings, scaling, shop
from tests.core.store.test_aftermath import incident, outcome, told
from tests.core.store.test_ledger import answer

CLOCK = FixedClock(after(5_000))
CHANNELS = [channel.channel_id for channel in shop().channels]


@dataclass
class Place:
    """Where a store is: a folder, and a database where its ledger is not in the folder."""

    folder: Path
    database: str | None = None

    def open(self) -> Store:
        """Open the store."""
        self.folder.mkdir(exist_ok=True)
        ledger = SqlLedger.open(self.database or f"sqlite:///{self.folder / 'ledger.sqlite'}", CLOCK)
        return Store(ledger, open_telemetry(self.folder, SqliteIngestLog(self.folder / "ingest.sqlite")))


def fill(store: Store) -> str:
    """Put something of every kind into a store, readings into the table and into the log; return a token's secret."""
    ledger = store.ledger
    for system_id in ("shop", "Zoo", "emile", "a.b"):
        ledger.register(shop(system_id))
    ledger.register(shop(description='ä"\\ \u2028 €'))
    ledger.record_action(scaling("a1", moved("started", 1, 2), moved("succeeded", 3, 9)))
    ledger.request_action(scaling("asked", moved("proposed", 4)), approvals_needed=2)
    event = Event(event_id="e1", type="note", entity_id="db", name="nöte", event_at=after(3), known_at=after(3))
    ledger.record_events(SHOP, [event])
    ledger.store_decision(answer("d1"))
    ledger.record_incident(incident(told(1, 2, status="opened", title="ß")))
    ledger.record_outcome(outcome(action_id="a1"))
    _, secret = ledger.tokens.create("default", "collector", ["ingest"])
    store.append_metrics(SHOP, readings([("web.rps", 1.0, 1.0, 5.0), ("web.rps", 2.0, 2.0, 6.0)]), "b1")
    assert isinstance(store.telemetry, LoggedTelemetry)
    store.telemetry.flush()
    store.append_metrics(SHOP, readings([("web.errors", 2.0, 9.0, 7.0)]), "b2")
    return secret


def contents(store: Store) -> dict[str, Any]:
    """Return all that a store answers."""
    ledger = store.ledger
    always = after(1e6)
    return {
        "systems": ledger.systems("default"),
        "revisions": [ledger.descriptor(SHOP, number) for number in (1, 2)],
        "actions": ledger.actions(SHOP, always),
        "actions as of": ledger.actions(SHOP, after(2)),
        "needed": ledger.approvals_needed(SHOP, "asked"),
        "events": ledger.events(SHOP, always),
        "decision": ledger.decision("d1"),
        "incidents": ledger.incidents(SHOP, always),
        "outcomes": ledger.outcomes(SHOP, always),
        "tokens": ledger.tokens.of_tenant("default"),
        "sequence": ledger.sequence(SHOP),
        "readings": store.telemetry.read_metrics(SHOP, CHANNELS, after(0), always, always).to_pylist(),
        "batches": store.telemetry.version(SHOP),
    }
