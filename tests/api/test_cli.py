"""The command line: answers on stdout, errors on stderr, exit codes 0, 2 and 3."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.system import descriptor_document, write_recording


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A recording of the small system."""
    return write_recording(tmp_path / "night")


def test_describe_says_what_can_and_cannot_be_asked(run: Any, night: Path) -> None:
    """Parts, objectives and questions are shown; what no capability offers cannot be asked."""
    shown = run("describe", night)
    assert shown.code == 0
    assert all(word in shown.out for word in ("Corner shop", "orders-db", "load_shed", "fast-checkout"))
    told = run("describe", night, "--json").json
    assert told["counts"]["metric points"] == 400
    assert [question["is_possible"] for question in told["askable"]] == [True, True, True, False, False]
    assert "rollback" in told["askable"][3]["why"]


def test_ingested_recordings_are_described_and_ranked_from_the_store(run: Any, night: Path, tmp_path: Path) -> None:
    """Storing twice is storing once; a stored system is described and ranked like its recording."""
    store = tmp_path / "store"
    assert run("ingest", night, night, "--store", store).code == 0
    stored = run("describe", "--system", "corner-shop", "--store", store, "--json").json
    assert stored["counts"] == {"metric points": 400, "events": 1, "actions": 0}
    at = "2025-03-01T12:00:00Z"
    from_store = run("rank", "--system", "corner-shop", "--store", store, "--at", at, "--json")
    from_recording = run("rank", night, "--json")
    assert from_store.code == from_recording.code == 0
    assert from_store.json["ranked"] == from_recording.json["ranked"]


def test_rank_takes_candidates_from_a_file(run: Any, night: Path, tmp_path: Path) -> None:
    """A file's courses are ranked, with doing nothing among them, in words and as JSON."""
    courses = [{"course_id": "big", "label": "[red]big", "actions": [{"target": "checkout", "params": SCALE}]}]
    file = tmp_path / "courses.json"
    file.write_text(json.dumps({"courses": courses, "horizon_ticks": 7}))
    told = run("rank", night, "--candidates", file, "--json").json
    assert {one["course"]["course_id"] for one in told["ranked"]} == {"no_op", "big"}
    assert told["horizon_minutes"] == pytest.approx(7 * 5 / 60)
    assert "[red]big" in run("rank", night, "--candidates", file).out


def test_rank_without_telemetry_ends_with_3(run: Any, night: Path) -> None:
    """Before the recording begins nothing is known: inconclusive, exit code 3, and what would change that."""
    ended = run("rank", night, "--at", "2025-02-01T00:00:00Z")
    assert ended.code == 3
    assert "Would change the advice" in ended.out


def test_whatif_shows_bands_of_every_course(run: Any, night: Path, tmp_path: Path) -> None:
    """Each course has a column of medians with their outer quantiles."""
    file = tmp_path / "courses.json"
    file.write_text(
        json.dumps({"courses": [{"course_id": "more", "actions": [{"target": "checkout", "params": SCALE}]}]})
    )
    shown = run("whatif", night, "--courses", file, "--horizon", 5)
    assert shown.code == 0
    assert all(word in shown.out for word in ("no_op", "more", "checkout.latency_p99"))
    told = run("whatif", night, "--courses", file, "--horizon", 5, "--json").json
    assert [len(future["bad_ratio"]) for future in told["futures"]] == [5, 5]


