"""The verb ``simulate``: whole recordings, exit codes, and messages that say what to do."""

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opswm.simulation import campaign
from opswm.simulation.branch import branch_one
from opswm.simulation.engines import Engine
from opswm.simulation.kernel.episodes import live
from opswm_api.cli import main
from opswm_schemas.recordings import placement
from opswm_schemas.recordings.validation import validate_recording


def ended(*arguments: object) -> int:
    """Run the verb and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["simulate", *(str(argument) for argument in arguments)])
    return end.value.code if isinstance(end.value.code, int) else 0


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds have a history of six ticks, which says as much about the verb as a long one."""
    engine = Engine("kernel", lambda plan, seeds: live(replace(plan, context_ticks=6), seeds), branch_one, 1)
    monkeypatch.setattr(campaign, "engine_named", lambda name: engine)


@pytest.mark.usefixtures("short")
def test_a_recording_is_written_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run writes a valid recording, the second says the same and keeps it; other settings are refused."""
    asked = ("--seed", 7, "--out", tmp_path, "--no-truth", "--json")
    assert ended(*asked) == 0
    (path,) = json.loads(capsys.readouterr().out)
    assert Path(path) == tmp_path / "web-shop-seed-7"
    assert validate_recording(path) == []
    stamp = Path(path, "manifest.json").stat().st_mtime_ns
    assert ended(*asked) == 0
    assert Path(path, "manifest.json").stat().st_mtime_ns == stamp
    capsys.readouterr()
    assert ended("--seed", 7, "--out", tmp_path, "--system", "random") == 2
    assert "system 'web_shop' there and 'random' now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--system", "shop"], "allowed are web_shop and random"),
        (["--engine", "ns3"], "allowed are kernel and events"),
        (["--system", "web_shop", "--entities", "50"], "use --system random"),
        (["--entities", "2"], "--entities"),
        (["--episodes", "0"], "--episodes"),
        (["--seed", "-1"], "--seed"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the allowed values, and nothing written."""
    assert ended("--out", tmp_path / "never", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


@pytest.mark.usefixtures("short")
def test_a_full_disk_and_an_interrupt_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk ends with 2, an interrupt with 130; both say that the same command goes on."""

    def full(path: Path, files: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(placement, "_write_folder", full)
    assert ended("--out", tmp_path, "--no-truth") == 2
    assert "no space left on the device after 0 of 1 recordings" in capsys.readouterr().err

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "write_recordings", interrupted)
    assert ended("--out", tmp_path, "--no-truth") == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_asking_for_help_loads_no_torch() -> None:
    """The verb's options can be read on a machine without torch."""
    code = (
        "import sys\nfrom opswm_api.cli import main\ntry:\n    main(['simulate', '--help'])\n"
        "except SystemExit:\n    sys.exit('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert "--entities" in shown.stdout
