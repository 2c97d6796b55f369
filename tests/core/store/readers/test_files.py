"""What readers of files do with damage, foreign columns and awkward names, and which files they leave alone."""

from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.store.readers.delta import DuckDbReader
from opswm.store.readers.files import ParquetReader
from opswm.store.readers.scan import ParquetScan, Wanted
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey
from tests.core.store.readers.served import NOON, SYSTEM, after, reading, table
from tests.core.store.tables.rig import logged

ROWS = table(reading("web.rps", 1, 1.0), reading("web.rps", 2, 2.0))


def test_files_that_are_not_of_readings_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    """Missing columns, naive instants and damage are told when the reader is made, not in the middle of a question."""
    naive = ROWS.set_column(1, "event_at", ROWS["event_at"].cast(pa.timestamp("us")))
    for number, (wrong, why) in enumerate(((ROWS.drop_columns("known_at"), "known_at"), (naive, "event_at"))):
        file = tmp_path / f"{number}.parquet"
        pq.write_table(wrong, file)
        with pytest.raises(BadInputError, match=f"{number}.parquet is not of readings: {why}"):
            ParquetReader({SYSTEM: [file]})
    torn = tmp_path / "torn.parquet"
    torn.write_bytes((tmp_path / "0.parquet").read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"torn\.parquet cannot be read"):
        ParquetReader({SYSTEM: [torn]})


def test_a_folder_without_readings_and_an_archive_say_what_to_do(tmp_path: Path) -> None:
    """An empty folder is no source, and a packed recording is to be unpacked first."""
    with pytest.raises(NotFoundError, match="name the right folder"):
        ParquetReader.of_folder(tmp_path)
    with pytest.raises(BadInputError, match="unpack"):
        ParquetReader.of_recordings([tmp_path / "incident.zip"])


def test_a_file_that_goes_away_is_a_store_error(tmp_path: Path) -> None:
    """The error names the file that cannot be read."""
    file = tmp_path / "part.parquet"
    pq.write_table(ROWS, file)
    reader = ParquetReader({SYSTEM: [file]})
    file.unlink()
    with pytest.raises(StoreError, match=r"part\.parquet cannot be read"):
        reader.read_metrics(SYSTEM, ["web.rps"], after(0), after(9), after(99))


def test_names_of_files_are_no_patterns(tmp_path: Path) -> None:
    """Brackets, stars and question marks in a name mean themselves."""
    wanted = Wanted.of(["web.rps"], after(0), after(9), after(99), None)
    for name in ("[ab].parquet", "a*.parquet", "?.parquet"):
        pq.write_table(ROWS, tmp_path / name)
    pq.write_table(pa.concat_tables([ROWS] * 5), tmp_path / "a.parquet")
    scan = ParquetScan()
    for name in ("[ab].parquet", "a*.parquet", "?.parquet"):
        assert scan.read([tmp_path / name], wanted).num_rows == ROWS.num_rows


def test_numbers_and_histograms_of_one_channel_come_in_one_order(tmp_path: Path) -> None:
    """A source that changes from numbers to histograms is read as it was written."""
    rows = [
        reading("web.p99", 1, upper_bounds=[1.0], counts=[1.0, 2.0]),
        reading("web.p99", 2, 5.0),
        reading("web.p99", 3, upper_bounds=[1.0], counts=[3.0, 4.0]),
        reading("web.rps", 1, 7.0),
    ]
    pq.write_table(table(*rows[::-1]), tmp_path / "mixed.parquet")
    reader = ParquetReader({SYSTEM: [tmp_path / "mixed.parquet"]})
    found = reader.read_metrics(SYSTEM, ["web.p99", "web.rps"], after(0), after(9), after(99))
    assert (found.to_pylist(), found.schema) == (rows, METRICS)


def test_no_delta_table_is_told_at_once(tmp_path: Path) -> None:
    """A folder without a table is a store error with its place."""
    with pytest.raises(StoreError, match=str(tmp_path)):
        DuckDbReader(tmp_path, lambda system, as_of: 0)


def test_delta_files_that_cannot_match_are_not_opened(tmp_path: Path) -> None:
    """Other systems, other times, later knowledge and other channels are ruled out by the table's log alone."""
    store = logged(tmp_path / "metrics")
    parts = {
        "early": (SYSTEM, "web.rps", 0.0),
        "late": (SYSTEM, "web.rps", 5000.0),
        "other channel": (SYSTEM, "zone.load", 0.0),
        "other system": (SystemKey("default", "mall"), "web.rps", 0.0),
    }
    files: dict[str, Path] = {}
    for name, (system, channel, at_s) in parts.items():
        store.append_metrics(system, table(*(reading(channel, at_s + step, 1.0) for step in range(3))), name)
        store.flush()
        new = set((tmp_path / "metrics").rglob("*.parquet")) - set(files.values())
        files[name] = new.pop()
    reader = DuckDbReader(tmp_path / "metrics", store.version)
    for name, file in files.items():
        if name != "early":
            file.write_bytes(b"not to be opened")
    asked = (SYSTEM, ["web.rps", "web.errors"], after(0))
    assert reader.read_metrics(*asked, after(100), after(1e6)).num_rows == 3
    assert reader.read_metrics(*asked, after(1e6), after(100)).num_rows == 3
    with pytest.raises(StoreError, match="cannot be read"):
        reader.read_metrics(*asked, after(1e6), after(1e6))


def test_what_is_filled_later_is_read_by_the_same_reader(tmp_path: Path) -> None:
    """A reader that is open sees each new version of the table."""
    store = logged(tmp_path / "metrics")
    for number in range(3):
        store.append_metrics(SYSTEM, table(reading("web.rps", number, float(number))), f"b{number}")
        store.flush()
        if number == 0:
            reader = DuckDbReader(tmp_path / "metrics", store.version)
        found = reader.read_metrics(SYSTEM, ["web.rps"], NOON, after(99), after(999))
        np.testing.assert_array_equal(found["value"].to_numpy(), np.arange(number + 1.0))
    assert reader.version(SYSTEM) == 3


INSTANTS = st.integers(0, 5)
SCAN = ParquetScan()
NAMES = count()


@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), INSTANTS, INSTANTS, INSTANTS), min_size=3, max_size=12),
    asked=st.sets(st.sampled_from("abd"), min_size=1),
    since=st.integers(-1, 2),
    until=st.integers(2, 6),
    as_of=st.integers(1, 11),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_is_a_filter_whatever_is_in_the_files(
    tmp_path: Path, rows: list[tuple[str, int, int, int]], asked: set[str], since: int, until: int, as_of: int
) -> None:
    """Nothing known later, outside the interval or of other channels is ever read, and nothing else is missing."""
    told = [(name, after(event_s), after(event_s + late_s), float(value)) for name, event_s, late_s, value in rows]
    file = tmp_path / f"{next(NAMES)}.parquet"
    written = [
        reading(name, 0, value, event_at=event_at, known_at=known_at) for name, event_at, known_at, value in told
    ]
    pq.write_table(table(*written), file, row_group_size=2)
    wanted = Wanted.of(sorted(asked), after(since), after(until), after(as_of), None)
    columns = SCAN.read([file], wanted).select(["channel_id", "event_at", "known_at", "value"]).to_pydict().values()
    found = list(zip(*columns, strict=True))
    assert sorted(found) == sorted(
        (name, event_at, known_at, value)
        for name, event_at, known_at, value in told
        if name in asked and after(since) <= event_at < after(until) and known_at <= after(as_of)
    )
    assert [row[:3] for row in found] == sorted(row[:3] for row in found)
