"""Folders whose names are on disk."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, and wait until their names are on disk.

    Raises:
        OSError: When one cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk.

    Raises:
        OSError: When they cannot be.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
