"""A decision point as a recording: what a real system would have left, with the truth kept apart.

Channels keep the units and instruments of their sources, counters start again when replicas do, failed scrapes stay
gaps, alerts come from threshold rules, actions carry their transitions. Nothing under ``truth/`` is read by anything
that does not ask for it by name.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm.simulation.action_log import logged_actions
from opswm.simulation.alerts import alert_events
from opswm.simulation.embodiment import channel_id, descriptor_of
from opswm.simulation.kernel.blueprint import Sensor
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.signals import SIGNALS
from opswm_schemas.columns import METRICS
from opswm_schemas.recordings.manifest import Manifest
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.units import conversion_factor
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

EPOCH: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""Simulated time starts here; each world seed starts an hour after the one before, within a year."""

SCRAPE_EARLY: Final = 0.08
REPORT_LATE: Final = 0.04
"""A scrape is taken this share of a tick before the tick ends, and known that much later."""


def start_of(world_seed: int) -> datetime:
    """Return the instant of a world's second 0."""
    return EPOCH + timedelta(hours=world_seed % 8_760)


def decision_at(lived: Lived, row: int) -> datetime:
    """Return the instant of a world's decision."""
    return start_of(lived.world_seeds[row]) + timedelta(seconds=lived.decision_s)


def write_recording(
    lived: Lived, row: int, path: Path, system_id: str | None = None, truth: dict[str, bytes] | None = None
) -> Manifest:
    """Write one world up to its decision as a recording, whole or not at all.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
        path: Folder, or zip where it ends in ``.zip``; must not be there yet.
        system_id: Id of the system; the blueprint's name where left out.
        truth: Further files of truth by name, such as branched outcomes.

    Raises:
        FileExistsError: When something is already at ``path``.
        RecordingError: When the recording would not be valid.
    """
    blueprint, seed = lived.blueprints[row], lived.world_seeds[row]
    descriptor = descriptor_of(blueprint, system_id)
    start, at = start_of(seed), decision_at(lived, row)
    first_s = lived.decision_s - lived.value.shape[1] * blueprint.step_s
    writer = RecordingWriter(
        path,
        descriptor,
        f"{descriptor.system_id}-seed-{seed}",
        since=start + timedelta(seconds=first_s - blueprint.step_s),
        until=at,
        created_at=at,
        origin="simulation",
    )
    writer.add_metrics(metrics_of(lived, row))
    writer.add_actions(logged_actions(blueprint, lived.done[row], descriptor, start, seed, float(lived.decision_s)))
    writer.add_events(alert_events(lived, row, start))
    writer.add_truth("incident.json", _incident(lived, row))
    for name, content in (truth or {}).items():
        writer.add_truth(name, content)
    return writer.write()


def metrics_of(lived: Lived, row: int) -> pa.Table:
    """Return what was stored of one world's channels, in their own units, as rows of ``METRICS``."""
    blueprint = lived.blueprints[row]
    start = np.datetime64(start_of(lived.world_seeds[row]).replace(tzinfo=None), "us")
    value, seen = lived.value[row].numpy().astype(np.float64), lived.seen[row].numpy()
    restarts = lived.exact[row, :, :, SIGNALS.index("restart_rate")].numpy() > 0
    ticks, step_s = value.shape[0], blueprint.step_s
    ends_s = lived.decision_s - step_s * np.arange(ticks - 1, -1, -1)
    position = {part.name: index for index, part in enumerate(blueprint.parts)}
    tables: list[pa.Table] = []
    for sensor in blueprint.sensors:
        entity, column = position[sensor.part], SIGNALS.index(sensor.signal)
        there, stamps = seen[:, entity, column], ends_s
        true = np.where(there, value[:, entity, column], lived.exact[row, :, entity, column].numpy())
        readings = _written(sensor, true, restarts[:, entity], step_s)
        if sensor.instrument == "counter":  # a counter says nothing without the reading before
            there, readings = np.insert(there, 0, True), np.insert(readings, 0, 0.0)
            stamps = np.insert(ends_s, 0, ends_s[0] - step_s)
        taken = stamps[there] - SCRAPE_EARLY * step_s
        event_at = start + (taken * 1e6).round().astype("timedelta64[us]")
        known_at = event_at + np.timedelta64(round(REPORT_LATE * step_s * 1e6), "us")
        identifier = channel_id(sensor.part, sensor.signal)
        tables.append(
            pa.table(
                {
                    "channel_id": pa.array([identifier] * int(there.sum()), pa.string()),
                    "event_at": pa.array(event_at, pa.timestamp("us")).cast(METRICS.field("event_at").type),
                    "known_at": pa.array(known_at, pa.timestamp("us")).cast(METRICS.field("known_at").type),
                    "value": pa.array(readings[there], pa.float64()),
                }
            )
        )
    table = pa.concat_tables(tables)
    for field in METRICS:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(METRICS.names).cast(METRICS)


def _written(
    sensor: Sensor, value: NDArray[np.float64], restarted: NDArray[np.bool_], step_s: int
) -> NDArray[np.float64]:
    """Return canonical readings as their source writes them: its unit, or a counter that restarts with replicas."""
    if sensor.instrument == "gauge":
        return value * conversion_factor(MEANINGS[MEANING_INDEX[sensor.signal]].unit, sensor.unit)
    grown = np.cumsum(value * step_s)
    before = np.concatenate([[0.0], grown[:-1]])
    last_reset = np.maximum.accumulate(np.where(restarted, before, 0.0))
    return np.asarray(grown - last_reset)


def _incident(lived: Lived, row: int) -> bytes:
    blueprint, incident = lived.blueprints[row], lived.incidents[row]
    content = {
        "label": incident.label,
        "faults": [vars(breakage) for breakage in incident.breakages],
        "decision_at": decision_at(lived, row).isoformat(),
        "bad_share": np.round(lived.bad_share[row, :, : len(blueprint.goals)].numpy().astype(float), 5).tolist(),
        "thresholds_s": {goal.name: goal.threshold_s for goal in blueprint.goals},
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
