"""Backup and restore on the command line: a store that moved answers as before."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.system import AT, write_recording


def ranked(verb: Any, *where: object) -> Any:
    """Return a ranking of the stored system, without what differs between two decisions."""
    told = verb("rank", "--system", "corner-shop", "--at", AT.isoformat(), "--seed", 5, "--json", *where)
    answer: Any = told.json
    del answer["provenance"]["decision_id"]
    return answer


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_restored_store_gives_the_same_ranking(
    run: Any,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    """A store is backed up, restored into an empty folder with either database, and asked the same question."""
    night = write_recording(tmp_path / "night")
    store, moved, archive = tmp_path / "store", tmp_path / "moved", tmp_path / "night.zip"
    assert run("ingest", night, "--store", store).code == 0
    before = ranked(run, "--store", store)
    backed_up = run("backup", "--data", store, "--out", archive)
    assert backed_up.code == 0
    assert all(word in backed_up.out for word in ("verified", "1 decisions", "1 descriptors", "400 readings"))
    where = ["--data", str(moved)]
    if database == "postgresql":
        where += ["--database", request.getfixturevalue("empty_postgresql")]
    restored = run("restore", archive, *where, "--json")
    assert (restored.code, restored.json["ledger"]["num_rows"]["decisions"]) == (0, 1)
    assert ranked(run, *where) == before
    assert run("describe", "--system", "corner-shop", *where, "--json").json["counts"]["metric points"] == 400
    assert run("ingest", night, *where).code == 0  # known already
    assert (moved / "ledger.sqlite").exists() == (database == "sqlite")


def test_what_cannot_be_restored_says_why(run: Any, tmp_path: Path) -> None:
    """A file that is no backup, a target that is not empty, and a store that is not there: exit code 2, in words."""
    night = write_recording(tmp_path / "night")
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK\x03\x04 and nothing more")
    refused = run("restore", archive, "--store", tmp_path / "target")
    assert (refused.code, "is no backup of opswm, or was cut short" in refused.err) == (2, True)
    assert run("restore", archive, "--store", night).err.count("is not an empty folder") == 1
    missing = run("backup", "--store", tmp_path / "none", "--out", tmp_path / "b.zip", "--json")
    assert (missing.code, '"kind": "not-found"' in missing.err, missing.out) == (2, True, "")
