"""Many recordings in one folder: the same for the same seed, resumed, never half, never mixed."""

import errno
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from opswm.errors import BadInputError, StoreError
from opswm.simulation import campaign
from opswm.simulation.branch import branch_one
from opswm.simulation.campaign import Campaign, write_recordings
from opswm.simulation.campaign_folder import SETTINGS_FILE
from opswm.simulation.engines import Engine
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.truth_files import read_branches
from opswm_schemas.questions import Course
from opswm_schemas.recordings import placement
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording

SMALL = Campaign(system="web_shop", context_ticks=6, candidates=3, horizon_ticks=2, most_futures=8)
QUICK = replace(SMALL, has_truth=False)
NAMES = ["web-shop-seed-7", "web-shop-seed-8"]


def written(
    wanted: Campaign, out: Path, seeds: range = range(7, 9), as_zip: bool = False, workers: int = 1
) -> list[str]:
    """Write recordings and return the names of what is in the folder then."""
    write_recordings(wanted, seeds, out, as_zip, workers, lambda done, total, what: None)
    return sorted(path.name for path in out.iterdir() if path.name != SETTINGS_FILE)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@cache
def lived_once(plan: EpisodePlan, seeds: tuple[int, ...]) -> Lived:
    """Return worlds that are lived once, however often a test writes them."""
    return live(plan, seeds)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds are taken from memory, one at a time, for tests of what is done with them."""
    engine = Engine("kernel", lambda plan, seeds: lived_once(plan, tuple(seeds)), branch_one, 1)
    monkeypatch.setattr(campaign, "engine_named", lambda name: engine)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two recordings with their truth, which no test changes."""
    out = tmp_path_factory.mktemp("campaign") / "two"
    assert written(SMALL, out) == NAMES
    before = contents(out)
    yield out
    assert contents(out) == before


def test_recordings_are_valid_and_hold_the_truth(folder: Path) -> None:
    """Validation finds nothing; each candidate has its mean cost, effect, error, tie and flag."""
    for name in NAMES:
        assert validate_recording(folder / name) == []
        with Recording.open(folder / name) as recording:
            assert recording.truth_names() == ["truth/branches.json", "truth/incident.json"]
            told: dict[str, Any] = json.loads(recording.truth("truth/branches.json"))
            assert read_branches(recording.truth("truth/branches.json"), SMALL.generator).world_seed == int(name[-1])
        courses = [Course.model_validate(entry["course"]) for entry in told["courses"]]
        waiting = [entry for entry, course in zip(told["courses"], courses, strict=True) if course.is_no_op]
        assert [entry["course"]["course_id"] for entry in waiting] == [told["no_op"]]
        assert waiting[0]["effect_bad_minutes"] == waiting[0]["effect_error"] == 0.0
        best = min(entry["cost_bad_minutes"] for entry in told["courses"])
        for entry in told["courses"]:
            gap = entry["cost_bad_minutes"] - best
            assert entry["is_tied_with_best"] == (gap <= told["noise_floor_bad_minutes"])
            assert entry["is_flagged"] == (entry["effect_error"] > told["noise_floor_bad_minutes"] / 4)
            effect = entry["cost_bad_minutes"] - waiting[0]["cost_bad_minutes"]
            assert effect == pytest.approx(entry["effect_bad_minutes"], abs=1e-5)
        assert told["is_flagged"] == any(entry["is_flagged"] for entry in told["courses"])
        assert told["num_futures"] == 8
        assert len(courses) == 3


def test_a_seed_gives_the_same_bytes_alone_and_in_company(folder: Path, tmp_path: Path) -> None:
    """What is written beside a recording changes no byte of it."""
    assert written(SMALL, tmp_path, range(8, 9)) == ["web-shop-seed-8"]
    assert contents(tmp_path / "web-shop-seed-8") == contents(folder / "web-shop-seed-8")
    assert contents(folder / "web-shop-seed-7") != contents(folder / "web-shop-seed-8")


