"""Recordings that are wrong in every way the specification names: refused by the command line, nothing half-written."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opswm_api.cli import main
from tests.api.system import write_recording

Files = dict[str, bytes]


def files_of(path: Path) -> Files:
    """The files of a zip."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(files: Files) -> Files:
    """The files with a manifest that lists their present checksums, sizes and numbers of rows."""
    manifest = json.loads(files["manifest.json"])
    for entry in manifest["files"]:
        content = files[entry["path"]]
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        if entry["path"].endswith(".parquet"):
            entry["rows"] = pq.read_table(io.BytesIO(content)).num_rows
        elif entry["path"].endswith(".jsonl"):
            entry["rows"] = len(content.splitlines())
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def with_metrics(change: Callable[[pa.Table], pa.Table]) -> Callable[[Files], Files]:
    """A change to the table of metrics."""

    def changed(files: Files) -> Files:
        buffer = io.BytesIO()
        pq.write_table(change(pq.read_table(io.BytesIO(files["metrics.parquet"]))), buffer)
        return sealed({**files, "metrics.parquet": buffer.getvalue()})

    return changed


def with_values(values: list[float]) -> Callable[[pa.Table], pa.Table]:
    """Put these in place of the first readings."""

    def change(table: pa.Table) -> pa.Table:
        column = pa.array([*values, *table["value"].to_pylist()[len(values) :]], pa.float64())
        return table.set_column(table.column_names.index("value"), "value", column)

    return change


def with_channel(name: str) -> Callable[[pa.Table], pa.Table]:
    """Give the first reading to another channel."""

    def change(table: pa.Table) -> pa.Table:
        column = pa.array([name, *table["channel_id"].to_pylist()[1:]], pa.string())
        return table.set_column(0, "channel_id", column)

    return change


def with_text(file: str, old: str, new: str) -> Callable[[Files], Files]:
    """Replace text in a JSON file."""

    def changed(files: Files) -> Files:
        assert old.encode() in files[file]
        return sealed({**files, file: files[file].replace(old.encode(), new.encode())})

    return changed


def emptied(files: Files) -> Files:
    """No telemetry, no events."""
    return sealed({**with_metrics(lambda table: table.slice(0, 0))(files), "events.jsonl": b""})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(with_metrics(with_values([1.0, float("nan")])), "metrics.parquet, row 1", id="NaN"),
        pytest.param(with_metrics(with_values([float("inf")])), "metrics.parquet, row 0", id="infinity"),
        pytest.param(with_metrics(with_channel("edge.mood")), "edge.mood", id="unknown channel"),
        pytest.param(with_metrics(lambda t: pa.concat_tables([t, t.slice(7, 1)])), "metrics.parquet", id="duplicate"),
        pytest.param(with_metrics(lambda t: t.take([1, 0, *range(2, len(t))])), "metrics.parquet", id="out of order"),
        pytest.param(with_metrics(lambda t: t.drop_columns(["known_at"])), "known_at", id="missing column"),
        pytest.param(with_text("events.jsonl", '"entity_id":"edge"', '"entity_id":"egde"'), "egde", id="entity"),
        pytest.param(with_text("events.jsonl", '"name"', '"nmae"'), "events.jsonl, line 1", id="unknown field"),
        pytest.param(with_text("events.jsonl", "12:00:00.000000Z", "12:00:00"), "events.jsonl, line 1", id="naive"),
        pytest.param(with_text("descriptor.json", '"ms"', '"By"'), "descriptor.json", id="wrong unit"),
        pytest.param(
            with_text("descriptor.json", '"schema_version": "1.', '"schema_version": "9.'), "major 9", id="major"
        ),
        pytest.param(lambda f: {**f, "metrics.parquet": f["metrics.parquet"][:-99]}, "metrics.parquet", id="truncated"),
        pytest.param(lambda f: {**f, "../outside.txt": b"x"}, "outside.txt", id="path traversal"),
        pytest.param(lambda f: {**f, "logs.parquet": bytes(300_000_000)}, "logs.parquet", id="decompression bomb"),
        pytest.param(emptied, "holds no telemetry", id="empty"),
        pytest.param(lambda f: {"notes.txt": b"hello"}, "manifest.json", id="foreign"),
    ],
)
def test_a_bad_recording_ends_with_2_and_leaves_no_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Files], Files], told: str
) -> None:
    """The file and place are named, there is no traceback, and no system is in the store afterwards."""
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in spoil(files_of(write_recording(tmp_path / "good.zip"))).items():
            archive.writestr(name, content)
    store = tmp_path / "store"
    with pytest.raises(SystemExit) as end:
        main(["ingest", str(bad), "--store", str(store)])
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == ""
    assert told in said.err
    assert "Traceback" not in said.err
    with pytest.raises(SystemExit) as end:
        main(["describe", "--system", "corner-shop", "--store", str(store)])
    assert end.value.code == 2
    assert not (tmp_path / "outside.txt").exists()
    assert not (tmp_path.parent / "outside.txt").exists()
