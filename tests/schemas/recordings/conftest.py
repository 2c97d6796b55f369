"""A valid recording of the example system, and how to spoil it in one place with all checksums kept right."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opswm_schemas.examples import system
from opswm_schemas.recordings.problem import Problem
from opswm_schemas.recordings.validation import validate_recording
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.telemetry import MetricPoint

NUM_POINTS = 5


def write_example(path: Path) -> Path:
    """Write a recording with every kind of content and return its path."""
    since, until, created_at = system.after(-60), system.after(600), system.after(700)
    with RecordingWriter(
        path, system.descriptor(), "incident-3", since=since, until=until, created_at=created_at
    ) as writer:
        writer.add_metrics(
            MetricPoint.observed(system.after(15.0 * step), channel_id="checkout.requests", value=100.0 * step)
            for step in range(NUM_POINTS)
        )
        writer.add_metrics([system.native_metric_point(), system.metric_point()])
        writer.add_logs([system.log_record()])
        writer.add_spans([system.span()])
        writer.add_events([system.event()])
        writer.add_actions([system.action()])
        writer.add_truth("branches.json", b'{"effect": -2.5}')
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The folder of a valid recording."""
    return write_example(tmp_path / "incident-3")


class Spoiler:
    """Changes files of a recording; the manifest is made to agree unless the test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rewrite(self, name: str, content: bytes, rows: int | None = None) -> None:
        """Replace a file's bytes and what the manifest says about them."""
        (self.folder / name).write_bytes(content)
        document = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        for entry in [*document["files"], *document["truth"]]:
            if entry["path"] == name:
                entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
                if rows is not None:
                    entry["rows"] = rows
        self.manifest(**document)

    def manifest(self, **changes: Any) -> None:
        """Set fields of the manifest."""
        path = self.folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")

    def table(self, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
        """Replace a table by a changed one."""
        table = change(pq.read_table(self.folder / name))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self.rewrite(name, bytes(sink.getvalue()), table.num_rows)

    def rows(self, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Change the rows of a table in place, whatever the contract says about them."""
        table = pq.read_table(self.folder / name)
        rows = table.to_pylist()
        change(rows)
        schema = pa.schema([field.with_nullable(True) for field in table.schema])
        self.table(name, lambda _: pa.Table.from_pylist(rows, schema=schema))

    def document(self, name: str, change: Callable[[Any], Any]) -> None:
        """Change a JSON document in place."""
        document = json.loads((self.folder / name).read_text(encoding="utf-8"))
        change(document)
        self.rewrite(name, json.dumps(document).encode())

    def lines(self, name: str, *lines: Any) -> None:
        """Replace a JSON Lines file; text stands as it is, anything else is written as JSON."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.rewrite(name, "".join(f"{text}\n" for text in texts).encode(), len(texts))

    def problems(self) -> list[Problem]:
        """Return what is wrong with the recording now."""
        return validate_recording(self.folder)

    def only_problem(self) -> Problem:
        """Return the one problem that the recording has now."""
        problems = self.problems()
        assert len(problems) == 1, [str(problem) for problem in problems]
        return problems[0]


@pytest.fixture
def spoiler(recording: Path) -> Spoiler:
    """A valid recording, ready to be spoiled."""
    return Spoiler(recording)
