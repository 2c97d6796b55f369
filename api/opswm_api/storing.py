"""A recording into a store: everything wrong with it is told at once, before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from opswm.errors import BadInputError
from opswm.store.ingest import ingest_recording
from opswm.store.open import Store
from opswm_api.receipts import RecordingReceipt
from opswm_schemas.ports import SystemKey
from opswm_schemas.recordings.apart import validate_apart
from opswm_schemas.recordings.archive import ArchiveLimits
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording

VALIDATION_S: Final = 120.0
"""How long a recording from outside may keep its validation busy."""

VALIDATION_BYTES: Final = 4 << 30
"""Address space that validating a recording from outside may take, in its own process."""

OUTSIDE: Final = ArchiveLimits(total_bytes=2 << 30, file_bytes=1 << 30, num_rows=5_000_000)
"""How large a recording from outside may be: its tables are read whole, next to the questions being answered."""


def store_recording(
    store: Store,
    path: Path,
    expected: SystemKey | None = None,
    progress: Callable[[str, float], None] | None = None,
    *,
    from_outside: bool = False,
) -> RecordingReceipt:
    """Validate a recording and bring it into a store.

    Args:
        store: Where to.
        path: A folder or zip.
        expected: The system it has to be of; any where left out.
        progress: Told what is done now and the share that is behind it.
        from_outside: Whether a stranger sent it: then it is validated in a process of its own.

    Raises:
        RecordingError: With every problem it has; nothing is written then.
        BadInputError: When it is of another system, or its parts do not fit each other.
        StoreError: When the store cannot be written.
    """
    if from_outside:
        problems = validate_apart(path, OUTSIDE, memory_bytes=VALIDATION_BYTES, timeout_s=VALIDATION_S)
    else:
        problems = validate_recording(path)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise RecordingError(errors)
    with Recording.open(path, OUTSIDE if from_outside else None) as recording:
        manifest = recording.manifest
        given = SystemKey(manifest.tenant_id, manifest.system_id)
        if expected is not None and given != expected:
            raise BadInputError(
                f"the recording is of {given.tenant_id}/{given.system_id}, expected was "
                f"{expected.tenant_id}/{expected.system_id}; store it under its own system"
            )
        stored = ingest_recording(store, recording, progress)
    return RecordingReceipt(
        recording_id=manifest.recording_id,
        tenant_id=manifest.tenant_id,
        system_id=manifest.system_id,
        since=manifest.since,
        until=manifest.until,
        num_points=stored.num_readings,
        num_events=stored.num_events,
        num_actions=stored.num_actions,
        notes=[str(problem) for problem in problems],
    )
