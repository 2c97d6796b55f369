"""A timeline read from a store."""

from pathlib import Path

import pytest

from opswm.errors import NotFoundError
from opswm.store.open import open_store
from opswm.timeline.build import read_timeline
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event
from tests.core.timeline.shop import NUM_TICKS, acted, after, build, classic, metrics, moved, number, same, shop


def test_a_store_gives_the_timeline_of_its_facts(tmp_path: Path) -> None:
    """Reading from a store as of a moment gives the timeline built from all facts at hand."""
    rows = [number("web.requests", second, 7.0 * second + 3000, second + 2) for second in range(-290, 60, 7)]
    rows += [number("web.errors", 31, 5.0, 35), number("web.errors", 31, 6.0, 58), number("web.latency", 60, 80.0, 60)]
    rows += [classic(4, [0.1, 0.5], [0, 2, 2]), classic(40, [0.1, 0.5], [3, 9, 9])]
    actions = [acted("a2", moved("started", 12, 20), moved("succeeded", 30, 70)), acted("a1", moved("proposed", 5))]
    fired = Event(
        event_id="e1", type="alert_fired", entity_id="db", name="slow", event_at=after(21), known_at=after(22)
    )
    system = SystemKey("default", "shop")
    store = open_store(tmp_path / "store")
    store.ledger.register(shop())
    store.append_metrics(system, metrics(rows), "b1")
    store.ledger.record_actions(actions)
    store.record_events(system, [fired])
    for at_s in (25, 45, 60, 80):
        read = read_timeline(store.telemetry, store.ledger, system, after(at_s), NUM_TICKS)
        assert same(read, build(rows, actions, [fired], at_s))
    with pytest.raises(NotFoundError, match="'mall'"):
        read_timeline(store.telemetry, store.ledger, SystemKey("default", "mall"), after(60), NUM_TICKS)
    store.close()
