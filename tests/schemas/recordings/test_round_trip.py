"""What is written comes back the same, from a folder and from a zip, and nothing is ever half-written."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opswm_schemas.actions.parameters import ConfigChange
from opswm_schemas.columns import LOGS, METRICS, SPANS
from opswm_schemas.examples import system
from opswm_schemas.recordings.manifest import CONTENT_FILES, MANIFEST_FILE
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.rows import metric_points
from opswm_schemas.telemetry import MetricPoint


def zipped(folder: Path, inside: str = "") -> Path:
    """Zip a recording folder by hand, as a person would, and return the zip."""
    path = folder.with_name("by-hand.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("form", ["folder", "zip", "zip of the folder"])
def test_everything_comes_back(recording: Path, form: str) -> None:
    """Descriptor, telemetry, events, actions and truth come back as they were added, whatever the container."""
    path = recording if form == "folder" else zipped(recording, "incident-3/" if form == "zip of the folder" else "")
    assert validate_recording(path) == []
    with Recording.open(path) as opened:
        assert opened.descriptor == system.descriptor()
        points = metric_points(opened.metrics())
        assert points[:2] == [system.metric_point(), system.native_metric_point()]
        assert [point.value for point in points[2:]] == [0.0, 100.0, 200.0, 300.0, 400.0]
        assert [row["body"] for row in opened.logs().to_pylist()] == [system.log_record().body]
        assert opened.spans().to_pylist() == [system.span().model_dump()]
        assert opened.events() == [system.event()]
        assert opened.actions() == [system.action()]
        assert opened.truth_names() == ["truth/branches.json"]
        assert opened.truth("truth/branches.json") == b'{"effect": -2.5}'


def test_tables_have_the_columns_of_the_contract(recording: Path) -> None:
    """Tables come back with exactly the columns and types of the contract."""
    with Recording.open(recording) as opened:
        for table, schema in ((opened.metrics(), METRICS), (opened.logs(), LOGS), (opened.spans(), SPANS)):
            assert table.schema.names == schema.names
            assert table.schema.types == schema.types


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Batches added in any order give the same files, the same digest, and the same zip byte for byte."""
    points = [MetricPoint.observed(system.after(step), channel_id="checkout.requests", value=step) for step in range(7)]
    manifests = []
    for name, order in (("a.zip", points), ("b.zip", points[::-1])):
        writer = RecordingWriter(tmp_path / name, system.descriptor(), "r", created_at=system.START)
        for point in order:
            writer.add_metrics([point])
        manifests.append(writer.write())
    assert manifests[0] == manifests[1]
    assert manifests[0].content_digest == manifests[1].content_digest
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_other_content_has_another_digest(tmp_path: Path) -> None:
    """One changed value changes the content digest; another name, moment or truth does not."""
    digests = []
    for name, value, moment in (("a", 1.0, system.START), ("b", 1.0, system.after(9)), ("c", 2.0, system.START)):
        writer = RecordingWriter(tmp_path / name, system.descriptor(), name, created_at=moment)
        writer.add_metrics([MetricPoint.observed(system.START, channel_id="checkout.requests", value=value)])
        writer.add_truth("seed.txt", name.encode())
        digests.append(writer.write().content_digest)
    assert digests[0] == digests[1] != digests[2]


def test_the_interval_is_that_of_the_facts(tmp_path: Path) -> None:
    """Without a stated interval the manifest covers the earliest to the latest fact of any kind."""
    writer = RecordingWriter(tmp_path / "r", system.descriptor(), "r")
    writer.add_metrics([MetricPoint.observed(system.after(20), channel_id="checkout.requests", value=1.0)])
    writer.add_events([system.event()])
    writer.add_actions([system.action()])
    manifest = writer.write()
    assert (manifest.since, manifest.until) == (system.after(20), system.after(180))


def test_what_comes_after_writing_is_refused(tmp_path: Path) -> None:
    """A fact that is added after the recording was written would be lost, so it is refused with what to do."""
    with RecordingWriter(tmp_path / "r", system.descriptor(), "r") as writer:
        writer.add_events([system.event()])
    point = MetricPoint.observed(system.START, channel_id="checkout.requests", value=1.0)
    late: list[Callable[[], None]] = [
        lambda: writer.add_actions([system.action()]),
        lambda: writer.add_events([system.event()]),
        lambda: writer.add_metrics([point]),
        lambda: writer.add_truth("seed.txt", b"1"),
    ]
    for add in late:
        with pytest.raises(RecordingError, match="inside the 'with' block"):
            add()


def test_tables_may_leave_out_what_may_be_null(tmp_path: Path) -> None:
    """A table without the histogram columns, with text as a dictionary, is taken as it is."""
    instants = pa.array([system.START, system.after(1)], pa.timestamp("us", tz="UTC"))
    table = pa.table({"channel_id": pa.array(["checkout.requests"] * 2).dictionary_encode(), "event_at": instants})
    table = table.append_column("known_at", instants).append_column("value", pa.array([1.0, 2.0]))
    with RecordingWriter(tmp_path / "r", system.descriptor(), "r") as writer:
        writer.add_metrics(table)
    with Recording.open(tmp_path / "r") as opened:
        assert opened.metrics()["value"].to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("columns", "field", "what"),
    [
        ({"value": pa.array([1.0]), "unit": pa.array(["s"])}, "unit", "no column"),
        ({"value": pa.array(["1"])}, "value", "expected double"),
        ({"event_at": pa.array([system.START], pa.timestamp("us"))}, "event_at", "has type timestamp[us]"),
        ({"event_at": pa.array([system.START], pa.timestamp("us", tz="Europe/Paris"))}, "event_at", "Europe/Paris"),
    ],
)
def test_foreign_columns_are_refused_when_added(
    tmp_path: Path, columns: dict[str, pa.Array], field: str, what: str
) -> None:
    """An unknown column, another type or another timezone is refused before anything is written."""
    instant = pa.array([system.START], pa.timestamp("us", tz="UTC"))
    whole = {
        "channel_id": pa.array(["checkout.requests"]),
        "event_at": instant,
        "known_at": instant,
        "value": pa.array([1.0]),
    }
    writer = RecordingWriter(tmp_path / "r", system.descriptor(), "r")
    with pytest.raises(RecordingError) as refusal:
        writer.add_metrics(pa.table(whole | columns))
    (problem,) = refusal.value.problems
    assert problem.field == field
    assert what in problem.what


