"""Every way to spoil a recording gives a problem with the file, the place, what is wrong and what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording

Change = Callable[[Any], Any]


def lines_of(folder: Path, name: str) -> list[Any]:
    """Return the decoded lines of a JSON Lines file."""
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def test_a_good_recording_has_no_problems(spoiler: Any) -> None:
    """The recording that the other tests spoil is valid."""
    assert spoiler.problems() == []


@pytest.mark.parametrize(
    "name", ["manifest.json", "descriptor.json", "metrics.parquet", "events.jsonl", "truth/branches.json"]
)
def test_missing_files_are_named(spoiler: Any, name: str) -> None:
    """A file that is gone is named as missing."""
    (spoiler.folder / name).unlink()
    found = spoiler.only_problem()
    assert (found.file, found.what) == (name, "is missing")


def test_files_beside_the_recording_are_noted(spoiler: Any) -> None:
    """A file that the manifest does not list is noted, because it is never read."""
    (spoiler.folder / "notes.txt").write_text("hm")
    found = spoiler.only_problem()
    assert (found.file, found.severity) == ("notes.txt", "note")


def test_files_that_the_manifest_forgot_are_an_error(spoiler: Any) -> None:
    """A content file that the manifest does not list is an error, because its rows would silently be left out."""
    manifest = json.loads((spoiler.folder / "manifest.json").read_text(encoding="utf-8"))
    spoiler.manifest(files=[entry for entry in manifest["files"] if entry["path"] != "logs.parquet"])
    found = spoiler.only_problem()
    assert (found.file, found.field, found.what) == ("manifest.json", "files", "does not list logs.parquet")
    with Recording.open(spoiler.folder) as opened, pytest.raises(ValueError, match=r"does not list logs\.parquet"):
        opened.logs()


@pytest.mark.parametrize("name", ["descriptor.json", "logs.parquet", "actions.jsonl", "truth/branches.json"])
def test_changed_bytes_are_noticed(spoiler: Any, name: str) -> None:
    """A file that was changed after the manifest was written has another checksum."""
    path = spoiler.folder / name
    path.write_bytes(path.read_bytes().replace(b"\n", b" \n") + (b"\n" if name.endswith("json") else b""))
    assert any(found.file == name and "another checksum" in found.what for found in spoiler.problems())


def test_another_number_of_rows_is_noticed(spoiler: Any) -> None:
    """A table that has other rows than the manifest lists is named, although its checksum agrees."""
    manifest = json.loads((spoiler.folder / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        entry["rows"] += 2 if entry["path"] in ("metrics.parquet", "events.jsonl") else 0
    spoiler.manifest(files=manifest["files"])
    assert [(found.file, found.what) for found in spoiler.problems()] == [
        ("metrics.parquet", "has 7 rows, the manifest lists 9"),
        ("events.jsonl", "has 1 rows, the manifest lists 3"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "what"),
    [
        ("{not json", "", "Invalid JSON"),
        ("[]", "", "Input should be an object"),
        ("[" * 5_000, "", "recursion limit"),
        ({}, "event_at", "Field required"),
        ({"severity": "loud"}, "severity", "Input should be 'trace'"),
        ({"event_at": "2025-06-01T12:00:00"}, "event_at", "timezone"),
        ({"extra": 1}, "extra", "not permitted"),
    ],
)
def test_wrong_lines_are_named_by_number(spoiler: Any, line: Any, field: str, what: str) -> None:
    """A line that is no JSON or no event is named by its line number and field; the good lines are read."""
    good = lines_of(spoiler.folder, "events.jsonl")[0]
    if isinstance(line, dict) and line:
        line = {**good, "event_id": "second", **line}
    spoiler.lines("events.jsonl", good, "", line)
    found = spoiler.problems()
    assert {problem.row for problem in found if "rows" not in problem.what} == {3}
    assert any(problem.field == field and what in problem.what for problem in found)


def test_bytes_that_are_no_text_are_named(spoiler: Any) -> None:
    """A line in another encoding is named."""
    spoiler.rewrite("events.jsonl", b'{"name": "caf\xe9"}\n')
    assert spoiler.only_problem().row == 1


def test_unknown_major_versions_are_refused(spoiler: Any) -> None:
    """A manifest, descriptor or action of a foreign major version is refused with what to do."""
    spoiler.document("descriptor.json", lambda document: document.update(schema_version="2.0"))
    (action,) = lines_of(spoiler.folder, "actions.jsonl")
    spoiler.lines("actions.jsonl", {**action, "schema_version": "3.1"})
    manifest = json.loads((spoiler.folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][1]["schema_version"] = "4.0"
    spoiler.manifest(files=manifest["files"])
    found = {problem.file: problem for problem in spoiler.problems()}
    assert "major 2" in found["descriptor.json"].what
    assert "major 3" in found["actions.jsonl"].what
    assert "version 4.0" in found["manifest.json"].what


def test_a_foreign_manifest_does_not_hide_the_rest(spoiler: Any) -> None:
    """When the manifest cannot be read, everything else is still checked."""
    spoiler.rows("metrics.parquet", lambda rows: rows[4].update(value=float("nan")))
    spoiler.manifest(schema_version="9.0")
    assert {found.file for found in spoiler.problems()} == {"manifest.json", "metrics.parquet"}


def test_one_recording_is_of_one_system(spoiler: Any) -> None:
    """Manifest, descriptor and actions must name the same tenant and system."""
    spoiler.manifest(system_id="shop-2")
    (action,) = lines_of(spoiler.folder, "actions.jsonl")
    spoiler.lines("actions.jsonl", {**action, "tenant_id": "acme"})
    assert {(found.file, found.field) for found in spoiler.problems()} == {
        ("manifest.json", "system_id"),
        ("actions.jsonl", "tenant_id"),
    }


@pytest.mark.parametrize(
    ("changes", "field", "what", "severity"),
    [
        ({"target": {"entity_id": "basket"}}, "target.entity_id", "aimed at 'basket'", "error"),
        ({"resolved_targets": ["checkout", "basket"]}, "resolved_targets.1", "aimed at 'basket'", "error"),
        ({"policy_id": None}, "", "'propensity' means nothing", "error"),
        ({"params": {"type": "restart"}}, "", "does not match", "error"),
        ({"transitions": []}, "transitions", "has no facts", "note"),
        ({"target": {"selector": {"a": "b"}}, "resolved_targets": []}, "resolved_targets", "not resolved", "note"),
        ({"evidence": [{"kind": "log", "ref": "token=hunter2"}]}, "evidence.0.ref", "looks secret", "note"),
    ],
)
def test_wrong_actions_are_named(spoiler: Any, changes: dict[str, Any], field: str, what: str, severity: str) -> None:
    """An action at nothing, without its policy, without facts or with a secret in it is named by line and field."""
    (action,) = lines_of(spoiler.folder, "actions.jsonl")
    spoiler.lines("actions.jsonl", action, {**action, "action_id": "second", **changes})
    found = spoiler.only_problem()
    assert (found.file, found.row, found.field, found.severity) == ("actions.jsonl", 2, field, severity)
    assert what in found.what


def test_contradicting_facts_are_noted_and_kept(spoiler: Any) -> None:
    """Facts that cannot both be right are a note, and the recording stays usable."""
    (action,) = lines_of(spoiler.folder, "actions.jsonl")
    action["transitions"].append({**action["transitions"][-1], "status": "failed"})
    spoiler.lines("actions.jsonl", action)
    found = spoiler.only_problem()
    assert found.severity == "note"
    assert "several endings" in found.what
    with Recording.open(spoiler.folder) as opened:
        assert len(opened.actions()[0].transitions) == 5


@pytest.mark.parametrize(("name", "field"), [("events.jsonl", "event_id"), ("actions.jsonl", "action_id")])
def test_ids_are_used_once(spoiler: Any, name: str, field: str) -> None:
    """A second event or action of the same id is named with the line of the first."""
    (record,) = lines_of(spoiler.folder, name)
    spoiler.lines(name, record, record)
    found = spoiler.only_problem()
    assert (found.file, found.row, found.field) == (name, 2, field)
    assert "line 1" in found.what


def test_events_happen_to_known_entities_in_the_interval(spoiler: Any) -> None:
    """An event of an unknown entity, outside the interval or known long before it happened is named."""
    (event,) = lines_of(spoiler.folder, "events.jsonl")
    spoiler.lines(
        "events.jsonl",
        {**event, "entity_id": "basket"},
        {**event, "event_id": "e2", "event_at": "2025-06-02T12:00:00Z", "known_at": "2025-06-02T12:00:00Z"},
        {**event, "event_id": "e3", "known_at": "2025-05-30T12:00:00Z"},
        {**event, "event_id": "e4", "entity_id": None},
    )
    assert [(found.row, found.field) for found in spoiler.problems()] == [
        (1, "entity_id"),
        (2, "event_at"),
        (3, "known_at"),
    ]


def test_an_empty_recording_is_an_error(spoiler: Any) -> None:
    """A recording without any row is refused; one without metrics is noted."""
    spoiler.table("metrics.parquet", lambda table: table.slice(0, 0))
    found = spoiler.only_problem()
    assert (found.file, found.severity) == ("metrics.parquet", "note")
    for name in ("logs.parquet", "spans.parquet"):
        spoiler.table(name, lambda table: table.slice(0, 0))
    spoiler.lines("events.jsonl")
    spoiler.lines("actions.jsonl")
    found = spoiler.only_problem()
    assert (found.file, found.severity) == ("", "error")
    assert "no telemetry" in found.what


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """A folder without files is no recording."""
    (found,) = validate_recording(tmp_path)
    assert found.what == "is empty"


def test_errors_stand_before_notes(spoiler: Any) -> None:
    """Whatever the order of finding, errors come first."""
    (spoiler.folder / "extra.txt").write_text("")
    spoiler.rows("metrics.parquet", lambda rows: rows[5].update(value=None))
    assert [found.severity for found in spoiler.problems()] == ["error", "note"]


def test_problems_read_as_sentences_with_places(spoiler: Any) -> None:
    """A problem prints its file, row or line, field, what is wrong and what to do."""
    spoiler.rows("metrics.parquet", lambda rows: rows[5].update(value=float("inf")))
    assert str(spoiler.only_problem()) == (
        "metrics.parquet, row 5, value: channel 'checkout.requests' at 2025-06-01T12:00:45+00:00 has value inf; "
        "leave out the row where nothing was measured; NaN and infinities are no measurements"
    )
    (event,) = lines_of(spoiler.folder, "events.jsonl")
    spoiler.lines("events.jsonl", {**event, "entity_id": "basket"})
    assert any(str(found).startswith("events.jsonl, line 1, entity_id: ") for found in spoiler.problems())
