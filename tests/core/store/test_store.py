"""The whole store: facts are checked against the descriptor, and recordings come in once."""

from pathlib import Path

import pytest

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.ingest import Ingested, ingest_recording
from opswm.store.open import Store, open_store
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey, TelemetryReader, TelemetryWriter
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.telemetry import Event
from tests.core.store.shop import SHOP, after, moved, readings, scaling, shop

ROWS = [("web.rps", 1.0, 1.0, 5.0), ("web.rps", 2.0, 2.0, 6.0), ("web.errors", 2.0, 9.0, 7.0)]
EVENT = Event(event_id="e1", type="alert_fired", entity_id="db", name="slow", event_at=after(3), known_at=after(3))


def recorded(path: Path) -> Path:
    """Write a recording of the shop."""
    with RecordingWriter(path, shop(), "r1", since=after(0), until=after(60)) as writer:
        writer.add_metrics(readings(ROWS))
        writer.add_actions([scaling("a1", moved("started", 2, 4))])
        writer.add_events([EVENT])
    return path


def ingest(store: Store, path: Path, steps: list[tuple[str, float]] | None = None) -> Ingested:
    """Bring a recording into a store."""
    with Recording.open(path) as recording:
        tell = None if steps is None else (lambda step, share: steps.append((step, share)))
        return ingest_recording(store, recording, tell)


def contents(store: Store) -> tuple[int, int, int, int]:
    """Return numbers of readings, actions, events, and the ledger's sequence."""
    channels = [channel.channel_id for channel in shop().channels]
    table = store.telemetry.read_metrics(SHOP, channels, after(-99), after(99), after(99))
    ledger = store.ledger
    return (
        table.num_rows,
        len(ledger.actions(SHOP, after(99))),
        len(ledger.events(SHOP, after(99))),
        ledger.sequence(SHOP),
    )


def test_both_telemetry_implementations_are_the_ports(store: Store) -> None:
    """Delta and memory offer what the core asks of readers and writers."""
    for telemetry in (store.telemetry, ArrowTelemetry()):
        assert isinstance(telemetry, TelemetryReader)
        assert isinstance(telemetry, TelemetryWriter)


def test_a_recording_comes_in_whole(store: Store, tmp_path: Path) -> None:
    """Descriptor, readings, actions and events are stored, with progress from start to end."""
    steps: list[tuple[str, float]] = []
    done = ingest(store, recorded(tmp_path / "r.zip"), steps)
    assert done == Ingested(SHOP, 1, store.telemetry.version(SHOP), 3, 1, 1, 1, 3)
    assert contents(store) == (3, 1, 1, 3)
    shares = [share for _, share in steps]
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares == sorted(shares)
    assert [action.status for action in store.ledger.actions(SHOP, after(4))] == ["started"]


def test_a_recording_comes_in_once(store: Store, tmp_path: Path) -> None:
    """The same content again, even written anew and after a later descriptor, changes nothing."""
    first = ingest(store, recorded(tmp_path / "one"))
    store.ledger.register(shop(description="newer"))
    before = contents(store)
    again = ingest(store, recorded(tmp_path / "two.zip"))
    assert contents(store) == before
    assert (again.descriptor_revision, again.num_new_events, again.table_version) == (1, 0, first.table_version)
    assert store.ledger.descriptor(SHOP).revision == 2


def test_an_interrupted_recording_is_completed_by_ingesting_it_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off between readings and facts, no system is half known; a second run completes it and doubles nothing."""
    path = recorded(tmp_path / "r")

    class CutOffError(Exception):
        """The process ended here."""

    def cut(step: str, share: float) -> None:
        if step == "committing":
            raise CutOffError

    with Recording.open(path) as recording, pytest.raises(CutOffError):
        ingest_recording(store, recording, cut)
    assert store.ledger.systems("default") == []
    assert store.telemetry.version(SHOP) == 1
    ingest(store, path)
    assert contents(store) == (3, 1, 1, 3)


def test_a_recording_changes_no_registered_system(store: Store, tmp_path: Path) -> None:
    """One that describes the system in another way is refused with what to do, and leaves no trace at all."""
    store.ledger.register(shop(description="with guardrails"))
    path = recorded(tmp_path / "old-incident")
    with pytest.raises(BadInputError, match="register that descriptor first, else store the recording under"):
        ingest(store, path)
    assert contents(store) == (0, 0, 0, 0)
    assert store.ledger.descriptor(SHOP) == shop(description="with guardrails")
    store.ledger.register(shop())
    assert ingest(store, path).descriptor_revision == 2
    assert contents(store) == (3, 1, 1, 3)


def test_readings_that_cannot_be_written_take_the_facts_with_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the readings are refused, neither the system nor its actions and events are there."""

    def refuse(*_: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store.telemetry, "append_metrics", refuse)
    with pytest.raises(StoreError, match="disk is full"):
        ingest(store, recorded(tmp_path / "r"))
    assert nothing_is_stored(store)


