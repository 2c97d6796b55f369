"""The manifest: what a recording holds, from when to when, and what was done to it on the way."""

import hashlib
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from opswm_schemas.base import MAX_DURATION_S, Closed, Identifier, NotText, Seconds, ShortText, UtcDatetime, Versioned

MANIFEST_FILE: Final = "manifest.json"
DESCRIPTOR_FILE: Final = "descriptor.json"
EVENTS_FILE: Final = "events.jsonl"
ACTIONS_FILE: Final = "actions.jsonl"
TABLE_FILES: Final[dict[str, str]] = {"metrics": "metrics.parquet", "logs": "logs.parquet", "spans": "spans.parquet"}
TRUTH_FOLDER: Final = "truth/"
"""Simulated truth lives under this folder; nothing reads it unless asked by name."""

CONTENT_FILES: Final = (DESCRIPTOR_FILE, *TABLE_FILES.values(), EVENTS_FILE, ACTIONS_FILE)
"""Every file that a recording has beside its manifest, empty where there is nothing to say."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TruthName = Annotated[str, Field(pattern=r"^truth(/[A-Za-z0-9_][A-Za-z0-9._-]*){1,8}$", max_length=400)]


class FileEntry(Closed):
    """One file of the recording.

    Attributes:
        rows: Rows of a table, lines of a JSON Lines file, 1 for a document.
        schema_version: ``major.minor`` of the contract its rows follow.
    """

    path: Literal[
        "descriptor.json", "metrics.parquet", "logs.parquet", "spans.parquet", "events.jsonl", "actions.jsonl"
    ]  # fmt: skip
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class TruthFile(Closed):
    """One file of simulated truth: free in form, with a checksum, never loaded by default."""

    path: TruthName
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class ClockOffset(Closed):
    """How far a source's clock was estimated to be ahead of ours; timestamps are kept as they came.

    Attributes:
        offset_s: Source clock minus ours, seconds.
        uncertainty_s: Half width of the estimate, seconds, where known.
        method: How it was estimated.
    """

    source: ShortText
    offset_s: Annotated[float, Field(ge=-MAX_DURATION_S, le=MAX_DURATION_S), NotText]
    uncertainty_s: Seconds | None = None
    method: ShortText = ""


class Redaction(Closed):
    """One value that was taken out before writing; the value itself is nowhere."""

    action_id: Identifier
    field: ShortText


class Manifest(Versioned):
    """What a recording holds.

    Attributes:
        since, until: The interval it covers, both ends included.
        origin: Where it came from: a connector's name, ``simulation``, a person's note.
        software: What wrote it, name and version.
        redactions: Which values of which actions were secret or personal and were replaced.
    """

    recording_id: Identifier
    tenant_id: Identifier = "default"
    system_id: Identifier
    created_at: UtcDatetime
    since: UtcDatetime
    until: UtcDatetime
    origin: ShortText = ""
    software: ShortText = ""
    files: list[FileEntry] = Field(max_length=len(CONTENT_FILES))
    truth: list[TruthFile] = Field(default_factory=list, max_length=1_000)
    clock_offsets: list[ClockOffset] = Field(default_factory=list, max_length=1_000)
    redactions: list[Redaction] = Field(default_factory=list, max_length=100_000)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.since > self.until:
            raise ValueError(f"since {self.since.isoformat()} is after until {self.until.isoformat()}")
        paths = [entry.path for entry in self.files] + [entry.path for entry in self.truth]
        repeated = sorted({path for path in paths if paths.count(path) > 1})
        if repeated:
            raise ValueError(f"the manifest lists {', '.join(repeated)} more than once")
        return self

    def entry(self, path: str) -> FileEntry | None:
        """Return what the manifest says about a content file, None where it says nothing."""
        return next((entry for entry in self.files if entry.path == path), None)

    @property
    def content_digest(self) -> str:
        """SHA-256 over system and content checksums: two recordings of the same content share it.

        Truth, names and the moment of writing are left out, so that importing the same facts twice is seen as such.
        """
        lines = [f"{self.tenant_id} {self.system_id}", *sorted(f"{entry.path} {entry.sha256}" for entry in self.files)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
