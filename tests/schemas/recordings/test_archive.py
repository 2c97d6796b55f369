"""A recording from anywhere: unsafe names and sizes are refused before, and again while, anything is read."""

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from opswm_schemas.recordings.archive import ArchiveLimits, open_files, read_bytes
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording

MIB = 1 << 20


def make_zip(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """Write a zip with these members, names as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def reasons(path: Path, limits: ArchiveLimits | None = None) -> str:
    """Return why a recording cannot be opened; validating it must say the same."""
    with pytest.raises(RecordingError) as refusal:
        open_files(path, limits or ArchiveLimits())
    assert validate_recording(path, limits) == list(refusal.value.problems)
    return str(refusal.value)


@pytest.mark.parametrize(
    "name",
    ["../manifest.json", "truth/../../x", "/etc/passwd", "a\\b", "C:/x", "./x", "a//b", "x\ny", "~/x", "a/..", "ü.txt"],
)
def test_names_outside_the_recording_are_refused(tmp_path: Path, name: str) -> None:
    """Absolute paths, parents, backslashes and other names that mean something to a file system are refused."""
    path = make_zip(tmp_path / "r.zip", [("manifest.json", b"{}"), (name, b"x")])
    assert "is no plain relative name" in reasons(path)


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    """A member that is a symbolic link is refused."""
    link = zipfile.ZipInfo("metrics.parquet")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "is a link" in reasons(make_zip(tmp_path / "r.zip", [(link, b"/etc/passwd")]))


@pytest.mark.parametrize("target", ["/etc/hostname", "descriptor.json"])
def test_links_in_a_folder_are_refused(recording: Path, target: str) -> None:
    """A link in a folder is refused, wherever it points."""
    (recording / "logs.parquet").unlink()
    (recording / "logs.parquet").symlink_to(target)
    assert "logs.parquet: is a link" in reasons(recording)


def test_linked_folders_are_refused(recording: Path, tmp_path: Path) -> None:
    """A folder that is a link is refused too."""
    (tmp_path / "elsewhere").mkdir()
    (recording / "more").symlink_to(tmp_path / "elsewhere")
    assert "more: is a link" in reasons(recording)


def test_special_files_are_refused(recording: Path) -> None:
    """A pipe in a folder is refused rather than waited for."""
    os.mkfifo(recording / "pipe")
    assert "pipe: is a link or special file" in reasons(recording)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("second", ["manifest.json", "Manifest.JSON"])
def test_names_twice_are_refused(tmp_path: Path, second: str) -> None:
    """A name that is there twice, by letter or by case, is refused: readers would disagree which one counts."""
    assert "is there twice" in reasons(make_zip(tmp_path / "r.zip", [("manifest.json", b"{}"), (second, b"{}")]))


def test_bombs_are_refused_unread(tmp_path: Path) -> None:
    """A member that inflates a thousandfold is refused by what the zip states."""
    path = make_zip(tmp_path / "r.zip", [("manifest.json", b"{}"), ("metrics.parquet", bytes(8 * MIB))])
    assert path.stat().st_size < MIB // 32
    assert "fold, the limit is 200" in reasons(path)


def test_bombs_that_lie_are_refused_while_inflating(tmp_path: Path) -> None:
    """A member that states a small size and inflates to a large one is refused after the stated size."""
    path = make_zip(tmp_path / "r.zip", [("manifest.json", bytes(3 * MIB))])
    stated = struct.pack("<L", 3 * MIB)
    path.write_bytes(path.read_bytes().replace(stated, struct.pack("<L", 2_000)))
    files = open_files(path, ArchiveLimits())
    try:
        assert files.size_bytes("manifest.json") == 2_000
        with pytest.raises(RecordingError, match=r"manifest\.json"):
            read_bytes(files, "manifest.json")
    finally:
        files.close()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ArchiveLimits(file_bytes=1_000), "bytes, the limit is 1000"),
        (ArchiveLimits(total_bytes=5_000), "bytes, the limit is 5000"),
        (ArchiveLimits(num_files=3), "has 8 files, the limit is 3"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_sizes_are_limited(recording: Path, limits: ArchiveLimits, reason: str, form: str) -> None:
    """A file, the whole and the number of files have limits, in a folder as in a zip."""
    path = recording
    if form == "zip":
        names = sorted(file for file in recording.rglob("*") if file.is_file())
        members: list[tuple[str | zipfile.ZipInfo, bytes]] = [
            (name.relative_to(recording).as_posix(), name.read_bytes()) for name in names
        ]
        path = make_zip(recording.with_name("r.zip"), members)
    assert reason in reasons(path, limits)


def test_a_file_that_grows_is_stopped(recording: Path) -> None:
    """A file that grew past the limit after it was listed is not read past it."""
    files = open_files(recording, ArchiveLimits(file_bytes=50_000))
    (recording / "events.jsonl").write_bytes(bytes(60_000))
    with pytest.raises(RecordingError, match="larger than stated"):
        read_bytes(files, "events.jsonl")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no zip is refused as such."""
    (tmp_path / "r.zip").write_bytes(content)
    assert "neither a folder nor a readable zip" in reasons(tmp_path / "r.zip")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path that does not exist is refused with what to give."""
    assert "does not exist; give the path of a recording folder or zip" in reasons(tmp_path / "nowhere")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    """A zip with a password is refused before it is asked for."""
    path = make_zip(tmp_path / "r.zip", [("manifest.json", b"{}")])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 0x1
    path.write_bytes(content)
    assert "is encrypted" in reasons(path)


def test_other_zip_methods_are_refused(tmp_path: Path) -> None:
    """Methods other than store and deflate, whose inflation is harder to bound, are refused."""
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("manifest.json", b"{}" * 100)
    assert "uses zip method 14" in reasons(tmp_path / "r.zip")


def test_damaged_members_are_refused(recording: Path) -> None:
    """A member whose bytes were damaged in the zip is refused when it is read, and the zip is closed."""
    path = make_zip(recording.with_name("r.zip"), [("manifest.json", (recording / "manifest.json").read_bytes())])
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"manifest\.json: cannot be read from the zip"):
        Recording.open(path)