def test_others_write_the_ledger_while_readings_are_written(store: Store) -> None:
    """No transaction is open meanwhile; what others say then, and contradicts the recording, keeps its facts out."""

    def slowly() -> int:
        store.ledger.register(shop())
        store.record_events(SHOP, [EVENT.model_copy(update={"name": "fast"})])
        return 7

    with pytest.raises(BadInputError, match="'e1' was given before with another 'name'"):
        store.ledger.receive(shop(), [scaling("a1", moved("started", 1))], [EVENT], slowly)
    assert contents(store) == (0, 0, 1, 1)
    received = store.ledger.receive(shop(), [scaling("a1", moved("started", 1))], [], lambda: 8)
    assert (received.table_version, received.sequence) == (8, 3)


def test_a_recording_that_contradicts_known_events_leaves_no_trace(store: Store, tmp_path: Path) -> None:
    """An event under a used id that says something else refuses the whole recording."""
    store.ledger.register(shop())
    store.record_events(SHOP, [EVENT.model_copy(update={"name": "fast"})])
    with pytest.raises(BadInputError, match="'e1' was given before with another 'name'"):
        ingest(store, recorded(tmp_path / "r"))
    assert contents(store) == (0, 0, 1, 1)


def nothing_is_stored(store: Store) -> bool:
    """Return whether the store knows no system and no batch."""
    return store.ledger.systems("default") == [] and store.telemetry.version(SHOP) == 0


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("metrics", readings([]), "holds no readings"),
        ("metrics", readings([("web.colour", 1, 1, 5.0)]), r"channels \['web.colour'\] are not in revision 1"),
        ("metrics", readings([("db.p99", 1, 1, 5.0)]), "described as histograms, and got numbers"),
        ("metrics", readings([("web.rps", 1, 1, float("inf"))]), "'value' is NaN or infinite"),
        ("actions", [scaling("a1")], r"actions \['a1'\] have no transition"),
        ("actions", [scaling("a1", moved("started", 1), system_id="mall")], "of system 'mall'"),
        ("events", [EVENT.model_copy(update={"entity_id": "cart"})], r"entities \['cart'\] are not in revision 1"),
    ],
)
def test_a_recording_that_does_not_fit_leaves_no_trace(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, content: object, message: str
) -> None:
    """Parts that do not fit each other, which no writer lets through, are refused before any write."""
    path = recorded(tmp_path / "r")
    monkeypatch.setattr(Recording, part, lambda _: content)
    with pytest.raises(BadInputError, match=message):
        ingest(store, path)
    assert nothing_is_stored(store)


def test_a_truncated_table_leaves_no_trace(store: Store, tmp_path: Path) -> None:
    """A Parquet file cut short is refused with its name before anything is written."""
    file = recorded(tmp_path / "r") / "metrics.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(RecordingError, match=r"metrics\.parquet"):
        ingest(store, tmp_path / "r")
    assert nothing_is_stored(store)


def test_facts_must_be_of_the_registered_system(store: Store) -> None:
    """Readings, actions and events of unknown systems, channels and entities are refused."""
    with pytest.raises(NotFoundError, match="'shop'"):
        store.append_metrics(SHOP, readings(ROWS), "b1")
    store.ledger.register(shop())
    store.append_metrics(SHOP, readings(ROWS), "b1")
    with pytest.raises(BadInputError, match=r"web\.colour"):
        store.append_metrics(SHOP, readings([*ROWS, ("web.colour", 1, 1, 1.0)]), "b2")
    with pytest.raises(BadInputError, match="columns missing"):
        store.append_metrics(SHOP, readings(ROWS).drop_columns("channel_id"), "b2")
    assert store.record_action(scaling("a1", moved("started", 1))).status == "started"
    stray = scaling("a2", moved("started", 1)).model_copy(update={"resolved_targets": ["web", "cart"]})
    with pytest.raises(BadInputError, match=r"entities \['cart'\]"):
        store.record_action(stray)
    assert store.record_events(SHOP, [EVENT]) == 1
    with pytest.raises(BadInputError, match=r"entities \['cart'\]"):
        store.record_events(SHOP, [EVENT.model_copy(update={"event_id": "e2", "entity_id": "cart"})])
    assert contents(store) == (3, 1, 1, 3)


def test_many_unknown_names_are_summed_up(store: Store) -> None:
    """An error names ten of the unknown channels and counts the rest."""
    store.ledger.register(shop())
    with pytest.raises(BadInputError, match="and 5 more"):
        store.append_metrics(SHOP, readings([(f"c{number}", 1, 1, 1.0) for number in range(15)]), "b1")


def test_a_store_is_made_only_where_wanted(tmp_path: Path) -> None:
    """A missing store is made by default and reported where it should exist; a file is no store."""
    with pytest.raises(NotFoundError, match="there is no store"):
        open_store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    open_store(tmp_path / "some" / "where").close()
    open_store(tmp_path / "some" / "where", create=False).close()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadInputError, match="is a file"):
        open_store(tmp_path / "file")


def test_tenants_share_a_store_and_nothing_else(store: Store) -> None:
    """The same system id under another tenant is another system."""
    acme = SystemKey("acme", "shop")
    store.ledger.register(shop())
    store.ledger.register(SystemDescriptor.model_validate(shop().model_dump() | {"tenant_id": "acme"}))
    store.append_metrics(acme, readings(ROWS), "b1")
    action = scaling("a1", moved("started", 1)).model_copy(update={"tenant_id": "acme"})
    store.record_action(action)
    store.record_events(acme, [EVENT])
    assert contents(store) == (0, 0, 0, 0)
    assert len(store.ledger.actions(acme, after(9))) == 1
