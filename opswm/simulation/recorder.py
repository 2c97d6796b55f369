"""A decision point as a recording: what a real system would have left, with the truth kept apart.

Metrics keep the units and instruments of their sources, logs come from templates, spans from a sample of requests,
alerts from threshold rules, and actions carry their transitions. Nothing under ``truth/`` is read by anything that does
not ask for it by name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from opswm.simulation.action_log import logged_actions
from opswm.simulation.alerts import alert_events
from opswm.simulation.embodiment import descriptor_of
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.lived import Witnessed
from opswm.simulation.log_lines import logs_of
from opswm.simulation.readings import metrics_of
from opswm.simulation.scene import decision_at as decision_at
from opswm.simulation.scene import scene_of
from opswm.simulation.scene import start_of as start_of
from opswm.simulation.state_changes import state_changes
from opswm.simulation.traces import spans_of
from opswm_schemas.recordings.manifest import Manifest
from opswm_schemas.recordings.writer import RecordingWriter

ORIGIN: Final = "simulation"


def recording_id(system_id: str, world_seed: int) -> str:
    """Return the id of the recording of one world."""
    return f"{system_id}-seed-{world_seed}"


def write_recording(
    lived: Lived | Witnessed,
    row: int,
    path: Path,
    system_id: str | None = None,
    truth: Mapping[str, bytes] | None = None,
    origin: str = ORIGIN,
) -> Manifest:
    """Write one world up to its decision as a recording, whole or not at all.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        path: Folder, or zip where it ends in ``.zip``; must not be there yet.
        system_id: Id of the system; the blueprint's name where left out.
        truth: Further files of truth by name, such as branched outcomes.
        origin: What the manifest says about where it came from.

    Raises:
        FileExistsError: When something is already at ``path``.
        RecordingError: When the recording would not be valid.
    """
    scene = scene_of(lived, row)
    blueprint, seed = scene.blueprint, scene.seed
    descriptor = descriptor_of(blueprint, system_id)
    at = decision_at(lived, row)
    writer = RecordingWriter(
        path,
        descriptor,
        recording_id(descriptor.system_id, seed),
        since=scene.at(scene.first_s - blueprint.step_s),
        until=at,
        created_at=at,
        origin=origin,
    )
    writer.add_metrics(metrics_of(scene))
    writer.add_logs(logs_of(scene))
    writer.add_spans(spans_of(scene))
    writer.add_actions(logged_actions(blueprint, scene.done, descriptor, scene.start, seed, scene.decision_s))
    writer.add_events(alert_events(scene))
    writer.add_events(state_changes(scene))
    writer.add_truth("incident.json", _incident(lived, row))
    for name, content in (truth or {}).items():
        writer.add_truth(name, content)
    return writer.write()


def _incident(lived: Lived | Witnessed, row: int) -> bytes:
    blueprint, incident = lived.blueprints[row], lived.incidents[row]
    content = {
        "label": incident.label,
        "faults": [vars(breakage) for breakage in incident.breakages],
        "decision_at": decision_at(lived, row).isoformat(),
        "bad_share": np.round(lived.bad_share[row, :, : len(blueprint.goals)].numpy().astype(float), 5).tolist(),
        "thresholds_s": {goal.name: goal.threshold_s for goal in blueprint.goals},
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
