"""Reading a recording, folder or zip alike, one part at a time; each part is checked against its checksum."""

import hashlib
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.recordings.archive import ArchiveLimits, RecordingFiles, open_files, read_bytes
from opswm_schemas.recordings.documents import Record, decode_document, decode_lines
from opswm_schemas.recordings.manifest import (
    ACTIONS_FILE,
    DESCRIPTOR_FILE,
    EVENTS_FILE,
    MANIFEST_FILE,
    TABLE_FILES,
    Manifest,
)
from opswm_schemas.recordings.problem import RecordingError, refuse
from opswm_schemas.recordings.tables import decode_table
from opswm_schemas.telemetry import Event


class Recording:
    """One recording, open for reading; use it as a context manager or call ``close``.

    Opening reads the manifest alone. Each part is read when asked for, after its bytes were found to be those
    the manifest lists. Truth is read only by name through ``truth``.

    Attributes:
        path: The folder or zip it was opened from.
        manifest: What it says about itself.
    """

    def __init__(self, path: Path, files: RecordingFiles, limits: ArchiveLimits) -> None:
        self.path = path
        self._files = files
        self._limits = limits
        self.manifest = self._document(MANIFEST_FILE, Manifest)

    @classmethod
    def open(cls, path: Path | str, limits: ArchiveLimits | None = None) -> Self:
        """Open a recording folder or zip.

        Args:
            path: Where it is.
            limits: How large it may be.

        Raises:
            RecordingError: When it is not there, unsafe to open, or its manifest cannot be read.
        """
        limits = limits or ArchiveLimits()
        files = open_files(Path(path), limits)
        try:
            return cls(Path(path), files, limits)
        except BaseException:
            files.close()
            raise

    @cached_property
    def descriptor(self) -> SystemDescriptor:
        """The system the recording is of."""
        return self._document(DESCRIPTOR_FILE, SystemDescriptor)

    def metrics(self) -> pa.Table:
        """Return all metric points with the columns of ``columns.METRICS``, ordered by channel and time."""
        return self._table("metrics")

    def logs(self) -> pa.Table:
        """Return all log records with the columns of ``columns.LOGS``, ordered by entity and time."""
        return self._table("logs")

    def spans(self) -> pa.Table:
        """Return all spans with the columns of ``columns.SPANS``, ordered by time."""
        return self._table("spans")

    def events(self) -> list[Event]:
        """Return all events in the order they became known."""
        return self._lines(EVENTS_FILE, Event)

    def actions(self) -> list[Action]:
        """Return all actions, with every fact about them that the recording knows."""
        return self._lines(ACTIONS_FILE, Action)

    def truth_names(self) -> list[str]:
        """Return the names of the simulated truth files, such as ``truth/branches.parquet``."""
        return sorted(entry.path for entry in self.manifest.truth)

    def truth(self, name: str) -> bytes:
        """Return the bytes of one truth file.

        Raises:
            RecordingError: When the manifest lists no such file, or its bytes are not those it lists.
        """
        for entry in self.manifest.truth:
            if entry.path == name:
                return self._verified(name, entry.sha256)
        raise refuse(name, "is no truth file of this recording", f"it has: {', '.join(self.truth_names()) or 'none'}")

    def close(self) -> None:
        """Release the zip, if it is one."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verified(self, name: str, sha256: str) -> bytes:
        content = read_bytes(self._files, name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise refuse(name, "has another checksum than the manifest lists", "copy or export the recording again")
        return content

    def _content(self, name: str) -> bytes:
        entry = self.manifest.entry(name)
        if entry is None:
            raise refuse(MANIFEST_FILE, f"does not list {name}", "export the recording again", field="files")
        return self._verified(name, entry.sha256)

    def _document(self, name: str, kind: type[Record]) -> Record:
        content = read_bytes(self._files, name) if name == MANIFEST_FILE else self._content(name)
        document, problems = decode_document(name, content, kind)
        if document is None:
            raise RecordingError(problems)
        return document

    def _lines(self, name: str, kind: type[Record]) -> list[Record]:
        records, problems = decode_lines(name, self._content(name), kind)
        if problems:
            raise RecordingError(problems)
        return list(records.values())

    def _table(self, kind: str) -> pa.Table:
        return decode_table(kind, self._content(TABLE_FILES[kind]), self._limits)
