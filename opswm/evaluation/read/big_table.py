"""A metrics table of many rows, laid out as compaction leaves it, for measuring what reading a little of it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_files import write_part
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.ports import SystemKey

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
STEP_S: Final = 5.0
CHANNELS: Final = 10
"""Of each entity."""

_DELAY: Final = timedelta(milliseconds=200)
_PART_ROWS: Final = 4_000_000
"""Compaction makes no part larger than this."""


@dataclass(frozen=True)
class BigSystem:
    """One system of a big table: every channel of every entity has a reading at every tick.

    Attributes:
        key: Whose.
        entities: How many entities, of ten channels each.
        ticks: How many ticks, from ``START`` on.
    """

    key: SystemKey
    entities: int
    ticks: int

    @property
    def num_rows(self) -> int:
        """How many readings it has."""
        return self.entities * CHANNELS * self.ticks

    def channel_ids(self, entity: int) -> list[str]:
        """Return the channels of an entity."""
        return [f"service-{entity:05d}/channel_{channel}" for channel in range(CHANNELS)]

    def at(self, tick: int) -> datetime:
        """Return when a tick's readings were known; the tick after it has begun by then."""
        return START + timedelta(seconds=STEP_S * tick) + _DELAY


def write_system(
    table: MetricsTable, system: BigSystem, first_offset: int, seed: int, advance: Callable[[int], None]
) -> int:
    """Write a system's readings, one commit per part, and return the offset behind the last one.

    Args:
        table: Where to.
        system: What.
        first_offset: Of the log that the first part would have come from.
        seed: Of the values: noise with three digits behind the point, as gauges have.
        advance: Told how many rows were written.
    """
    names = [name for entity in range(system.entities) for name in system.channel_ids(entity)]
    ticks_each = max(1, _PART_ROWS // len(names))
    rng = np.random.default_rng(seed)
    offset = first_offset
    for first in range(0, system.ticks, ticks_each):
        ticks = np.arange(first, min(first + ticks_each, system.ticks))
        with table.writing():
            if not table.exists():
                table.create()
            action = write_part(table.folder, system.key, _rows(names, ticks, rng), offset, offset)
            table.commit([action], "fill", offset)
        offset += 1
        advance(len(names) * len(ticks))
    return offset


def _rows(names: list[str], ticks: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator) -> pa.Table:
    """Return readings by channel, then time."""
    num_rows = len(names) * len(ticks)
    channel = np.repeat(np.arange(len(names), dtype=np.int32), len(ticks))
    start_us = int(pa.scalar(START, INSTANT).value)
    event_us = np.tile(start_us + ticks * round(STEP_S * 1e6), len(names))
    known_us = event_us + _DELAY // timedelta(microseconds=1)
    columns = {
        "channel_id": pa.DictionaryArray.from_arrays(pa.array(channel), pa.array(names)).cast(pa.string()),
        "event_at": pa.array(event_us).cast(INSTANT),
        "known_at": pa.array(known_us).cast(INSTANT),
        "value": pa.array(np.round(rng.gamma(4.0, 25.0, num_rows), 3)),
    }
    whole = [columns.get(field.name, pa.nulls(num_rows, field.type)) for field in METRICS]
    return pa.table(whole, schema=METRICS)
