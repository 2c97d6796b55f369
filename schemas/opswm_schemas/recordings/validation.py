"""Validating a recording: every problem it has, with file, row and what to do; nothing is changed or repaired."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from opswm_schemas.actions.record import Action
from opswm_schemas.base import SCHEMA_MAJOR
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.recordings.archive import ArchiveLimits, RecordingFiles, open_files, read_bytes
from opswm_schemas.recordings.documents import Record, decode_document, decode_lines
from opswm_schemas.recordings.line_checks import action_problems, event_problems
from opswm_schemas.recordings.manifest import (
    ACTIONS_FILE,
    CONTENT_FILES,
    DESCRIPTOR_FILE,
    EVENTS_FILE,
    MANIFEST_FILE,
    TABLE_FILES,
    Manifest,
)
from opswm_schemas.recordings.problem import Problem, RecordingError
from opswm_schemas.recordings.table_checks import Context, table_problems
from opswm_schemas.recordings.tables import decode_table
from opswm_schemas.telemetry import Event

_AGAIN = "copy or export the recording again"


def validate_recording(path: Path | str, limits: ArchiveLimits | None = None) -> list[Problem]:
    """Return every problem of a recording, errors before notes; an empty list or notes alone mean it can be used.

    Reading goes on after a problem wherever the rest can still be judged, so that one pass shows all there is
    to repair. Of the same kind of row problem the first hundred are listed and the rest counted.

    Args:
        path: A recording folder or zip.
        limits: How large it may be.
    """
    limits = limits or ArchiveLimits()
    try:
        files = open_files(Path(path), limits)
    except RecordingError as error:
        return list(error.problems)
    try:
        problems = _Validation(files, limits).run()
    finally:
        files.close()
    return sorted(problems, key=lambda problem: problem.severity != "error")


class _Validation:
    """One pass over one recording, collecting problems."""

    def __init__(self, files: RecordingFiles, limits: ArchiveLimits) -> None:
        self._files = files
        self._limits = limits
        self._names = set(files.names())
        self._problems: list[Problem] = []
        self._manifest: Manifest | None = None
        self._rows: dict[str, int] = {}

    def run(self) -> list[Problem]:
        """Check everything and return what was found."""
        if not self._names:
            return [Problem(file="", what="is empty", fix="record or export it again")]
        self._manifest = self._document(MANIFEST_FILE, Manifest)
        self._check_listing()
        descriptor = self._document(DESCRIPTOR_FILE, SystemDescriptor)
        manifest = self._manifest
        interval = (None, None) if manifest is None else (manifest.since, manifest.until)
        context = Context(descriptor, *interval)
        self._check_system(descriptor)
        for kind, name in TABLE_FILES.items():
            self._check_table(kind, name, context)
        self._check_lines(EVENTS_FILE, Event, event_problems, context)
        self._check_lines(ACTIONS_FILE, Action, action_problems, context)
        self._check_truth()
        self._check_amount()
        return self._problems

    def _add(self, file: str, what: str, fix: str, *, field: str = "", note: bool = False) -> None:
        severity = "note" if note else "error"
        self._problems.append(
            Problem.model_validate({"file": file, "field": field, "what": what, "fix": fix, "severity": severity})
        )

    def _content(self, name: str) -> bytes | None:
        """Return the bytes of a file once size and checksum were compared with the manifest, None if unreadable."""
        if name not in self._names:
            self._add(name, "is missing", "export the recording again; a file without rows is written empty")
            return None
        try:
            content = read_bytes(self._files, name)
        except RecordingError as error:
            self._problems += error.problems
            return None
        entry = None if self._manifest is None else self._manifest.entry(name)
        if entry is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
            length = (
                f"; it has {len(content)} bytes, {entry.size_bytes} are listed"
                if len(content) != entry.size_bytes
                else ""
            )
            self._add(name, f"has another checksum than the manifest lists{length}", _AGAIN)
        return content

    def _document(self, name: str, kind: type[Record]) -> Record | None:
        content = self._content(name)
        if content is None:
            return None
        document, problems = decode_document(name, content, kind)
        self._problems += problems
        self._rows[name] = 1
        return document

    def _check_listing(self) -> None:
        if self._manifest is None:
            return
        listed = {entry.path for entry in self._manifest.files} | {entry.path for entry in self._manifest.truth}
        for name in CONTENT_FILES:
            if name not in listed:
                self._add(MANIFEST_FILE, f"does not list {name}", "export the recording again", field="files")
        for name in sorted(self._names - listed - {MANIFEST_FILE, *CONTENT_FILES}):
            self._add(name, "is not listed in the manifest and is never read", "remove it", note=True)
        for entry in self._manifest.files:
            if entry.schema_version.split(".")[0] != str(SCHEMA_MAJOR):
                what = f"lists {entry.path} with version {entry.schema_version}, this software reads {SCHEMA_MAJOR}.x"
                self._add(
                    MANIFEST_FILE, what, "convert it with the opswm that wrote it, or upgrade opswm", field="files"
                )

    def _check_system(self, descriptor: SystemDescriptor | None) -> None:
        if self._manifest is None or descriptor is None:
            return
        for field in ("tenant_id", "system_id"):
            given, expected = getattr(self._manifest, field), getattr(descriptor, field)
            if given != expected:
                self._add(
                    MANIFEST_FILE, f"has {field} {given!r}, the descriptor {expected!r}", "make them equal", field=field
                )

    def _check_table(self, kind: str, name: str, context: Context) -> None:
        content = self._content(name)
        if content is None:
            return
        try:
            table = decode_table(kind, content, self._limits)
        except RecordingError as error:
            self._problems += error.problems
            return
        self._count(name, table.num_rows)
        self._problems += table_problems(kind, table, context)

    def _check_lines(
        self,
        name: str,
        kind: type[Record],
        check: Callable[[dict[int, Record], Context], list[Problem]],
        context: Context,
    ) -> None:
        content = self._content(name)
        if content is None:
            return
        records, problems = decode_lines(name, content, kind)
        self._count(name, sum(1 for line in content.split(b"\n") if line.strip()))
        self._problems += problems
        self._problems += check(records, context)

    def _count(self, name: str, rows: int) -> None:
        self._rows[name] = rows
        entry = None if self._manifest is None else self._manifest.entry(name)
        if entry is not None and entry.rows != rows:
            self._add(name, f"has {rows} rows, the manifest lists {entry.rows}", _AGAIN)

    def _check_truth(self) -> None:
        for entry in self._manifest.truth if self._manifest else ():
            if entry.path not in self._names:
                self._add(entry.path, "is missing", _AGAIN)
                continue
            digest = hashlib.sha256()
            try:
                for chunk in self._files.chunks(entry.path):
                    digest.update(chunk)
            except RecordingError as error:
                self._problems += error.problems
                continue
            if digest.hexdigest() != entry.sha256:
                self._add(entry.path, "has another checksum than the manifest lists", _AGAIN)

    def _check_amount(self) -> None:
        counted = [name for name in CONTENT_FILES if name != DESCRIPTOR_FILE]
        if all(self._rows.get(name) == 0 for name in counted):
            self._add("", "holds no telemetry, events or actions", "record for longer, or check the sources")
        elif self._rows.get(TABLE_FILES["metrics"]) == 0:
            self._add(TABLE_FILES["metrics"], "has no rows, so nothing can be forecast", "check the sources", note=True)
