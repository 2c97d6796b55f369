"""Backups: what comes back is what was there, in whichever database, even while the store is in use."""

from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from threading import Event as Flag

import pytest
from sqlalchemy import Connection, Engine, text

from opswm.errors import StoreError
from opswm.store.backup.back_up import back_up
from opswm.store.backup.manifest import Manifest
from opswm.store.backup.restore import restore
from opswm.store.database import write
from opswm.store.database_engines import make_engine
from opswm.store.durable_files import sync_folder
from opswm.store.open import open_store
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from tests.core.store.backup.stores import CHANNELS, CLOCK, Place, contents, fill
from tests.core.store.shop import SHOP, after, moved, readings, scaling, shop
from tests.core.store.test_migrations import of_revision

RESTORE = "opswm.store.backup.restore"


def test_a_restored_store_answers_as_the_one_that_was_backed_up(source: Place, target: Place, tmp_path: Path) -> None:
    """Every kind of fact, the readings and the names of batches come back, from either database into either."""
    store = source.open()
    secret = fill(store)
    before = contents(store)
    out = tmp_path / "archive.zip"
    written = back_up(source.folder, source.database, out, CLOCK)  # while the store is open
    store.close()
    assert restore(out, target.folder, target.database) == written
    assert written.log is not None
    assert (written.log.end, written.tables[0].num_rows, written.ledger.revision) == (2, 2, "0003")
    again = target.open()
    assert contents(again) == before
    assert again.ledger.tokens.authenticate(secret).name == "collector"
    again.append_metrics(SHOP, readings([("web.errors", 2.0, 9.0, 7.0)]), "b2")  # known already
    again.ledger.record_transition(SHOP, "a1", moved("succeeded", 3, 9))
    assert contents(again) == before
    again.append_metrics(SHOP, readings([("web.rps", 3.0, 3.0, 8.0)]), "b3")
    assert again.telemetry.version(SHOP) == before["batches"] + 1
    again.close()


def test_the_same_ledger_gives_the_same_bytes_from_either_database(
    tmp_path: Path, empty_postgresql: str, archive: Path
) -> None:
    """A ledger that moved to PostgreSQL backs up to the digests it came with: nothing was lost or reordered."""
    first = restore(archive, tmp_path / "moved", empty_postgresql)
    second = back_up(tmp_path / "moved", empty_postgresql, tmp_path / "second.zip", CLOCK)
    assert ledger_digests(second) == ledger_digests(first)
    assert len(ledger_digests(first)) == 8


def ledger_digests(manifest: Manifest) -> dict[str, str]:
    """Return the digest of each table of the ledger."""
    return {member.name: member.sha256 for member in manifest.members if member.name.startswith("ledger/")}


def test_a_store_in_use_is_backed_up_as_it_was_at_a_moment(local: Place, tmp_path: Path) -> None:
    """While readings come in and move into the table, a backup has all that was acknowledged before, and opens."""
    store = open_store(local.folder)
    telemetry = store.telemetry
    assert isinstance(telemetry, LoggedTelemetry)
    store.ledger.register(shop())
    stop, grown = Flag(), Condition()
    done: list[int] = []

    def deliver() -> None:
        while not stop.is_set():
            number = len(done)
            store.append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
            if number % 3 == 0:
                telemetry.flush()
            with grown:
                done.append(number)
                grown.notify()

    thread = Thread(target=deliver)
    thread.start()
    acknowledged: list[int] = []
    try:
        for turn in range(2):
            with grown:
                assert grown.wait_for(lambda: len(done) >= 4 * (len(acknowledged) + 1), 60)
                acknowledged.append(len(done))
            back_up(local.folder, None, tmp_path / f"{turn}.zip", CLOCK)
    finally:
        stop.set()
        thread.join()
        store.close()
    for turn, least in enumerate(acknowledged):
        restore(tmp_path / f"{turn}.zip", tmp_path / f"restored-{turn}", None)
        with_readings = open_store(tmp_path / f"restored-{turn}")
        found = with_readings.telemetry.read_metrics(SHOP, CHANNELS, after(0), after(1e6), after(1e6))
        values = found["value"].to_pylist()
        assert values == [float(number) for number in range(len(values))]
        assert least <= len(values) <= len(done)
        with_readings.close()


