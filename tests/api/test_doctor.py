"""``opswm doctor``: what is told of a store, on the console and to programs, and with which exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from opswm.store.layout import LEDGER_FILE, LOG_FILE
from opswm_api.cli import main
from tests.core.store.inspection.stores import whole_store


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the verb; gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["doctor", *(str(argument) for argument in arguments)])
        told = capsys.readouterr()
        return end.value.code, told.out, told.err

    return run


def test_a_whole_store_ends_with_0(doctor: Any, tmp_path: Path) -> None:
    """Facts and a last line that says it is fine; as JSON the same, with every fact by name."""
    store = whole_store(tmp_path / "store")
    code, out, err = doctor("--store", store)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"{store}: fine"
    assert "table readings      2,160" in out
    code, out, _ = doctor("--store", store, "--quick", "--json")
    told = json.loads(out)
    assert (code, told["status"], told["findings"]) == (0, "fine", [])
    assert told["facts"]["verified_version"] == 3


def test_warnings_end_with_0_and_say_what_to_do(doctor: Any, tmp_path: Path) -> None:
    """A table behind its log is told with where, what and what to do; nothing is damaged."""
    store = whole_store(tmp_path / "store", num_filled=2)
    code, out, _ = doctor("--store", store)
    assert code == 0
    assert f"warning  lag    {store / LOG_FILE}: 1 of 3 batches" in out
    assert "nothing is lost" in out
    assert out.splitlines()[-1] == f"{store}: warnings"


def test_damage_ends_with_4(doctor: Any, tmp_path: Path) -> None:
    """Damage is told first, and the exit code is one of its own."""
    store = whole_store(tmp_path / "store", num_filled=2)
    (store / LEDGER_FILE).write_bytes(b"[red]" * 100)
    code, out, _ = doctor("--store", store)
    assert code == 4
    assert out.startswith("damage   ledger ")
    code, out, _ = doctor("--store", store, "--json")
    assert (code, json.loads(out)["status"]) == (4, "damaged")
    assert [finding["check"] for finding in json.loads(out)["findings"]] == ["ledger", "lag"]


def test_no_store_ends_with_2(doctor: Any, tmp_path: Path) -> None:
    """A folder without a store, and hours that are none, are refused with what to do."""
    code, out, err = doctor("--store", tmp_path)
    assert (code, out) == (2, "")
    assert "there is no store in" in err
    assert doctor("--store", tmp_path, "--hours", "0")[0] == 2