def test_progress_is_told_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First of all how many there will be; then histories, truths and recordings as they get done."""
    engine = Engine("kernel", lambda plan, seeds: lived_once(plan, tuple(seeds)), branch_one, 2)
    monkeypatch.setattr(campaign, "engine_named", lambda name: engine)
    told: list[tuple[int, int, str]] = []
    write_recordings(SMALL, range(7, 9), tmp_path, False, 1, lambda *what: told.append(what))
    assert told == [
        (0, 2, "histories 0/2, truths 0/2"),
        (0, 2, "histories 2/2, truths 0/2"),
        (0, 2, "histories 2/2, truths 1/2"),
        (1, 2, "histories 2/2, truths 1/2"),
        (1, 2, "histories 2/2, truths 2/2"),
        (2, 2, "histories 2/2, truths 2/2"),
    ]


def test_telling_of_progress_looks_at_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand recordings are counted, not looked for each time that one more is there."""
    looks = []
    real = Path.exists

    def exists(path: Path) -> bool:
        looks.append(path)
        return real(path)

    steps: list[Counter[campaign.Step]] = [Counter({"history": 1}), Counter({"recording": 1})]
    monkeypatch.setattr(campaign, "_simulated", lambda wanted, seeds, paths: (step for _ in seeds for step in steps))
    monkeypatch.setattr(Path, "exists", exists)
    told: list[tuple[int, int, str]] = []
    write_recordings(QUICK, range(100), tmp_path, False, 1, lambda *what: told.append(what))
    assert [done for done, *_ in told] == [number // 2 for number in range(201)]
    assert told[-1] == (100, 100, "histories 100/100")
    assert sum(path.parent == tmp_path and "seed" in path.name for path in looks) == 100


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same(folder: Path, tmp_path: Path) -> None:
    """Two processes write what one writes."""
    assert written(SMALL, tmp_path, workers=2) == NAMES
    assert contents(tmp_path) == contents(folder)


@pytest.mark.usefixtures("remembered")
def test_what_is_there_is_kept_and_what_is_missing_is_added(tmp_path: Path) -> None:
    """The same command again writes nothing; a longer one only what is new, and zips stand beside folders."""
    assert written(QUICK, tmp_path, range(7, 8)) == NAMES[:1]
    stamp = (tmp_path / NAMES[0] / "manifest.json").stat().st_mtime_ns
    told: list[tuple[int, int, str]] = []
    write_recordings(QUICK, range(7, 8), tmp_path, False, 1, lambda *what: told.append(what))
    assert told == [(1, 1, "histories 1/1")]
    assert written(QUICK, tmp_path) == NAMES
    assert (tmp_path / NAMES[0] / "manifest.json").stat().st_mtime_ns == stamp
    assert written(QUICK, tmp_path, range(7, 8), as_zip=True) == [NAMES[0], f"{NAMES[0]}.zip", NAMES[1]]
    assert validate_recording(tmp_path / f"{NAMES[0]}.zip") == []


def test_other_settings_and_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    """A folder holds recordings of one kind; what differs is named, and nothing is overwritten."""
    with pytest.raises(BadInputError, match="context_ticks 6 there and 9 now"):
        written(replace(SMALL, context_ticks=9), folder)
    settings = json.loads((folder / SETTINGS_FILE).read_text())
    for name, other in (("version", settings["version"] - 1), ("software", "0.0.1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / SETTINGS_FILE).write_text(json.dumps(settings | {name: other}))
        with pytest.raises(BadInputError, match=f"other settings .{name} {other!r} there and {settings[name]!r} now"):
            written(SMALL, tmp_path / name)
        assert os.listdir(tmp_path / name) == [SETTINGS_FILE]
    (tmp_path / NAMES[0]).mkdir()
    with pytest.raises(BadInputError, match="in the way"):
        written(SMALL, tmp_path)
    (tmp_path / SETTINGS_FILE).write_text("[]")
    with pytest.raises(BadInputError, match="no settings"):
        written(SMALL, tmp_path)


@pytest.mark.usefixtures("remembered")
def test_a_recording_that_is_not_whole_any_more_is_refused(tmp_path: Path) -> None:
    """A file that was cut or came from elsewhere is noticed, and the message says what to do."""
    written(QUICK, tmp_path, range(7, 8))
    table = tmp_path / NAMES[0] / "logs.parquet"
    table.write_bytes(table.read_bytes()[:-10])
    with pytest.raises(BadInputError, match="not whole any more; remove it"):
        written(QUICK, tmp_path)
    (tmp_path / SETTINGS_FILE).unlink()
    with pytest.raises(BadInputError, match="other settings"):
        written(replace(QUICK, step_s=10), tmp_path)


@pytest.mark.parametrize(
    ("failure", "raised", "message"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (OSError(errno.ENOSPC, "No space left on device"), StoreError, "1 of 2 recordings; these are whole"),
        (OSError(errno.EIO, "Input/output error"), OSError, "Input/output"),
    ],
)
@pytest.mark.usefixtures("remembered")
def test_an_interrupt_or_a_full_disk_leaves_whole_recordings_only(
    failure: BaseException,
    raised: type[BaseException],
    message: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever stops the second recording half-way leaves the first and no trace of the second; then it goes on."""
    real = placement._sync
    calls = {"left": 3}

    def failing(folder: Path) -> None:
        calls["left"] -= 1
        if calls["left"] == 0:
            raise failure
        real(folder)

    monkeypatch.setattr(placement, "_sync", failing)
    with pytest.raises(raised, match=message):
        written(QUICK, tmp_path)
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == [SETTINGS_FILE, NAMES[0]]
    assert written(QUICK, tmp_path) == NAMES
    assert validate_recording(tmp_path / NAMES[1]) == []


def test_a_disk_that_is_full_from_the_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the settings can be written, the message is the same, and nothing stays behind."""

    def full(path: Path, *arguments: Any, **named: Any) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreError, match="no space left on the device after 0 of 2 recordings"):
        written(QUICK, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("remembered")
def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    """Half-written recordings of a process that could not clean up go; other hidden files stay."""
    half = tmp_path / f".{NAMES[0]}.{'0' * 32}.partial"
    half.mkdir()
    (half / "metrics.parquet").write_bytes(b"PAR1")
    (tmp_path / f".{NAMES[1]}.zip.{'a' * 32}.partial").write_bytes(b"PK")
    (tmp_path / ".notes.partial").write_text("mine")
    assert written(QUICK, tmp_path, range(7, 8)) == [".notes.partial", NAMES[0]]


@pytest.mark.usefixtures("remembered")
def test_two_commands_do_not_write_to_one_folder(tmp_path: Path) -> None:
    """While one command holds a folder another is told to wait."""

    def meanwhile(done: int, total: int, what: str) -> None:
        with pytest.raises(BadInputError, match="another opswm simulate"):
            written(QUICK, tmp_path)

    write_recordings(QUICK, range(7, 8), tmp_path, False, 1, meanwhile)


def test_an_engine_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for the second engine where it is absent names the other one, before anything is written."""
    monkeypatch.setitem(sys.modules, "opswm.simulation.events.episodes", None)
    with pytest.raises(BadInputError, match="use --engine kernel"):
        written(replace(QUICK, engine="events"), tmp_path / "never")
    assert not (tmp_path / "never").exists()
