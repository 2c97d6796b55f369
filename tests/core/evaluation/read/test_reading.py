"""What is measured when reading is measured: the same readings by every way, out of a table like production's."""

from pathlib import Path

import numpy as np
import pytest

from opswm.errors import BadInputError, StoreError
from opswm.evaluation.read.bench import ReadConfig, bench_read, p95_ms
from opswm.evaluation.read.big_table import CHANNELS, BigSystem, write_system
from opswm.evaluation.read.measure import time_reading
from opswm.evaluation.read.readers import WAYS, Way, Window, reader
from opswm.store.tables.metrics_table import MetricsTable
from opswm_schemas.ports import SystemKey

SYSTEM = BigSystem(SystemKey("default", "big"), entities=7, ticks=30)
OTHER = BigSystem(SystemKey("default", "other"), entities=3, ticks=30)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of two systems."""
    folder = tmp_path_factory.mktemp("read") / "metrics"
    rows: list[int] = []
    offset = write_system(MetricsTable(folder), SYSTEM, 1, 0, rows.append)
    write_system(MetricsTable(folder), OTHER, offset, 0, rows.append)
    assert sum(rows) == SYSTEM.num_rows + OTHER.num_rows == 3000
    return folder


def window(system: BigSystem, entities: tuple[int, ...], first: int, last: int) -> Window:
    """Return a window of some entities."""
    channels = [name for entity in entities for name in system.channel_ids(entity)]
    return Window(system.key, channels, system.at(first), system.at(last), system.at(last))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_the_same_readings(table: Path, tmp_path: Path, way: Way) -> None:
    """A window has one reading per channel and tick, from its own system only, whoever reads it."""
    read = reader(way, table, tmp_path / "log.sqlite")
    assert read(window(SYSTEM, (1, 5), 4, 12)) == 2 * CHANNELS * 8
    assert read(window(OTHER, (0, 1, 2), 0, 29)) == 3 * CHANNELS * 29
    assert read(window(OTHER, (2,), 29, 40)) == 0


def test_a_process_of_its_own_says_what_reading_took(table: Path, tmp_path: Path) -> None:
    """The first reading is told apart; windows of different sizes are no measurement."""
    log = tmp_path / "log.sqlite"
    found = time_reading("opswm_duckdb", table, log, [window(SYSTEM, (2, 3), first, first + 9) for first in range(6)])
    assert (found.rows, len(found.seconds), len(found.cpu_seconds)) == (2 * CHANNELS * 9, 5, 5)
    assert min(found.first_s, *found.seconds) > 0.0
    uneven = [window(SYSTEM, (2,), 0, last) for last in (5, 6)]
    with pytest.raises(StoreError, match=r"found \[50, 60\] readings"):
        time_reading("opswm_duckdb", table, log, uneven)


def test_the_percentile_lies_between_order_statistics() -> None:
    """Of a hundred readings of 1 to 100 ms the interval is from the 90th to the 100th; of one, all are that one."""
    shuffled = np.random.default_rng(0).permutation(np.arange(1, 101) / 1e3).tolist()
    assert p95_ms(shuffled) == pytest.approx((95.05, 90.0, 100.0))
    assert p95_ms([0.25]) == pytest.approx((250.0, 250.0, 250.0))


def test_too_little_to_measure_is_refused() -> None:
    """Fewer rows than two windows, or too few readings for a percentile, are refused before anything is written."""
    with pytest.raises(BadInputError, match="at least 12800000 rows"):
        bench_read(ReadConfig(rows=1_000_000), "0", 0)
    with pytest.raises(BadInputError, match="21 readings"):
        bench_read(ReadConfig(reads=3), "0", 0)
