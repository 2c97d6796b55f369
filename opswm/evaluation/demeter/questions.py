"""Twins as decision points: one start group is one situation, each twin's configuration one course from it.

A twin was deployed beside the production job, at one moment, on its input. So the situation is the production
job's own history up to that moment, and a twin's configuration is the course that would bring the production
job there: scaling, resizing and settings requested together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from opswm.errors import NotFoundError
from opswm.evaluation.demeter.twins import FlinkConfiguration, TwinQuestion
from opswm.tensors import ActionSlots, Situation
from opswm.timeline.build import build_timeline, lookback
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.actions.parameters import ConfigChange, ScaleHorizontal, ScaleVertical
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import Capability, Objective, SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course
from opswm_schemas.recordings.reader import Recording

_MIB: Final = 1 << 20


@dataclass(frozen=True)
class Run:
    """What a recording says of one run.

    Attributes:
        descriptor: The system.
        metrics: Its readings.
        actions: Its log.
    """

    descriptor: SystemDescriptor
    metrics: pa.Table
    actions: list[Action]


def read_runs(folder: Path, names: Sequence[str]) -> dict[str, Run]:
    """Read the recordings of some runs.

    Args:
        folder: Holds one recording per run, under the run's name.
        names: The runs wanted.

    Raises:
        NotFoundError: When one has no recording there.
    """
    runs: dict[str, Run] = {}
    for name in names:
        if not (folder / name).exists():
            raise NotFoundError(f"{folder} has no recording of run {name!r}; import the folder that holds the run")
        with Recording.open(folder / name) as recording:
            runs[name] = Run(recording.descriptor, recording.metrics(), recording.actions())
    return runs


def outcome_objectives(descriptor: SystemDescriptor) -> list[Objective]:
    """Return latency and recovery as two objectives of the job that runs, of equal weight.

    Args:
        descriptor: Of a run.
    """
    latency = next(channel for channel in descriptor.channels if channel.meaning == "latency_p95")
    lag = next(channel for channel in descriptor.channels if channel.meaning == "consumer_lag")
    return [
        Objective(
            objective_id=name,
            entity_id=channel.entity_id,
            kind="gauge",
            channel_id=channel.channel_id,
            threshold=threshold,
            weight=0.5,
        )
        for name, channel, threshold in (("latency", latency, 2.0), ("recovery", lag, 10_000.0))
    ]


def configuration_course(descriptor: SystemDescriptor, name: str, wanted: FlinkConfiguration) -> Course:
    """Return the course that asks for a configuration through the descriptor's own capabilities.

    Args:
        descriptor: Of the run.
        name: Of the course.
        wanted: The configuration.
    """
    actions: list[CandidateAction] = []
    for capability in descriptor.capabilities:
        params = _parameters(capability, wanted)
        if params is not None:
            actions.append(
                CandidateAction(target=capability.targets[0], params=params, capability_id=capability.capability_id)
            )
    return Course(course_id=name, actions=actions)


def encode_group(
    run: Run, questions: Sequence[TwinQuestion], context_ticks: int, horizon_ticks: int
) -> tuple[Situation, ActionSlots]:
    """Return the situation of one start group and its courses: ``no_op``, then one per twin.

    Args:
        run: The run they were started in.
        questions: Twins with one ``started_at``.
        context_ticks: Ticks of history that the model looks at.
        horizon_ticks: Ticks that it imagines.
    """
    at = datetime.fromtimestamp(questions[0].started_at, UTC)
    taken = run.metrics["event_at"]
    since = at - lookback(run.descriptor, context_ticks) - timedelta(seconds=run.descriptor.step_s)
    near = run.metrics.filter(pc.and_(pc.greater_equal(taken, since), pc.less_equal(taken, at)))
    timeline = build_timeline(run.descriptor, near, run.actions, (), at, context_ticks)
    courses = [NO_OP, *(configuration_course(run.descriptor, q.name, q.configuration) for q in questions)]
    situation = encode_situation(run.descriptor, timeline, context_ticks, outcome_objectives(run.descriptor))
    return situation, encode_courses(run.descriptor, timeline, courses, horizon_ticks)


def by_group(questions: Sequence[TwinQuestion]) -> Mapping[tuple[str, int], list[int]]:
    """Return the positions of the questions of each start group, in order of appearance."""
    groups: dict[tuple[str, int], list[int]] = {}
    for index, question in enumerate(questions):
        groups.setdefault(question.group, []).append(index)
    return groups


def _parameters(
    capability: Capability, wanted: FlinkConfiguration
) -> ScaleHorizontal | ScaleVertical | ConfigChange | None:
    if capability.type == "scale_horizontal":
        return ScaleHorizontal(to_replicas=-(-wanted.parallelism // wanted.slots_per_task_manager))
    if capability.type == "scale_vertical":
        return ScaleVertical(cpu_cores=wanted.cores_per_task_manager, memory_bytes=float(wanted.memory_mib * _MIB))
    settings = {
        "slot": float(wanted.slots_per_task_manager),
        "parallelism": float(wanted.parallelism),
        "checkpoint": wanted.checkpoint_interval_s,
    }
    keys = capability.bounds["key"].choices if "key" in capability.bounds else None
    for key in keys or ():
        for word, value in settings.items():
            if word in str(key).lower():
                return ConfigChange(key=str(key), new=value)
    return None
