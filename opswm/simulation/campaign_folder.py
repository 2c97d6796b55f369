"""The folder of many recordings: it remembers what they are, belongs to one command at a time, and holds no halves."""

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from opswm.errors import BadInputError
from opswm_schemas.recordings.archive import ArchiveLimits, open_files
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording

SETTINGS_FILE: Final = ".simulate.json"


def is_there(path: Path, origin: str) -> bool:
    """Return whether the recording is there already, whole.

    Args:
        path: Of the recording.
        origin: What its manifest must say about where it came from.

    Raises:
        BadInputError: When something else is in its place.
    """
    if not path.exists():
        return False
    try:
        with Recording.open(path) as recording:
            manifest = recording.manifest
        files = open_files(path, ArchiveLimits())
        sizes = {name: files.size_bytes(name) for name in files.names()}
        files.close()
    except (RecordingError, zipfile.BadZipFile) as problem:
        raise BadInputError(f"{path} is in the way and is no recording ({problem}); remove it") from problem
    if manifest.origin != origin:
        raise BadInputError(f"{path} is a recording of other settings; choose another folder, or remove it")
    stated: dict[str, int] = {str(entry.path): entry.size_bytes for entry in manifest.files}
    stated |= {entry.path: entry.size_bytes for entry in manifest.truth}
    if any(sizes.get(name) != size_bytes for name, size_bytes in stated.items()):
        raise BadInputError(f"{path} is not whole any more; remove it, and it is simulated again")
    return True


@contextmanager
def claimed(out: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Hold the folder, which is made and given its settings where it is new.

    Args:
        out: The folder.
        identity: Everything that makes its recordings what they are.

    Raises:
        BadInputError: When it has other settings, or another process holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / SETTINGS_FILE
    with _locked(out):
        if file.exists():
            _compare(file, identity)
        else:
            partial = out / f"{SETTINGS_FILE}.partial"
            try:
                partial.write_text(json.dumps(dict(identity), indent=1, sort_keys=True) + "\n", encoding="utf-8")
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)
        sweep(out)
        yield


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # not on every platform; two commands at once are then not told apart
        yield
        return
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise BadInputError(f"{out} is being written to by another opswm simulate; wait until it ends") from problem
        yield
    finally:
        os.close(descriptor)


def _compare(file: Path, wanted: Mapping[str, Any]) -> None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as problem:
        raise BadInputError(f"{file} cannot be read ({problem}); choose another folder") from problem
    if not isinstance(found, dict):
        raise BadInputError(f"{file} holds no settings; choose another folder")
    differing = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if differing:
        told = ", ".join(f"{name} {found.get(name)!r} there and {wanted.get(name)!r} now" for name in differing)
        raise BadInputError(f"{file.parent} holds recordings of other settings ({told}); choose another --out")


def sweep(out: Path) -> None:
    """Remove what a process that was killed left half-written.

    Args:
        out: The folder.
    """
    for path in out.glob(".*.partial"):
        if re.fullmatch(r"\..+-seed-\d+(\.zip)?\.[0-9a-f]{32}\.partial", path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
