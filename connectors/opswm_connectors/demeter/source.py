"""Import of Demeter runs: each run folder becomes one recording, and either all of them appear or none."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm_connectors.demeter.actions import fault_actions, inferred_actions, instant, rescale_actions
from opswm_connectors.demeter.config import DemeterConfig
from opswm_connectors.demeter.controller_log import ControllerLog, read_controller_log
from opswm_connectors.demeter.deployment import Deployment
from opswm_connectors.demeter.journal import Entry, Journal, read_journal
from opswm_connectors.demeter.layout import EVENTS_FILE, LOG_FILE, METRICS_FILE, RunFolder, find_runs
from opswm_connectors.demeter.mapping import (
    CHECKPOINT_CHANNEL,
    CORES_CHANNEL,
    MEASURED,
    MEMORY_CHANNEL,
    SLOTS_CHANNEL,
    describe,
)
from opswm_connectors.demeter.scaling import level_changes
from opswm_connectors.demeter.series import Series, read_series
from opswm_connectors.errors import TerminalSourceError
from opswm_schemas.actions.record import Action
from opswm_schemas.columns import INSTANT
from opswm_schemas.recordings.manifest import ClockOffset
from opswm_schemas.recordings.writer import RecordingWriter
from opswm_schemas.telemetry import Event, LogRecord

Progress = Callable[[int, int, str], None]
"""Told how many runs are done, of how many, and which comes next (the last call names none)."""
ORIGIN: Final = "demeter"
_MICROSECONDS: Final = 1_000_000


def import_demeter(
    directory: Path,
    out: Path,
    progress: Progress = lambda done, total, run: None,
    config: DemeterConfig | None = None,
) -> list[Path]:
    """Turn every Demeter run under ``directory`` into a recording under ``out``.

    The recordings are made aside and moved into place when all of them are whole; on any error nothing is left.

    Args:
        directory: Holds the run folders, or is one.
        out: Where the recordings go, each named after its run; made where it is not there.
        progress: Called before each run and once at the end.
        config: Delays, inference and objective; the published ones where left out.

    Returns:
        The folders of the recordings, ordered by name.

    Raises:
        TerminalSourceError: When a run cannot be read, naming file and row, or a recording of its name is
            already there.
    """
    runs = find_runs(directory)
    settings = config or DemeterConfig()
    taken = [str(out / run.name) for run in runs if (out / run.name).exists()]
    if taken:
        raise TerminalSourceError(f"already there: {', '.join(taken)}; remove them or choose another folder")
    made_here = not out.exists()
    staging = out / f".demeter-{uuid.uuid4().hex}.partial"
    placed: list[Path] = []
    try:
        for number, run in enumerate(runs):
            progress(number, len(runs), run.name)
            _write_recording(run, staging / run.name, settings)
        for run in runs:
            (staging / run.name).rename(out / run.name)
            placed.append(out / run.name)
        staging.rmdir()
    except BaseException:
        for path in placed:
            shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(staging, ignore_errors=True)
        if made_here and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        raise
    progress(len(runs), len(runs), "")
    return placed


def _write_recording(run: RunFolder, path: Path, config: DemeterConfig) -> None:
    series = read_series(run.path / METRICS_FILE)
    journal = read_journal(run.path / EVENTS_FILE)
    log = read_controller_log(run.path / LOG_FILE)
    first = min(int(one.at[0]) for one in series.values() if len(one.at))
    last = max(int(one.at[-1]) for one in series.values() if len(one.at))
    with RecordingWriter(
        path, describe(run, config), run.name, origin=ORIGIN, clock_offsets=_clock_offsets(journal.faults)
    ) as writer:
        for one in MEASURED:
            readings = series[one.metric]
            writer.add_metrics(_table(one.channel_id, readings.at, readings.value, config.scrape_delay_s))
        for channel_id, at, value in _deployed_series(journal, first, last, config.step_s):
            writer.add_metrics(_table(channel_id, at, value, config.log_delay_s))
        writer.add_logs(_logs(log, config))
        writer.add_events(_events(run, journal, config))
        writer.add_actions(_actions(run, series, journal, log, config))


def _actions(
    run: RunFolder, series: dict[str, Series], journal: Journal, log: ControllerLog, config: DemeterConfig
) -> Iterator[Action]:
    yield from rescale_actions(run, journal, log.upgrades, config)
    yield from fault_actions(run, journal.faults, config)
    if run.policy in {"reactive", "operator"}:
        changes = level_changes(series["task_managers"], config.settled_after_s)
        yield from inferred_actions(run, changes, journal.faults, config)


def _table(
    channel_id: str, at: NDArray[np.float64] | NDArray[np.int64], value: NDArray[np.float64], delay_s: float
) -> pa.Table:
    event_at = np.round(np.asarray(at, dtype=np.float64) * _MICROSECONDS).astype(np.int64)
    known_at = event_at + round(delay_s * _MICROSECONDS)
    return pa.table(
        {
            "channel_id": pa.array([channel_id] * len(event_at), pa.string()),
            "event_at": pa.array(event_at, pa.int64()).cast(INSTANT),
            "known_at": pa.array(known_at, pa.int64()).cast(INSTANT),
            "value": pa.array(value, pa.float64()),
        }
    )


def _deployed_series(
    journal: Journal, first: int, last: int, step_s: float
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield what the deployment states per TaskManager and for checkpoints, repeated every tick.

    It is the state of the Kubernetes resource, so it moves at the moment of the request, before the pods do.
    """
    changes = [(float(first), journal.deployment), *((rescale.at, rescale.deployment) for rescale in journal.rescales)]
    moments = np.array([at for at, _ in changes])
    at = np.union1d(
        np.arange(first, last + 1, step_s, dtype=np.float64), moments[(moments >= first) & (moments <= last)]
    )
    in_force = np.maximum(np.searchsorted(moments, at, side="right") - 1, 0)
    readers: dict[str, Callable[[Deployment], float]] = {
        CORES_CHANNEL: lambda deployed: deployed.cores_per_task_manager,
        MEMORY_CHANNEL: lambda deployed: deployed.memory_bytes,
        SLOTS_CHANNEL: lambda deployed: float(deployed.slots_per_task_manager),
        CHECKPOINT_CHANNEL: lambda deployed: deployed.checkpoint_interval_s,
    }
    for channel_id, read in readers.items():
        yield channel_id, at, np.array([read(deployed) for _, deployed in changes], dtype=np.float64)[in_force]


