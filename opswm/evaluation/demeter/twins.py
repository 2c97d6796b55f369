"""Twins: Flink jobs that ran beside the production job, at the same minute on the same input, otherwise configured.

Source: ``profiles.csv`` of the Demeter runs (arXiv 2403.02129; Apache-2.0). What may be asked about a twin
(:class:`TwinQuestion`) and what came of it (:class:`TwinOutcome`) are kept in two types, so that a ranker
that is handed questions cannot read an outcome, not even the twin's own throughput.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from opswm.errors import BadInputError, NotFoundError
from opswm.evaluation.demeter.demand import read_demand

NOT_RECOVERED_S: Final = 360.0
"""The controller stopped waiting for a recovery after this long; such a twin carries this number, seconds."""

_COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "genType": pl.String,
    "jobName": pl.String,
    "scaleOut": pl.Int64,
    "chkInt": pl.Int64,
    "cpuVal": pl.Float64,
    "memVal": pl.Int64,
    "taskSlots": pl.Int64,
    "avgThr": pl.Float64,
    "avgLat": pl.Float64,
    "recTime": pl.Float64,
    "startTs": pl.Int64,
}


@dataclass(frozen=True)
class FlinkConfiguration:
    """How a Flink job is deployed.

    Attributes:
        parallelism: Parallel instances of each operator, one per task slot (``scaleOut``).
        slots_per_task_manager: Slots that share one TaskManager (``taskSlots``).
        cores_per_task_manager: CPU limit of one TaskManager, cores.
        memory_mib: Memory limit of one TaskManager, MiB.
        checkpoint_interval_s: Time between checkpoints, seconds.
    """

    parallelism: int
    slots_per_task_manager: int
    cores_per_task_manager: float
    memory_mib: int
    checkpoint_interval_s: float

    @property
    def task_managers(self) -> float:
        """TaskManagers that hold the slots in use; a fraction where the last one is not full."""
        return self.parallelism / self.slots_per_task_manager

    @property
    def cores(self) -> float:
        """Cores of the whole job."""
        return self.task_managers * self.cores_per_task_manager

    @property
    def cores_per_slot(self) -> float:
        """Cores that one slot can count on."""
        return self.cores_per_task_manager / self.slots_per_task_manager


@dataclass(frozen=True)
class TwinQuestion:
    """What is known when a twin's measurement starts.

    Attributes:
        run: The run it was started in.
        workload: The job that runs (``ADS`` or ``CARS``).
        name: The twin's name, unique among those that started with it.
        started_at: Unix seconds, UTC; twins of one run with equal ``started_at`` are concurrent.
        configuration: How the twin was deployed.
        demand_records_per_s: What the *production* job consumed over the ten minutes before ``started_at``.
    """

    run: str
    workload: str
    name: str
    started_at: int
    configuration: FlinkConfiguration
    demand_records_per_s: float

    @property
    def group(self) -> tuple[str, int]:
        """The start group: run and moment."""
        return self.run, self.started_at


@dataclass(frozen=True)
class TwinOutcome:
    """What was measured in the minute after the start and after the fault that followed; never an input.

    Attributes:
        throughput_records_per_s: Mean records consumed.
        latency_s: Mean over the minute of the job's p95 latency.
        recovery_s: From the fault to normal throughput and lag; ``NOT_RECOVERED_S`` where it did not
            recover in that time, ``None`` where nothing was measured.
    """

    throughput_records_per_s: float
    latency_s: float
    recovery_s: float | None


@dataclass(frozen=True)
class Twin:
    """One twin: the question and its answer."""

    question: TwinQuestion
    outcome: TwinOutcome


def read_twins(directory: Path) -> list[Twin]:
    """Read the twins of every run under ``directory``, in order of run and row.

    Args:
        directory: Holds one folder per run; those with a ``profiles.csv`` have twins.

    Raises:
        NotFoundError: When there is no such directory, or none of its folders has twins.
        BadInputError: When a file cannot be read or a row makes no sense; names file, row and column.
    """
    if not directory.is_dir():
        raise NotFoundError(f"{directory} is not a folder; give the one that holds the Demeter run folders")
    files = sorted(directory.glob("*/profiles.csv"))
    if not files:
        raise NotFoundError(f"no run folder in {directory} has a profiles.csv, so there are no twins to score")
    return [twin for file in files for twin in _read_run(file)]


def _read_run(file: Path) -> list[Twin]:
    try:
        table = pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise BadInputError(f"{file} cannot be read as CSV: {problem}") from problem
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise BadInputError(f"{file} lacks the columns {', '.join(missing)}; it has {', '.join(table.columns)}")
    parsed = table.select(pl.col(name).str.strip_chars().cast(dtype, strict=False) for name, dtype in _COLUMNS.items())
    for name in _COLUMNS:
        unusable = (parsed[name].is_null() | _not_finite(parsed[name])).arg_true().to_list()
        if unusable:
            given = table[name][unusable[0]]
            raise BadInputError(f"{file}, row {unusable[0] + 2}, column {name}: {given!r} is not a finite number")
    demand = read_demand(file.parent, parsed["startTs"].to_list())
    twins: list[Twin] = []
    seen: dict[tuple[int, str], int] = {}
    for index, (row, records_per_s) in enumerate(zip(parsed.iter_rows(named=True), demand, strict=True)):
        where = f"{file}, row {index + 2}"
        for name in ("scaleOut", "chkInt", "cpuVal", "memVal", "taskSlots", "startTs", "avgThr", "avgLat"):
            if row[name] <= 0:
                raise BadInputError(f"{where}, column {name}: {row[name]} must be above 0")
        if row["recTime"] <= 0 and row["recTime"] != -1:
            raise BadInputError(f"{where}, column recTime: {row['recTime']} must be above 0, or -1 if not measured")
        key = (row["startTs"], row["jobName"])
        if key in seen:
            raise BadInputError(f"{where}: {row['jobName']!r} already started at {row['startTs']} in row {seen[key]}")
        seen[key] = index + 2
        twins.append(_twin(file.parent.name, row, records_per_s))
    return twins


def _not_finite(column: pl.Series) -> pl.Series:
    return ~column.is_finite() if column.dtype == pl.Float64 else pl.repeat(False, len(column), eager=True)


def _twin(run: str, row: dict[str, float | int | str], demand_records_per_s: float) -> Twin:
    configuration = FlinkConfiguration(
        parallelism=int(row["scaleOut"]),
        slots_per_task_manager=int(row["taskSlots"]),
        cores_per_task_manager=float(row["cpuVal"]),
        memory_mib=int(row["memVal"]),
        checkpoint_interval_s=float(row["chkInt"]) / 1000.0,
    )
    question = TwinQuestion(
        run, str(row["genType"]), str(row["jobName"]), int(row["startTs"]), configuration, demand_records_per_s
    )
    recovery_s = float(row["recTime"])
    outcome = TwinOutcome(float(row["avgThr"]), float(row["avgLat"]) / 1000.0, recovery_s if recovery_s > 0 else None)
    return Twin(question, outcome)
