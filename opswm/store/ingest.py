"""A recording into a store: checked whole before the first write, and the same recording twice is one."""

from collections.abc import Callable
from dataclasses import dataclass

from opswm.errors import BadInputError
from opswm.instrument import timed
from opswm.store.admission import admit_metrics
from opswm.store.open import Store
from opswm.store.references import require_channels, require_entities
from opswm_schemas.ports import SystemKey
from opswm_schemas.recordings.reader import Recording

Progress = Callable[[str, float], None]
"""Told what is done now and the share of the whole that is behind it, 0 to 1."""


@dataclass(frozen=True)
class Ingested:
    """What a recording brought into a store.

    Attributes:
        system: The system it is of.
        descriptor_revision: The revision that says what its descriptor says.
        table_version: A version of the metrics table that holds its readings.
        num_readings, num_actions, num_events: What the recording holds, stored before or now.
        num_new_events: Events that were not there before.
        sequence: The number of the system's last fact afterwards.
    """

    system: SystemKey
    descriptor_revision: int
    table_version: int
    num_readings: int
    num_actions: int
    num_events: int
    num_new_events: int
    sequence: int


def ingest_recording(store: Store, recording: Recording, progress: Progress | None = None) -> Ingested:
    """Bring a recording into a store.

    Only what is not there is added, readings by the digest of the manifest and facts by their content, so a recording
    that was ingested before changes nothing. What is refused leaves nothing; what is cut off between readings and
    facts is completed by the same again. The descriptor becomes the first revision of a system nobody registered; it
    never changes one that is registered, whose guardrails and objectives hold whatever a recording says about them.
    Logs and spans stay in the recording: no question reads them from the store.

    Args:
        store: Where to.
        recording: What; open.
        progress: Told how far it is.

    Raises:
        RecordingError: When a part cannot be read, or is not what the manifest says; nothing is written.
        BadInputError: When it holds no reading, its parts do not fit each other, its descriptor is none of the
            registered ones, or facts of the same ids say something else; nothing is written.
        StoreError: When the store cannot be written.
    """
    tell = progress or _silent
    with timed("store.ingest_recording", recording=recording.manifest.recording_id):
        tell("checking", 0.0)
        descriptor, metrics, events, actions = (
            recording.descriptor,
            recording.metrics(),
            recording.events(),
            recording.actions(),
        )
        if metrics.num_rows == 0:
            raise BadInputError(
                f"recording {recording.manifest.recording_id!r} holds no readings; there is nothing to ask about"
            )
        admit_metrics(metrics)
        require_channels(descriptor, metrics)
        require_entities(descriptor, actions=actions, events=events)
        undated = [action.action_id for action in actions if not action.transitions and not action.approvals]
        if undated:
            raise BadInputError(
                f"actions {undated[:10]} have no transition, so nobody can tell when they happened; give one"
            )
        system = SystemKey(descriptor.tenant_id, descriptor.system_id)

        def write_readings() -> int:
            tell("readings", 0.4)
            batch_id = f"recording:{recording.manifest.content_digest}"
            version = store.telemetry.append_metrics(system, metrics, batch_id)
            tell("committing", 0.9)
            return version

        tell("facts", 0.2)
        received = store.ledger.receive(descriptor, actions, events, write_readings)
        tell("done", 1.0)
        return Ingested(
            system=system,
            descriptor_revision=received.revision,
            table_version=received.table_version,
            num_readings=metrics.num_rows,
            num_actions=len(actions),
            num_events=len(events),
            num_new_events=received.num_new_events,
            sequence=received.sequence,
        )


def _silent(_step: str, _share: float) -> None:
    return None