SCALE = {"type": "scale_horizontal", "to_replicas": 8}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", "{night}", "--horizon", "33"], "1 to 32"),
        (["rank", "{night}", "--at", "2025-03-01T12:00:00"], "time zone|timezone"),
        (["rank", "{night}", "--at", "yesterday"], "'yesterday'"),
        (["rank", "{night}", "--checkpoint", "{tmp}/none"], "checkpoint folder"),
        (["rank", "{night}", "--checkpoint", "{night}"], "model.json"),
        (["rank", "{night}", "--candidates", "{tmp}/none.json"], "none.json"),
        (["rank", "{night}", "--candidates", "{night}/descriptor.json"], "#/channels"),
        (["rank", "{tmp}/none"], "none does not exist"),
        (["rank"], "--system"),
        (["rank", "--system", "corner-shop", "--store", "{tmp}/none"], "there is no store"),
        (["ingest", "{tmp}/none", "--store", "{tmp}/store"], "none does not exist"),
        (["describe", "{night}/metrics.parquet"], "metrics.parquet"),
        (["import", "nobody", "{tmp}", "--out", "{tmp}/out"], "demeter"),
        (["import", "demeter", "{tmp}/none", "--out", "{tmp}/out"], "none"),
        (["serve", "--host", "no.such.host.invalid", "--store", "{tmp}/s"], "no address of this machine"),
        (["serve", "--checkpoint", "{tmp}/none", "--store", "{tmp}/s", "--port", "0"], "checkpoint folder"),
        (["version", "--jsn"], "--jsn"),
    ],
)
def test_bad_input_ends_with_2_and_says_where(
    run: Any, night: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Nothing on stdout, a message that names the place on stderr, no traceback, exit code 2."""
    ended = run(*(argument.format(night=night, tmp=tmp_path) for argument in arguments))
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert any(word in ended.err for word in message.split("|"))


def test_candidates_are_refused_where_they_are_wrong(run: Any, night: Path, tmp_path: Path) -> None:
    """A file of candidates is refused with its name and the place inside it; NaN is named."""
    file = tmp_path / "courses.json"
    bad = {
        "courses": [{"course_id": "c", "actions": [{"target": "checkout", "params": {**SCALE, "to_replicas": "8"}}]}]
    }
    file.write_text(json.dumps(bad))
    assert f"{file}: #/courses/0/actions/0/params/to_replicas" in run("rank", night, "--candidates", file).err
    course = {"course_id": "c", "actions": [{"target": "chekout", "params": SCALE}]}
    file.write_text(json.dumps({"courses": [course]}))
    assert "'chekout'" in run("rank", night, "--candidates", file).err
    file.write_text('{"harm_tolerance": NaN}')
    assert "NaN" in run("rank", night, "--candidates", file).err


def test_a_damaged_recording_is_refused_with_all_its_faults(run: Any, night: Path, tmp_path: Path) -> None:
    """A truncated Parquet file and a naive timestamp are both told at once, and no store is filled."""
    metrics, events = night / "metrics.parquet", night / "events.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:900])
    events.write_text(events.read_text().replace("12:00:00.000000Z", "12:00:00"))
    ended = run("ingest", night, "--store", tmp_path / "store")
    assert ended.code == 2
    assert "metrics.parquet" in ended.err
    assert "events.jsonl, line 1" in ended.err
    assert run("describe", "--system", "corner-shop", "--store", tmp_path / "store").code == 2


def test_a_descriptor_in_a_wrong_unit_is_refused(run: Any, night: Path) -> None:
    """A latency in bytes cannot become seconds, and the channel is named."""
    document = descriptor_document()
    document["channels"][6]["unit"] = "By"
    (night / "descriptor.json").write_text(json.dumps(document))
    ended = run("describe", night)
    assert ended.code == 2
    assert "descriptor.json" in ended.err


def test_version_names_what_an_answer_depends_on(run: Any) -> None:
    """The versions of opswm, of its contracts and of torch are told."""
    told = run("version", "--json").json
    assert told["schema"] == "1.0"
    assert told["torch"].startswith("2.13.0")


@pytest.mark.parametrize(
    ("arguments", "kind", "detail"),
    [
        (["rank", "{night}", "--horizon", "33"], "bad-input", "1 to 32"),
        (["rank", "{night}", "--horizon", "many"], "bad-parameter", "'--horizon'"),
        (["rank", "{night}", "--checkpoint", "{tmp}/none"], "checkpoint", "checkpoint folder"),
        (["describe", "--system", "corner-shop", "--store", "{tmp}/none"], "not-found", "there is no store"),
        (["describe", "{night}/metrics.parquet"], "recording", "metrics.parquet"),
        (["rank", "{night}", "--at", "2099-12-31T23:59:59Z"], "bad-input", "2100-01-01"),
        (["version", "--jsn"], "no-such-option", "--jsn"),
        (["bench", "demo", "--seeds", "1", "--out", "{night}"], "bad-input", "is a folder"),
        (["bench", "demeter", "--data", "{tmp}", "--out", "{night}/manifest.json/x"], "bad-input", "cannot be written"),
    ],
)
def test_errors_are_json_where_json_was_asked_for(
    run: Any, night: Path, tmp_path: Path, arguments: list[str], kind: str, detail: str
) -> None:
    """One line of JSON on stderr with what kind of error it is and what to do; nothing on stdout; exit code 2."""
    ended = run(*(argument.format(night=night, tmp=tmp_path) for argument in arguments), "--json")
    assert (ended.code, ended.out) == (2, "")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert error["kind"] == kind
    assert detail in error["detail"]


def test_what_was_stored_before_an_error_is_told(run: Any, night: Path, tmp_path: Path) -> None:
    """Of several recordings, those before the bad one are on stdout, and the bad one is named on stderr."""
    bad = write_recording(tmp_path / "bad")
    (bad / "metrics.parquet").write_bytes(b"PAR1")
    ended = run("ingest", night, bad, "--store", tmp_path / "store", "--json")
    assert ended.code == 2
    assert [receipt["recording_id"] for receipt in ended.json] == ["night"]
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert f"while storing {bad}; 1 before it are stored" in error["detail"]
    assert error["problems"][0]["file"] == "metrics.parquet"
    in_words = run("ingest", night, bad, "--store", tmp_path / "store")
    assert (in_words.code, "stored night of corner-shop" in in_words.out) == (2, True)
