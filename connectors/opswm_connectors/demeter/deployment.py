"""The deployed size of a Flink job, as job starts, rescales and log lines state it."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

_STATED: Final = re.compile(
    r"config=\{scaleOut: (?P<scaleout>\d+), taskSlots: (?P<task_slots>\d+), cpu: (?P<container_cpu>[\d.]+), "
    r"memory: (?P<container_memory>\d+), chkInt: (?P<checkpoint_interval>\d+)\}"
)
_MIB: Final = 1 << 20


@dataclass(frozen=True)
class Deployment:
    """What the ``FlinkDeployment`` resource asks for.

    Attributes:
        parallelism: Task slots in use.
        slots_per_task_manager: Slots that share one TaskManager.
        cores_per_task_manager: CPU limit of one TaskManager, cores.
        memory_mib: Memory limit of one TaskManager, MiB (Flink reads ``m`` as MiB).
        checkpoint_interval_ms: Between checkpoints, milliseconds.
    """

    parallelism: int
    slots_per_task_manager: int
    cores_per_task_manager: float
    memory_mib: int
    checkpoint_interval_ms: int

    @property
    def task_managers(self) -> int:
        """TaskManagers needed to hold the slots in use."""
        return math.ceil(self.parallelism / self.slots_per_task_manager)

    @property
    def memory_bytes(self) -> float:
        """Memory limit of one TaskManager, bytes."""
        return float(self.memory_mib * _MIB)

    @property
    def checkpoint_interval_s(self) -> float:
        """Between checkpoints, seconds."""
        return self.checkpoint_interval_ms / 1000.0


def stated_deployment(text: str) -> Deployment:
    """Return the deployment that a log line or a ``job_started`` event spells out as ``config={...}``.

    Raises:
        ValueError: When the text states none, or one that makes no sense.
    """
    match = _STATED.search(text)
    if match is None:
        raise ValueError("it states no config={scaleOut: ..., taskSlots: ..., cpu: ..., memory: ..., chkInt: ...}")
    return _deployment(match.groupdict())


def rescaled_deployment(detail: str) -> Deployment:
    """Return the deployment that the JSON of a ``rescale`` event asks for.

    Raises:
        ValueError: When it is no such JSON, or the sizes make no sense.
    """
    try:
        configs = json.loads(detail)["production_config"]["configs"]
    except (json.JSONDecodeError, KeyError, TypeError) as problem:
        raise ValueError(f"it is not JSON with production_config.configs ({problem})") from problem
    if not isinstance(configs, dict):
        raise ValueError("production_config.configs is no JSON object")
    return _deployment(configs)


def _deployment(stated: dict[str, Any]) -> Deployment:
    numbers: dict[str, float] = {}
    for name in ("scaleout", "task_slots", "container_cpu", "container_memory", "checkpoint_interval"):
        try:
            numbers[name] = float(stated[name])
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"{name} is {stated.get(name)!r}, a number is needed") from problem
        if not (math.isfinite(numbers[name]) and numbers[name] > 0):
            raise ValueError(f"{name} is {stated[name]!r}, it must be above 0")
        if name != "container_cpu" and numbers[name] != int(numbers[name]):
            raise ValueError(f"{name} is {stated[name]!r}, it must be a whole number")
    return Deployment(
        int(numbers["scaleout"]),
        int(numbers["task_slots"]),
        numbers["container_cpu"],
        int(numbers["container_memory"]),
        int(numbers["checkpoint_interval"]),
    )
