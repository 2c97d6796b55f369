"""What came of a change, read from the conditions of the workload afterwards.

Source: Kubernetes documentation, "Deployment status": ``Progressing`` is true with reason ``NewReplicaSetAvailable``
once a rollout is complete, and false with ``ProgressDeadlineExceeded`` where it got stuck. Argo Rollouts use the same
conditions, with ``RolloutAborted`` for one that was taken back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from opswm_connectors.webhooks.delivery import text_of
from opswm_connectors.webhooks.documents import at, members
from opswm_connectors.webhooks.instants import instant
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.record import Transition

_ENDINGS: Final[Mapping[tuple[str, str], ActionStatus]] = {
    ("True", "NewReplicaSetAvailable"): "succeeded",
    ("False", "ProgressDeadlineExceeded"): "timed_out",
    ("False", "RolloutAborted"): "rolled_back",
}


def outcome(workload: Mapping[str, Any], started_at: datetime, known_at: datetime) -> Transition | None:
    """Return how a change of a workload ended, or None while that cannot be told.

    Args:
        workload: A Deployment or Rollout as the API gives it, with its status.
        started_at: When the change was asked for; conditions from before tell of another change.
        known_at: When the object was read.
    """
    seen, wanted = (
        _number(at(workload, "status", "observedGeneration")),
        _number(at(workload, "metadata", "generation")),
    )
    if seen is None or wanted is None or seen < wanted:
        return None  # its controller has not looked at it yet
    for condition in members(at(workload, "status", "conditions")):
        if condition.get("type") != "Progressing":
            continue
        ending = _ENDINGS.get((text_of(condition.get("status"), 10), text_of(condition.get("reason"), 100)))
        at_last = instant(condition.get("lastUpdateTime") or condition.get("lastTransitionTime"))
        if ending is not None and at_last is not None and at_last >= started_at.replace(microsecond=0):
            note = text_of(condition.get("message"), 500)
            return Transition(status=ending, event_at=at_last, known_at=known_at, source="kubernetes", note=note)
    return None


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
