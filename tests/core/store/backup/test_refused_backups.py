"""Nothing but a whole backup is restored, nothing is written over, and a backup of half a store is none."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.backup.back_up import back_up
from opswm.store.backup.restore import restore
from tests.core.store.backup.stores import CLOCK, Place


def test_every_truncation_is_refused(archive: Path, tmp_path: Path) -> None:
    """An archive cut short anywhere restores nothing."""
    whole = archive.read_bytes()
    cut = tmp_path / "cut.zip"
    for length in sorted({0, 1, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1}):
        cut.write_bytes(whole[:length])
        with pytest.raises(BadInputError, match="no backup of opswm, or was cut short"):
            restore(cut, tmp_path / "target", None)
    assert not (tmp_path / "target").exists()


def rewritten(archive: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """Write the archive anew, after a change to its files and its manifest."""
    with zipfile.ZipFile(archive) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    change(files, manifest)
    out = archive.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
        if manifest:
            zipped.writestr("manifest.json", json.dumps(manifest))
    return out


def other_bytes(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Change what a decision says, with every checksum of the zip itself right."""
    files["ledger/decisions.jsonl"] = files["ledger/decisions.jsonl"].replace(b"wait", b"leap")


def fewer_files(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Leave out a file."""
    del files["ledger/decisions.jsonl"]


def a_stranger(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Add a file that would come to lie outside the store."""
    files["metrics/../../evil"] = b""
    manifest["members"].append({"name": "metrics/../../evil", "size_bytes": 0, "sha256": "e3" * 32})


def a_later_format(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Say it is of a format that is not known yet."""
    manifest["version"] = 2


def no_manifest(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Make it somebody else's zip."""
    manifest.clear()


def a_table_nobody_knows(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """List another table of the ledger."""
    manifest["ledger"]["num_rows"]["spells"] = 0


def a_later_revision(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Say the ledger is of a revision that is not known yet."""
    manifest["ledger"]["revision"] = "0999"


def other_counts(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Say there is another number of rows."""
    manifest["ledger"]["num_rows"]["events"] = 2


def other_readings(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Say there is another number of readings."""
    manifest["tables"][0]["num_rows"] = 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_bytes, r"is damaged: ledger/decisions\.jsonl is not what was written"),
        (fewer_files, "does not hold the files that its manifest lists"),
        (a_stranger, r"does not hold the files that its manifest lists, such as \['metrics/\.\./\.\./evil'\]"),
        (a_later_format, "is no backup this software reads"),
        (no_manifest, r"it has no manifest\.json"),
        (a_table_nobody_knows, "restore it with the opswm that wrote it"),
        (a_later_revision, "a revision this software does not know"),
        (other_counts, "'events' of the restored ledger does not read back"),
        (other_readings, "the restored table tables/metrics has"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_and_leaves_nothing(
    archive: Path, target: Place, change: Callable[[dict[str, bytes], dict[str, Any]], None], message: str
) -> None:
    """Whatever was changed in an archive, the folder is not made and the database stays empty."""
    with pytest.raises((BadInputError, StoreError), match=message):
        restore(rewritten(archive, change), target.folder, target.database)
    assert not target.folder.exists()
    assert list(target.folder.parent.glob(".target*")) == []
    restore(archive, target.folder, target.database)  # nothing is in the way


@pytest.mark.parametrize("name", ["store", "file"])
def test_nothing_is_restored_over_what_is_there(archive: Path, tmp_path: Path, name: str) -> None:
    """A folder with something in it, or a file, stays as it is; an empty folder is taken."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine").write_text("x", encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadInputError, match="is not an empty folder"):
        restore(archive, tmp_path / name, None)
    (tmp_path / "empty").mkdir()
    restore(archive, tmp_path / "empty", None)
    assert (tmp_path / "empty" / "ledger.sqlite").is_file()


def test_nothing_is_restored_into_a_database_in_use(archive: Path, tmp_path: Path, postgresql: str) -> None:
    """A database that holds a ledger is refused, and the folder is not made."""
    with pytest.raises(BadInputError, match="holds a ledger already"):
        restore(archive, tmp_path / "target", postgresql)
    assert not (tmp_path / "target").exists()


def test_backups_are_of_something_and_go_where_nothing_is(local: Place, archive: Path, tmp_path: Path) -> None:
    """Without a ledger there is no backup; an archive is never written over; a folder that is missing is named."""
    with pytest.raises(NotFoundError, match="there is no store in"):
        back_up(tmp_path / "none", None, tmp_path / "none.zip", CLOCK)
    with pytest.raises(NotFoundError, match="there is no ledger in"):
        back_up(tmp_path / "none", f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path / "none.zip", CLOCK)
    with pytest.raises(BadInputError, match="is there already, and backups are never written over"):
        back_up(local.folder, None, archive, CLOCK)
    with pytest.raises(BadInputError, match="there is no folder"):
        back_up(local.folder, None, tmp_path / "no" / "where.zip", CLOCK)
    assert not (tmp_path / "none.zip").exists()
    assert archive.stat().st_mode & 0o077 == 0  # nobody else reads what it holds


def test_a_damaged_table_is_not_backed_up_as_if_it_were_whole(local: Place, archive: Path, tmp_path: Path) -> None:
    """Where a part of the table is missing, the backup says so instead of leaving it out."""
    next((local.folder / "tables" / "metrics").rglob("offsets-*.parquet")).unlink()
    with pytest.raises(StoreError, match="cannot be backed up"):
        back_up(local.folder, None, tmp_path / "second.zip", CLOCK)
    assert not (tmp_path / "second.zip").exists()
