"""What a system will take up: disk, memory, and what it costs the monitoring it is read from."""

from dataclasses import dataclass
from math import fsum
from typing import Final

from opswm.store.ingest_log.sqlite_log import SqliteIngestLogConfig
from opswm.store.inspection.footprint import PER_REQUEST, Footprint
from opswm.store.tables.background import BackgroundConfig
from opswm.store.tables.filler import FillerConfig
from opswm.store.tables.upkeep import UpkeepConfig
from opswm_schemas.descriptor import Channel, SystemDescriptor

_DAY_S: Final = 86_400.0
_BLOCK: Final = 4_096
"""What a file takes up at least on most disks."""

_COMMITS_KEPT_DAYS: Final = 30.0
_DECISION_BYTES: Final = 56_000.0
_PROCESS_BYTES: Final = 560.0 * 2**20
"""A ranking as it is kept, and a process that ranks: rounded up from ``opswm rank`` on a system of 50 entities."""

_POINTS_PER_REQUEST: Final = 11_000
_SERIES_PER_HISTOGRAM: Final = 16
_TENSOR_BYTES: Final = 8.0
"""Value and mask of one channel and tick, as the model reads them."""


@dataclass(frozen=True)
class Load:
    """How a system is kept and asked about.

    Attributes:
        retention_days: How long readings stay in the table.
        step_s: Of all channels, instead of their own; None keeps theirs.
        decisions_per_hour: How often somebody asks.
        context_ticks: Ticks of history that a decision reads.
        requests_per_s: In which readings arrive; None for one each step, more where they are larger than 2,000.
    """

    retention_days: float = 30.0
    step_s: float | None = None
    decisions_per_hour: float = 12.0
    context_ticks: int = 128
    requests_per_s: float | None = None


@dataclass(frozen=True)
class Estimate:
    """What it comes to; bytes are on disk or in memory as the name says.

    Attributes:
        num_numbers, num_histograms: Channels by kind.
        readings_per_s: That arrive.
        disk_table: Readings at rest: their number times their bytes, and what compaction holds twice for two hours.
        disk_table_log: The table's own log: a commit each time it is filled, a block each, for thirty days.
        disk_ingest_log: Readings the ingest log holds for ten minutes after they are verified, and its write-ahead log.
        disk_names: Names of batches, which the ingest log keeps for good.
        disk_ledger: Rankings.
        disk_total: All of it.
        memory_process: A process with the world model.
        memory_context: What one decision reads, as Arrow and as tensors.
        memory_tail: Readings that are not in the table yet, which a process keeps at hand.
        memory_total: All of it, one decision at a time.
        upstream_requests_per_decision: Queries to Prometheus where readings stay there: one per channel at most,
            fewer where one query answers several.
        upstream_points_per_decision: Points they return.
        upstream_requests_per_s, upstream_points_per_s: The same over time.
    """

    num_numbers: int
    num_histograms: int
    readings_per_s: float
    disk_table: float
    disk_table_log: float
    disk_ingest_log: float
    disk_names: float
    disk_ledger: float
    disk_total: float
    memory_process: float
    memory_context: float
    memory_tail: float
    memory_total: float
    upstream_requests_per_decision: int
    upstream_points_per_decision: int
    upstream_requests_per_s: float
    upstream_points_per_s: float


def estimate(descriptor: SystemDescriptor, load: Load, footprint: Footprint) -> Estimate:
    """Return what a system will take up.

    Args:
        descriptor: The system.
        load: How it is kept and asked about.
        footprint: What one reading takes up.
    """
    numbers = [channel for channel in descriptor.channels if channel.instrument != "histogram"]
    histograms = [channel for channel in descriptor.channels if channel.instrument == "histogram"]
    numbers_per_s = fsum(1.0 / _step_s(descriptor, channel, load) for channel in numbers)
    histograms_per_s = fsum(1.0 / _step_s(descriptor, channel, load) for channel in histograms)
    per_s = numbers_per_s + histograms_per_s
    retention_s = load.retention_days * _DAY_S
    fills_per_s = 1.0 / BackgroundConfig().fill_every_s if per_s else 0.0
    step_s = load.step_s or descriptor.step_s
    requests_per_s = load.requests_per_s or (max(1.0 / step_s, per_s / PER_REQUEST) if per_s else 0.0)

    table_per_s = numbers_per_s * footprint.table_number + histograms_per_s * footprint.table_histogram
    log_per_s = numbers_per_s * footprint.log_number + histograms_per_s * footprint.log_histogram
    memory_per_s = numbers_per_s * footprint.memory_number + histograms_per_s * footprint.memory_histogram
    upkeep, filler = UpkeepConfig(), FillerConfig()
    twice = min(table_per_s * retention_s, upkeep.max_rows * (table_per_s / per_s if per_s else 0.0))
    held_s = filler.keep_s + BackgroundConfig().fill_every_s
    held = min(1.0, filler.keep_bytes / (memory_per_s * held_s)) if memory_per_s else 0.0
    decisions_per_s = load.decisions_per_hour / 3_600.0
    disk = {
        "disk_table": table_per_s * retention_s + twice,
        "disk_table_log": _BLOCK * fills_per_s * min(retention_s, _COMMITS_KEPT_DAYS * _DAY_S),
        "disk_ingest_log": held * log_per_s * held_s + (SqliteIngestLogConfig().checkpoint_bytes if per_s else 0.0),
        "disk_names": requests_per_s * retention_s * footprint.name,
        "disk_ledger": decisions_per_s * retention_s * _DECISION_BYTES,
    }
    context_rows = [load.context_ticks * len(numbers), load.context_ticks * len(histograms)]
    memory = {
        "memory_process": _PROCESS_BYTES,
        "memory_context": context_rows[0] * footprint.memory_number
        + context_rows[1] * footprint.memory_histogram
        + sum(context_rows) * _TENSOR_BYTES,
        "memory_tail": memory_per_s * BackgroundConfig().fill_every_s,
    }
    requests, points = _upstream(descriptor, load)
    return Estimate(
        num_numbers=len(numbers),
        num_histograms=len(histograms),
        readings_per_s=per_s,
        **disk,
        disk_total=sum(disk.values()),
        **memory,
        memory_total=sum(memory.values()),
        upstream_requests_per_decision=requests,
        upstream_points_per_decision=points,
        upstream_requests_per_s=requests * decisions_per_s,
        upstream_points_per_s=points * decisions_per_s,
    )


def _upstream(descriptor: SystemDescriptor, load: Load) -> tuple[int, int]:
    """Return most requests and the points of one decision's reading, each channel's history at its own step."""
    length_s = load.context_ticks * (load.step_s or descriptor.step_s)
    requests = points = 0
    for channel in descriptor.channels:
        ticks = max(1, round(length_s / _step_s(descriptor, channel, load)))
        requests += -(-ticks // _POINTS_PER_REQUEST)
        points += ticks * (_SERIES_PER_HISTOGRAM if channel.instrument == "histogram" else 1)
    return requests, points


def _step_s(descriptor: SystemDescriptor, channel: Channel, load: Load) -> float:
    return load.step_s or channel.step_s or descriptor.step_s
