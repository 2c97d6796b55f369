"""Writing a recording: collected whole, checked, then put in place in one step, so nothing is half-written."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from opswm_schemas.actions.record import Action
from opswm_schemas.actions.redaction import redact_action
from opswm_schemas.base import SCHEMA_VERSION
from opswm_schemas.columns import TABLES
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.recordings.documents import encode_document, encode_lines
from opswm_schemas.recordings.manifest import (
    ACTIONS_FILE,
    DESCRIPTOR_FILE,
    EVENTS_FILE,
    MANIFEST_FILE,
    TABLE_FILES,
    TRUTH_FOLDER,
    ClockOffset,
    FileEntry,
    Manifest,
    Redaction,
    TruthFile,
)
from opswm_schemas.recordings.placement import place
from opswm_schemas.recordings.problem import RecordingError, refuse
from opswm_schemas.recordings.tables import encode_table, schema_problems
from opswm_schemas.rows import logs_table, metrics_table, spans_table
from opswm_schemas.telemetry import Event, LogRecord, MetricPoint, Span

_ORDER = {
    "metrics": ("channel_id", "event_at", "known_at"),
    "logs": ("entity_id", "event_at", "known_at"),
    "spans": ("event_at", "trace_id", "span_id"),
}


class RecordingWriter:
    """Collects one recording and writes it when its ``with`` block ends without an error.

    The folder (or zip, where the path ends in ``.zip``) appears whole or not at all: it is written beside its
    place, read back and validated, and renamed. A recording covers one incident or run, so it is collected in
    memory. Rows are put in order, and the same content gives the same bytes.

    Raises:
        FileExistsError: When something is already at ``path``.
        RecordingError: When what was added is no valid recording.
    """

    def __init__(
        self,
        path: Path | str,
        descriptor: SystemDescriptor,
        recording_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        created_at: datetime | None = None,
        origin: str = "",
        clock_offsets: Sequence[ClockOffset] = (),
    ) -> None:
        """Prepare to write.

        Args:
            path: Where the recording will be; its parent folders are made.
            descriptor: The system it is of.
            recording_id: Names it, for instance the run or incident.
            since: Start of the covered interval; that of the earliest fact where left out.
            until: End of the covered interval; that of the latest fact where left out.
            created_at: The moment of writing; now where left out.
            origin: Where it came from.
            clock_offsets: How far the clocks of its sources were estimated to be ahead.
        """
        self.path = Path(path)
        if self.path.exists():
            raise FileExistsError(f"{self.path} already exists: choose another place or remove it first")
        self.descriptor = descriptor
        self._recording_id = recording_id
        self._since, self._until = since, until
        self._created_at = created_at
        self._origin = origin
        self._clock_offsets = list(clock_offsets)
        self._tables: dict[str, list[pa.Table]] = {kind: [] for kind in TABLES}
        self._events: list[Event] = []
        self._actions: list[Action] = []
        self._is_written = False
        self._truth: dict[str, bytes] = {}
        self._redactions: list[Redaction] = []

    def add_metrics(self, points: pa.Table | Iterable[MetricPoint]) -> None:
        """Add metric points, as records or as a table with the columns of ``columns.METRICS``.

        Columns that may be null may be left out.

        Raises:
            RecordingError: When a column is unknown, missing or of another type.
        """
        self._add("metrics", points if isinstance(points, pa.Table) else metrics_table(points))

    def add_logs(self, records: pa.Table | Iterable[LogRecord]) -> None:
        """Add log records, as records or as a table with the columns of ``columns.LOGS``."""
        self._add("logs", records if isinstance(records, pa.Table) else logs_table(records))

    def add_spans(self, spans: pa.Table | Iterable[Span]) -> None:
        """Add spans, as records or as a table with the columns of ``columns.SPANS``."""
        self._add("spans", spans if isinstance(spans, pa.Table) else spans_table(spans))

    def add_events(self, events: Iterable[Event]) -> None:
        """Add events."""
        self._require_open()
        self._events.extend(events)

    def add_actions(self, actions: Iterable[Action]) -> None:
        """Add actions; secrets and personal data are taken out of them here and listed in the manifest."""
        self._require_open()
        for action in actions:
            clean, fields = redact_action(action)
            self._actions.append(clean)
            self._redactions.extend(Redaction(action_id=action.action_id, field=field) for field in fields)

    def add_truth(self, name: str, content: bytes) -> None:
        """Add a file of simulated truth.

        Args:
            name: Its name below ``truth/``, such as ``branches.parquet``.
            content: Its bytes.
        """
        self._require_open()
        self._truth[TRUTH_FOLDER + name.removeprefix(TRUTH_FOLDER)] = content

    def write(self) -> Manifest:
        """Write the recording and return its manifest; called at the end of the ``with`` block.

        Raises:
            RecordingError: When what was added is no valid recording; nothing is left on disk.
        """
        tables = {kind: self._sorted(kind) for kind in TABLES}
        events = sorted(self._events, key=lambda event: (event.known_at, event.event_at, event.event_id))
        actions = sorted(self._actions, key=lambda action: (_first_known(action), action.action_id))
        contents = {DESCRIPTOR_FILE: (1, encode_document(self.descriptor))}
        contents |= {TABLE_FILES[kind]: (table.num_rows, encode_table(table)) for kind, table in tables.items()}
        contents[EVENTS_FILE] = (len(events), encode_lines(events))
        contents[ACTIONS_FILE] = (len(actions), encode_lines(actions))
        manifest = self._manifest(contents, _instants(tables, events, actions))
        files = {MANIFEST_FILE: encode_document(manifest)}
        files |= {name: content for name, (_, content) in contents.items()} | self._truth
        place(self.path, files)
        self._is_written = True
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.write()

    def _require_open(self) -> None:
        if self._is_written:
            raise refuse("", "is written already", "add everything inside the 'with' block, which writes at its end")

    def _add(self, kind: str, table: pa.Table) -> None:
        self._require_open()
        schema = TABLES[kind]
        for field in schema:
            if field.nullable and field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        problems = schema_problems(kind, table.schema)
        if problems:
            raise RecordingError(problems)
        self._tables[kind].append(table.select(schema.names).cast(schema))

    def _sorted(self, kind: str) -> pa.Table:
        table = pa.concat_tables([TABLES[kind].empty_table(), *self._tables[kind]])
        return table.sort_by([(column, "ascending") for column in _ORDER[kind]]).combine_chunks()

    def _manifest(self, contents: dict[str, tuple[int, bytes]], instants: list[datetime]) -> Manifest:
        if not instants and (self._since is None or self._until is None):
            raise refuse("", "holds nothing and has no interval", "add telemetry, or give 'since' and 'until'")
        files = [
            FileEntry.model_validate({"path": name, "rows": rows, "schema_version": SCHEMA_VERSION, **_digest(content)})
            for name, (rows, content) in contents.items()
        ]
        return Manifest(
            recording_id=self._recording_id,
            tenant_id=self.descriptor.tenant_id,
            system_id=self.descriptor.system_id,
            created_at=self._created_at or datetime.now(UTC),
            since=self._since or min(instants),
            until=self._until or max(instants),
            origin=self._origin,
            software=f"opswm {_version()}",
            files=files,
            truth=[TruthFile.model_validate({"path": name, **_digest(data)}) for name, data in self._truth.items()],
            clock_offsets=self._clock_offsets,
            redactions=self._redactions,
        )


def _digest(content: bytes) -> dict[str, str | int]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def _version() -> str:
    try:
        return metadata.version("opswm")
    except metadata.PackageNotFoundError:
        return "unpackaged"


def _first_known(action: Action) -> datetime:
    return min((fact.known_at for fact in action.transitions), default=datetime.max.replace(tzinfo=UTC))


def _instants(tables: dict[str, pa.Table], events: list[Event], actions: list[Action]) -> list[datetime]:
    found = [event.event_at for event in events]
    found += [fact.event_at for action in actions for fact in action.transitions]
    for table in tables.values():
        if table.num_rows:
            found += pc.min_max(table["event_at"]).as_py().values()
    return found