def _logs(log: ControllerLog, config: DemeterConfig) -> Iterator[LogRecord]:
    delay = timedelta(seconds=config.log_delay_s)
    for line in log.lines:
        yield LogRecord(
            event_at=line.at, known_at=line.at + delay, entity_id="job", severity=line.severity, body=line.body
        )


def _events(run: RunFolder, journal: Journal, config: DemeterConfig) -> Iterator[Event]:
    entries = sorted([Entry(journal.started_at, "job started"), *journal.states], key=lambda entry: entry.at)
    for number, entry in enumerate(entries, start=1):
        yield Event(
            event_id=f"{run.name}.state-{number:03d}",
            type="state_change",
            event_at=instant(entry.at),
            known_at=instant(entry.at + config.log_delay_s),
            entity_id="job",
            name=entry.text,
            severity="info",
        )


def _clock_offsets(faults: tuple[Entry, ...]) -> list[ClockOffset]:
    """Estimate how far the controller's clock is ahead of the metrics' clock.

    Each injection is logged with the metrics' instant, which the controller rounds up to whole seconds.
    """
    ahead = [
        fault.at - (float(named) - 0.5)
        for fault in faults
        if (named := fault.text.rpartition("at TS: ")[2]).isdigit() and "at TS: " in fault.text
    ]
    if not ahead:
        return []
    method = "log time of injections minus the metrics instant they name, which is rounded up to whole seconds"
    return [
        ClockOffset(source=EVENTS_FILE, offset_s=round(float(np.median(ahead)), 3), uncertainty_s=0.5, method=method)
    ]
