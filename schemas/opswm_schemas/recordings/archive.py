"""The files of a recording, from a folder or in place from a zip, within limits and never outside of it.

A recording may come by mail from anywhere, so names are checked before anything is opened (no absolute
paths, no ``..``, no links, no name twice) and sizes are checked twice: as the zip states them, and again
while inflating, because what a zip states may be untrue.
"""

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from opswm_schemas.recordings.manifest import MANIFEST_FILE
from opswm_schemas.recordings.problem import Problem, RecordingError, refuse

_CHUNK_BYTES: Final = 1 << 20
_SAFE_NAME: Final = re.compile(r"^[A-Za-z0-9_. -]+(/[A-Za-z0-9_. -]+)*$")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1


@dataclass(frozen=True)
class ArchiveLimits:
    """How large a recording may be before it is refused unread.

    Attributes:
        total_bytes: All files together, inflated.
        file_bytes: One file, inflated.
        ratio: Inflated over compressed size of one member; telemetry that is Parquet already hardly shrinks.
        num_files: Files in the recording.
        num_rows: Rows that one Parquet table announces.
        text_bytes: One text in a Parquet table; far beyond what a log line may have.
    """

    total_bytes: int = 8 << 30
    file_bytes: int = 4 << 30
    ratio: float = 200.0
    num_files: int = 2_000
    num_rows: int = 100_000_000
    text_bytes: int = 1 << 20


class RecordingFiles(Protocol):
    """Read access to the files of one recording by their names inside it."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        ...

    def size_bytes(self, name: str) -> int:
        """Return the size that the folder or zip states for a file."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file piece by piece, refusing to go past the limits."""
        ...

    def close(self) -> None:
        """Release what is held open."""
        ...


def read_bytes(files: RecordingFiles, name: str) -> bytes:
    """Return the whole content of one file.

    Raises:
        RecordingError: When it is not there or past the limits.
    """
    return b"".join(files.chunks(name))


def open_files(path: Path, limits: ArchiveLimits) -> RecordingFiles:
    """Open a recording folder or zip after checking the names and stated sizes of all its files.

    Raises:
        RecordingError: When it does not exist, is neither folder nor zip, or has unsafe names or sizes.
    """
    if path.is_dir():
        return _Folder(path, limits)
    if path.is_file():
        return _Zip(path, limits)
    raise refuse("", f"{path} does not exist", "give the path of a recording folder or zip")


class _Folder:
    """The files of an unpacked recording."""

    def __init__(self, root: Path, limits: ArchiveLimits) -> None:
        self._root = root
        self._limits = limits
        self._sizes: dict[str, int] = {}
        problems: list[Problem] = []
        for folder, folders, files in os.walk(root):
            for name in [*folders, *files]:
                path = Path(folder, name)
                inside = path.relative_to(root).as_posix()
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    self._sizes[inside] = path.lstat().st_size
                elif not stat.S_ISDIR(mode):
                    problems.append(_problem(inside, "is a link or special file", "put the file itself there"))
        problems += _size_problems(self._sizes, limits)
        if problems:
            raise RecordingError(problems)

    def names(self) -> list[str]:
        return sorted(self._sizes)

    def size_bytes(self, name: str) -> int:
        return self._sizes[name]

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self._sizes:
            raise _missing(name)
        read = 0
        descriptor = os.open(self._root / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                read += len(chunk)
                if read > self._limits.file_bytes:
                    raise _too_large(name, self._limits.file_bytes)
                yield chunk

    def close(self) -> None:
        """Nothing is held open between reads."""


class _Zip:
    """The files of a zipped recording, read in place; one enclosing folder is looked through."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self._limits = limits
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as problem:
            what = f"{path.name} is neither a folder nor a readable zip ({problem})"
            raise refuse("", what, "zip the folder again") from problem
        try:
            members = [member for member in self._zip.infolist() if not member.is_dir()]
            problems = [found for member in members for found in _member_problems(member, limits)]
            problems += _repeated_names(members)
            problems += _size_problems({member.filename: member.file_size for member in members}, limits)
            if problems:
                raise RecordingError(problems)
        except BaseException:
            self._zip.close()
            raise
        prefix = _enclosing_folder(members)
        self._members = {member.filename.removeprefix(prefix): member for member in members}

    def names(self) -> list[str]:
        return sorted(self._members)

    def size_bytes(self, name: str) -> int:
        return self._members[name].file_size

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self._members:
            raise _missing(name)
        member = self._members[name]
        read = 0
        try:
            with self._zip.open(member) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    read += len(chunk)
                    if read > min(self._limits.file_bytes, max(member.file_size, 1)):
                        raise _too_large(name, self._limits.file_bytes)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
            raise refuse(name, f"cannot be read from the zip ({problem})", "zip the folder again") from problem

    def close(self) -> None:
        self._zip.close()


_NEVER_EMPTY: Final = (MANIFEST_FILE, "descriptor.json")


def _problem(name: str, what: str, fix: str) -> Problem:
    return Problem(file=name[:400], what=what, fix=fix)


def _missing(name: str) -> RecordingError:
    fix = "name the recording's own folder or zip, or record or export it again"
    return refuse(name, "is missing", fix if name in _NEVER_EMPTY else f"{fix}, or add an empty file of that kind")


def _too_large(name: str, limit: int) -> RecordingError:
    return refuse(name, f"is larger than stated or than the limit of {limit} bytes", "split the recording by time")


def _size_problems(sizes: dict[str, int], limits: ArchiveLimits) -> list[Problem]:
    problems = [
        _problem(name, f"has {size} bytes, the limit is {limits.file_bytes}", "split the recording by time")
        for name, size in sizes.items()
        if size > limits.file_bytes
    ]
    if len(sizes) > limits.num_files:
        what = f"has {len(sizes)} files, the limit is {limits.num_files}"
        problems.append(_problem("", what, "leave out what is no part of it"))
    total = sum(sizes.values())
    if total > limits.total_bytes:
        problems.append(_problem("", f"holds {total} bytes, the limit is {limits.total_bytes}", "split it by time"))
    return problems


def _member_problems(member: zipfile.ZipInfo, limits: ArchiveLimits) -> Iterator[Problem]:
    name = member.filename
    fix = "zip the recording folder itself, with plain relative names"
    if not _SAFE_NAME.match(name) or ".." in name.split("/") or "." in name.split("/"):
        yield _problem(repr(name), "is no plain relative name inside the recording", fix)
    if stat.S_ISLNK(member.external_attr >> 16):
        yield _problem(name, "is a link", fix)
    if member.flag_bits & _ENCRYPTED:
        yield _problem(name, "is encrypted", "zip it without a password")
    if member.compress_type not in _METHODS:
        yield _problem(name, f"uses zip method {member.compress_type}", "use deflate or store")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > _CHUNK_BYTES and ratio > limits.ratio:
        yield _problem(name, f"inflates {ratio:.0f} fold, the limit is {limits.ratio:g}", fix)


def _repeated_names(members: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    seen: set[str] = set()
    for member in members:
        folded = member.filename.casefold()
        if folded in seen:
            yield _problem(member.filename, "is there twice", "zip the recording folder again")
        seen.add(folded)


def _enclosing_folder(members: list[zipfile.ZipInfo]) -> str:
    manifests = [member.filename for member in members if member.filename.split("/")[-1] == MANIFEST_FILE]
    if len(manifests) != 1 or manifests[0].count("/") != 1:
        return ""
    prefix = manifests[0].removesuffix(MANIFEST_FILE)
    return prefix if all(member.filename.startswith(prefix) for member in members) else ""