@pytest.mark.parametrize("name", ["r", "r.zip"])
def test_nothing_is_left_of_a_recording_that_is_not_valid(tmp_path: Path, name: str) -> None:
    """Where the content is no valid recording, the writer says every problem and leaves nothing behind."""
    writer = RecordingWriter(tmp_path / name, system.descriptor(), "r")
    writer.add_metrics([MetricPoint.observed(system.START, channel_id="basket.requests", value=1.0)])
    writer.add_events([system.event(), system.event()])
    with pytest.raises(RecordingError) as refusal:
        writer.write()
    assert {problem.field for problem in refusal.value.problems} == {"channel_id", "event_id"}
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_when_the_block_fails(tmp_path: Path) -> None:
    """An error inside the ``with`` block is passed on and no recording appears."""

    def fail_half_way() -> None:
        with RecordingWriter(tmp_path / "r", system.descriptor(), "r") as writer:
            writer.add_events([system.event()])
            raise OSError("the source went away")

    with pytest.raises(OSError, match="went away"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_never_replaced(recording: Path) -> None:
    """A writer refuses a place where something is, at once."""
    with pytest.raises(FileExistsError, match="another place"):
        RecordingWriter(recording, system.descriptor(), "r")


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    """A recording without a single fact is refused, with or without an interval."""
    with pytest.raises(RecordingError, match="holds nothing"):
        RecordingWriter(tmp_path / "r", system.descriptor(), "r").write()
    with pytest.raises(RecordingError, match="no telemetry, events or actions"):
        RecordingWriter(tmp_path / "r", system.descriptor(), "r", since=system.START, until=system.after(1)).write()
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_taken_out_and_reported(tmp_path: Path) -> None:
    """A secret in an action is not in any byte of the recording, and the manifest says which field it was in."""
    params = ConfigChange(key="db.password", old="hunter2", new="correct-horse")
    change = system.action().model_copy(update={"type": "config_change", "params": params, "previous_params": None})
    with RecordingWriter(tmp_path / "r", system.descriptor(), "r") as writer:
        writer.add_actions([change])
        writer.add_metrics([MetricPoint.observed(system.START, channel_id="checkout.requests", value=1.0)])
    assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "r").iterdir())
    with Recording.open(tmp_path / "r") as opened:
        assert [(found.action_id, found.field) for found in opened.manifest.redactions] == [
            ("rollback-7", "params.old"),
            ("rollback-7", "params.new"),
        ]
    assert validate_recording(tmp_path / "r") == []


def test_parts_are_read_when_asked_for(recording: Path) -> None:
    """A damaged part is refused when it is read, and the other parts can still be read."""
    (recording / "metrics.parquet").write_bytes(b"PAR1 damaged")
    with Recording.open(recording) as opened:
        assert opened.events() == [system.event()]
        with pytest.raises(RecordingError, match="another checksum"):
            opened.metrics()


def test_unknown_truth_is_refused_with_what_there_is(recording: Path) -> None:
    """Asking for truth that is not there names the truth that is."""
    with Recording.open(recording) as opened, pytest.raises(RecordingError, match=r"truth/branches\.json"):
        opened.truth("truth/effects.json")


def test_every_file_is_listed(recording: Path) -> None:
    """The folder holds the manifest, every content file and the truth, and the manifest lists their rows."""
    names = {path.relative_to(recording).as_posix() for path in recording.rglob("*") if path.is_file()}
    assert names == {MANIFEST_FILE, *CONTENT_FILES, "truth/branches.json"}
    with Recording.open(recording) as opened:
        assert {entry.path: entry.rows for entry in opened.manifest.files} == {
            "descriptor.json": 1,
            "metrics.parquet": 7,
            "logs.parquet": 1,
            "spans.parquet": 1,
            "events.jsonl": 1,
            "actions.jsonl": 1,
        }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.tuples(st.sampled_from(["checkout.requests", "checkout.errors"]), st.integers(0, 40)),
        st.floats(0, 1e12),
        min_size=1,
        max_size=12,
    ),
    data=st.data(),
)
def test_any_points_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, values: dict[tuple[str, int], float], data: st.DataObject
) -> None:
    """Points added in any order come back complete, ordered by channel and time, and valid."""
    start = datetime(2025, 6, 1, tzinfo=UTC)
    keys = data.draw(st.permutations(sorted(values)))
    path = tmp_path_factory.mktemp("points") / "r"
    with RecordingWriter(path, system.descriptor(), "r") as writer:
        writer.add_metrics(
            MetricPoint.observed(start + timedelta(seconds=second), channel_id=channel, value=values[channel, second])
            for channel, second in keys
        )
    with Recording.open(path) as opened:
        points = metric_points(opened.metrics())
    assert [(point.channel_id, (point.event_at - start).seconds) for point in points] == sorted(values)
    assert [point.value for point in points] == [values[key] for key in sorted(values)]
