"""What storing a recording gives back, over HTTP and on the command line alike."""

from opswm_schemas.base import Closed, Identifier, UtcDatetime


class RecordingReceipt(Closed):
    """A recording that is stored, now or before: the same content a second time adds nothing.

    Attributes:
        since: Start of what it covers.
        until: End of what it covers; the last moment a question about it can be asked "at".
        notes: What is unusual about it but was kept as it was observed.
    """

    recording_id: Identifier
    tenant_id: Identifier
    system_id: Identifier
    since: UtcDatetime
    until: UtcDatetime
    num_points: int
    num_events: int
    num_actions: int
    notes: list[str]
