"""Putting a recording in place in one step: written beside, synced, read back and validated, then renamed."""

import os
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.validation import validate_recording

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Every member carries this time, so that the same content gives the same bytes."""


def place(path: Path, files: Mapping[str, bytes]) -> None:
    """Put a recording at ``path``, whole and valid or not at all.

    Args:
        path: Where it will be; a zip where it ends in ``.zip``, a folder otherwise.
        files: Content by name inside the recording, the manifest among them.

    Raises:
        FileExistsError: When something is at ``path`` already.
        RecordingError: When what was written does not validate.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex}.partial"
    try:
        if path.suffix == ".zip":
            _write_zip(partial, files)
        else:
            _write_folder(partial, files)
        errors = [problem for problem in validate_recording(partial) if problem.severity == "error"]
        if errors:
            raise RecordingError(errors)
        if path.exists():
            raise FileExistsError(f"{path} appeared while it was being written")
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True) if partial.is_dir() else partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    _sync(folder)


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, zipfile.ZIP_DEFLATED)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