@pytest.mark.parametrize("when", ["renamed", "synced", "committed"])
def test_a_restore_that_fails_at_its_end_leaves_nothing(
    target: Place, archive: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Where the folder cannot get its name, or the ledger cannot be committed, neither is there; again, both are."""

    def fails(*_: object) -> None:
        raise OSError(5, "the disk is gone")

    target.folder.mkdir()
    with monkeypatch.context() as broken:
        if when == "renamed":
            broken.setattr(Path, "rename", fails)
        elif when == "synced":
            above = target.folder.parent
            broken.setattr(f"{RESTORE}.sync_folder", lambda path: fails() if path == above else sync_folder(path))
        elif target.database is None:
            pytest.skip("the ledger in the folder is committed before the folder has its name")
        else:
            broken.setattr(f"{RESTORE}.write", uncommitted)
        with pytest.raises(StoreError, match=r"disk is gone|cannot be read"):
            restore(archive, target.folder, target.database)
    assert not target.folder.exists() or not list(target.folder.iterdir())
    assert [file.name for file in target.folder.parent.glob(".target*")] == []
    restore(archive, target.folder, target.database)
    store = target.open()
    assert len(contents(store)["readings"]) == 3
    store.close()


def uncommitted(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Do work in a transaction that fails when it commits."""

    def cut(connection: Connection) -> None:
        work(connection)
        connection.execute(text("SELECT nothing FROM nowhere"))

    write(engine, cut)


def test_a_backup_may_take_longer_than_old_parts_stay(local: Place, tmp_path: Path) -> None:
    """Parts that are compacted and removed while they are copied are in the backup; so are the notes about it."""
    store = local.open()
    fill(store)
    telemetry = store.telemetry
    assert isinstance(telemetry, LoggedTelemetry)
    telemetry.flush()
    before = contents(store)
    upkeep = Upkeep(telemetry.table, CLOCK, UpkeepConfig(num_merged=2, removed_after_s=0.0))
    parts = set(local.folder.glob("**/system_id=shop/*.parquet"))

    def tell(what: str) -> None:
        if what == "tables/metrics":
            upkeep.run()
            assert parts.isdisjoint(local.folder.glob("tables/**/*.parquet"))

    written = back_up(local.folder, None, tmp_path / "out.zip", CLOCK, tell)
    store.close()
    assert "tables/metrics/_opswm/kept.json" in {member.name for member in written.members}
    assert list(local.folder.glob(".opswm-backup-*")) == []
    restore(tmp_path / "out.zip", tmp_path / "restored", None)
    again = Place(tmp_path / "restored").open()
    assert contents(again) == before
    again.close()


def test_where_links_are_not_possible_parts_are_copied(
    local: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without hard links a backup holds the same."""

    def fails(*_: object) -> None:
        raise OSError(1, "no links here")

    store = local.open()
    fill(store)
    before = contents(store)
    store.close()
    monkeypatch.setattr("os.link", fails)
    back_up(local.folder, None, tmp_path / "out.zip", CLOCK)
    restore(tmp_path / "out.zip", tmp_path / "restored", None)
    again = Place(tmp_path / "restored").open()
    assert contents(again) == before
    again.close()


def test_a_ledger_of_an_earlier_revision_is_migrated_when_it_is_restored(tmp_path: Path, local: Place) -> None:
    """A backup of a database that no newer opswm has opened yet comes back at the newest revision."""
    local.folder.mkdir()
    engine = make_engine(f"sqlite:///{local.folder / 'ledger.sqlite'}")
    write(engine, lambda connection: of_revision(connection, "0001"))
    engine.dispose()
    written = back_up(local.folder, None, tmp_path / "old.zip", CLOCK)
    assert (written.ledger.revision, written.log, written.tables) == ("0001", None, [])
    restore(tmp_path / "old.zip", tmp_path / "new", None)
    with_facts = open_store(tmp_path / "new", create=False)
    assert with_facts.ledger.actions(SHOP, after(9)) == [scaling("a1", moved("started", 1))]
    assert with_facts.ledger.incidents(SHOP, after(9)) == []
    with_facts.close()
