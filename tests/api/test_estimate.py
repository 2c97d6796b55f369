"""``opswm estimate``: of a descriptor, a recording or a stored system."""

import json
from pathlib import Path
from typing import Any

import pytest

from opswm_api.cli import main
from tests.api.system import descriptor_document, write_recording


@pytest.fixture
def estimate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the verb; gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: object, verb: str = "estimate") -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main([verb, *(str(argument) for argument in arguments)])
        told = capsys.readouterr()
        return end.value.code, told.out, told.err

    return run


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A descriptor in a file: ten channels, a reading every five seconds."""
    file = tmp_path / "system.json"
    file.write_text(json.dumps(descriptor_document()))
    return file


def test_a_descriptor_is_estimated(estimate: Any, document: Path) -> None:
    """Disk, memory and queries are told in a table, and the same numbers as JSON with what was assumed."""
    code, out, err = estimate(document, "--retention", "7")
    assert (code, err) == (0, "")
    assert all(
        word in out for word in ("Corner shop: 10 channels", "readings per s", "points per decision", "as usual")
    )
    code, out, _ = estimate(document, "--retention", "7", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["given"] | {"retention_days": 7.0, "context_ticks": 128} == told["given"]
    assert told["estimate"]["readings_per_s"] == pytest.approx(2.0)
    assert told["estimate"]["upstream_points_per_decision"] == 1_280
    assert told["bytes_per_reading"]["is_measured_here"] is False


def test_recordings_are_weighed_and_stored_systems_found(estimate: Any, tmp_path: Path) -> None:
    """A recording's own readings are written and weighed; a stored system is estimated as its descriptor is."""
    night = write_recording(tmp_path / "night")
    told = json.loads(estimate(night, "--step", "10", "--json")[1])
    assert told["bytes_per_reading"]["is_measured_here"] is True
    assert told["bytes_per_reading"]["table_number"] > 4.0  # four hundred readings fill no block
    assert told["estimate"]["readings_per_s"] == pytest.approx(1.0)
    assert "measured in this recording" in estimate(night)[1]
    assert estimate(night, "--store", tmp_path / "store", verb="ingest")[0] == 0
    stored = json.loads(estimate("--system", "corner-shop", "--store", tmp_path / "store", "--json")[1])
    assert stored["estimate"]["num_numbers"] == 10


def test_bad_input_ends_with_2(estimate: Any, document: Path, tmp_path: Path) -> None:
    """Neither or both of file and system, no descriptor, and no recording are refused with what is allowed."""
    for arguments in ((), (document, "--system", "corner-shop"), (tmp_path / "none.json",), (tmp_path,)):
        code, out, err = estimate(*arguments)
        assert (code, out) == (2, "")
        assert "Traceback" not in err
    document.write_text('{"system_id": 5}')
    assert "#/" in estimate(document)[2]
    assert estimate(document, "--retention", "0")[0] == 2
