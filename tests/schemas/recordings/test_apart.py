"""A recording validated in a process of its own cannot take the service with it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opswm_schemas.columns import METRICS
from opswm_schemas.examples import system
from opswm_schemas.recordings.apart import main, validate_apart
from opswm_schemas.recordings.archive import ArchiveLimits

GIB = 1 << 30


def test_it_finds_what_validation_finds(spoiler: Any) -> None:
    """The same problems come back from the other process, with the same limits."""
    assert validate_apart(spoiler.folder) == []
    spoiler.rows("metrics.parquet", lambda rows: rows[5].update(value=float("nan")))
    (spoiler.folder / "extra.txt").write_text("")
    assert validate_apart(spoiler.folder) == spoiler.problems()
    (found,) = validate_apart(spoiler.folder, ArchiveLimits(num_files=2))
    assert "limit is 2" in found.what


def test_a_table_that_unfolds_into_all_memory_is_a_problem(spoiler: Any) -> None:
    """A small file whose one histogram unfolds to hundreds of megabytes ends at most the other process."""
    buckets = 48_000_000
    counts = pa.ListArray.from_arrays(pa.array([0, buckets], pa.int32()), pa.array(np.zeros(buckets)))
    instant = pa.array([system.START], pa.timestamp("us", tz="UTC"))
    columns = {"channel_id": pa.array(["checkout.latency"]), "event_at": instant, "known_at": instant, "counts": counts}
    columns |= {"histogram_scale": pa.array([1], pa.int32()), "zero_count": pa.array([0.0])}
    table = pa.table({field.name: columns.get(field.name, pa.nulls(1, field.type)) for field in METRICS})
    spoiler.table("metrics.parquet", lambda _: table)
    del columns, counts, table
    assert (spoiler.folder / "metrics.parquet").stat().st_size < 1 << 20
    (found,) = validate_apart(spoiler.folder, memory_bytes=GIB)
    # Which it is depends on the allocation that meets the limit: Arrow reports some of them and aborts on others.
    assert "ended the process" in found.what or "alloc" in found.what


def test_a_recording_that_takes_too_long_is_a_problem(recording: Path) -> None:
    """A validation that does not end in time is ended."""
    (found,) = validate_apart(recording, timeout_s=0.01)
    assert "took longer than 0.01 s" in found.what


def test_a_process_that_ends_is_a_problem(recording: Path) -> None:
    """When the other process cannot even start under its memory limit, that is a problem of the recording."""
    (found,) = validate_apart(recording, memory_bytes=64 << 20)
    assert "ended the process" in found.what


def test_the_other_process_prints_a_problem_a_line(spoiler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What the other process prints is one JSON problem a line."""
    (spoiler.folder / "extra.txt").write_text("")
    limits = {
        "total_bytes": GIB,
        "file_bytes": GIB,
        "ratio": 200.0,
        "num_files": 100,
        "num_rows": 10,
        "text_bytes": 100,
    }
    assert main([json.dumps({"path": str(spoiler.folder), "limits": limits, "memory_bytes": 1 << 60})]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["file"] == "extra.txt"
