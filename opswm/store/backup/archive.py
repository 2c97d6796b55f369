"""The archive of a backup: a zip whose every file is held against the digest in its manifest."""

import hashlib
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from opswm.errors import BadInputError
from opswm.store.backup.manifest import MANIFEST, Manifest, Member

_CHUNK: Final = 1 << 20
_MANIFEST_BYTES: Final = 256 << 20
_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


class ArchiveWriter:
    """Writes the files of a backup, remembering the digest of each.

    Args:
        file: Where to; it must not be there yet.
    """

    def __init__(self, file: Path) -> None:
        self._zip = zipfile.ZipFile(file, "x", allowZip64=True)
        self.members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes], *, compress: bool) -> int:
        """Add a file and return how many chunks it was made of."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        digest, size, count = hashlib.sha256(), 0, 0
        with self._zip.open(info, "w", force_zip64=True) as target:
            for chunk in chunks:
                target.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                count += 1
        self.members.append(Member(name=name, size_bytes=size, sha256=digest.hexdigest()))
        return count

    def add_file(self, name: str, file: Path, *, compress: bool = False) -> None:
        """Add a file from disk."""
        with file.open("rb") as source:
            self.add(name, iter(lambda: source.read(_CHUNK), b""), compress=compress)

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest and close the archive."""
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1), zipfile.ZIP_DEFLATED)
        self._zip.close()

    def abandon(self) -> None:
        """Close the archive as it is."""
        self._zip.close()


class Archive:
    """An archive that was opened: it has a manifest, and exactly the files that stand there."""

    def __init__(self, file: Path, zipped: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self._zip = zipped
        self.manifest = manifest

    def verify(self) -> None:
        """Read every file and compare it with its digest.

        Raises:
            BadInputError: When one is not what the manifest says.
        """
        for member in self.manifest.members:
            for _ in self._chunks(member):
                pass

    def unpack(self, member: Member, folder: Path) -> Path:
        """Write a file below a folder, verified, and return where it is."""
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in self._chunks(member):
                file.write(chunk)
        return target

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file that was verified before."""
        with self._zip.open(name) as file:
            yield from file

    def _chunks(self, member: Member) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(member.name) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    if size > member.size_bytes:
                        break
                    yield chunk
        except _BROKEN as problem:
            raise self._damaged(f"{member.name} cannot be read: {problem}") from problem
        if size != member.size_bytes or digest.hexdigest() != member.sha256:
            raise self._damaged(f"{member.name} is not what was written")

    def _damaged(self, why: str) -> BadInputError:
        return BadInputError(f"the backup {self._file} is damaged: {why}; take another copy of it")


@contextmanager
def opened(file: Path) -> Iterator[Archive]:
    """Open an archive; nothing in it but its manifest is read yet.

    Raises:
        BadInputError: When it is not a whole backup of opswm.
    """
    if not file.is_file():
        raise BadInputError(f"there is no file {file}; name an archive that 'opswm backup' wrote")
    try:
        zipped = zipfile.ZipFile(file)
    except _BROKEN as problem:
        raise BadInputError(f"{file} is no backup of opswm, or was cut short: {problem}") from problem
    with zipped:
        yield Archive(file, zipped, _manifest(file, zipped))


def free_bytes(folder: Path) -> int:
    """Return how much room there is on the disk of a folder that is there."""
    return shutil.disk_usage(folder).free


def _manifest(file: Path, zipped: zipfile.ZipFile) -> Manifest:
    names = [info.filename for info in zipped.infolist()]
    if MANIFEST not in names:
        raise BadInputError(f"{file} is no backup of opswm: it has no {MANIFEST}")
    try:
        with zipped.open(MANIFEST) as source:
            text = source.read(_MANIFEST_BYTES + 1)
        if len(text) > _MANIFEST_BYTES:
            raise ValueError(f"{MANIFEST} is larger than {_MANIFEST_BYTES} bytes")
        manifest = Manifest.model_validate_json(text)
    except ValidationError as problem:
        what = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in problem.errors()[:3])
        raise BadInputError(
            f"{file} is no backup this software reads ({what}); restore it with the opswm that wrote it"
        ) from problem
    except _BROKEN as problem:
        raise BadInputError(f"{file} is no backup of opswm, or is damaged: {problem}") from problem
    expected = [member.name for member in manifest.members]
    strange = [member.name for member in manifest.members if not member.is_in_place]
    if strange or sorted([*expected, MANIFEST]) != sorted(names) or len(set(names)) != len(names):
        raise BadInputError(
            f"{file} does not hold the files that its manifest lists, such as {(strange or names)[:3]}: it was changed "
            "or damaged; take another copy of it"
        )
    return manifest
