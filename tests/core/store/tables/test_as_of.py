"""Two clocks over any history: late, repeated and corrected readings, fills, compactions and restarts in any order."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.tables.damage import mend
from opswm.store.tables.filler import FillerConfig
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm.store.tables.upkeep import Upkeep, UpkeepConfig
from tests.core.store.shop import SHOP, after, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import ALL, read, values

Row = tuple[str, int, int, float]

SMALL = st.integers(0, 6)
ROW = st.tuples(st.sampled_from(ALL[:2]), SMALL, SMALL, st.integers(0, 3).map(float))
STEP = st.one_of(
    st.lists(ROW, min_size=1, max_size=4), st.sampled_from(["fill", "fill", "compact", "reopen", "trim", "again"])
)


@dataclass
class History:
    """Telemetry that goes through a history, beside the same batches in memory.

    Attributes:
        folder: Of the table.
        batches: What was appended.
    """

    folder: Path
    batches: list[list[Row]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.log, self.clock, self.same = MemoryLog(), HandClock(), ArrowTelemetry()
        self.telemetry = self.opened()

    def opened(self) -> LoggedTelemetry:
        """Open the telemetry as after a start."""
        config = FillerConfig(commit_bytes=200, keep_s=60.0)
        lost = mend(logged(self.folder, self.log).table, self.log)
        return logged(self.folder, self.log, self.clock, config, lost=lost)

    def append(self, rows: list[Row]) -> None:
        """Append a batch to both."""
        self.batches.append(rows)
        self.deliver(len(self.batches) - 1)

    def deliver(self, batch: int) -> None:
        """Deliver a batch, for the first time or again, to both."""
        for telemetry in (self.telemetry, self.same):
            telemetry.append_metrics(SHOP, readings(self.batches[batch]), f"b{batch}")

    def go(self, step: list[Row] | str) -> None:
        """Take a step."""
        if isinstance(step, list):
            self.append(step)
        elif step == "again" and self.batches:
            self.deliver(len(self.batches) // 2)
        elif step == "fill":
            with self.telemetry.table.writing():
                self.telemetry.filler.fill_once()
        elif step == "compact":
            Upkeep(self.telemetry.table, self.clock, UpkeepConfig(num_merged=2, removed_after_s=0.0)).run()
        elif step == "trim":
            self.clock.forward(61)
            with self.telemetry.table.writing():
                self.telemetry.filler.fill_once()
        elif step == "reopen":
            self.telemetry = self.opened()


def agrees_after_every_step(steps: list[list[Row] | str], since: int, until: int) -> None:
    """Check that after every step and as of every moment what is read is what was known by then, in memory's order."""
    with TemporaryDirectory() as folder:
        history = History(Path(folder) / "t")
        for step in steps:
            history.go(step)
            for as_of in (-1, 2, 4, 6):
                asked: dict[str, Any] = {"since": after(since), "until": after(until), "as_of": after(as_of)}
                found = read(history.telemetry, **asked)
                assert found == read(history.same, **asked)
                assert all(row["known_at"] <= after(as_of) for row in found)
                assert history.telemetry.version(SHOP, after(as_of)) == history.same.version(SHOP, after(as_of))


@given(steps=st.lists(STEP, min_size=2, max_size=14), since=SMALL, until=SMALL)
@settings(max_examples=8)
def test_no_reading_as_of_a_moment_sees_what_was_known_later(
    steps: list[list[Row] | str], since: int, until: int
) -> None:
    """Exactly the rows known by then, and as many batches, whatever was filled, compacted, trimmed or reopened."""
    agrees_after_every_step(steps, since, until)


@pytest.mark.slow
@given(steps=st.lists(STEP, min_size=4, max_size=25), since=SMALL, until=SMALL)
@settings(max_examples=100)
def test_no_reading_sees_the_future_after_long_histories(steps: list[list[Row] | str], since: int, until: int) -> None:
    """The same after longer histories."""
    agrees_after_every_step(steps, since, until)


def test_a_correction_counts_from_when_it_was_known(tmp_path: Path) -> None:
    """A later ``known_at`` changes nothing before it; after it, it is read as well, and alone where a step is asked."""
    telemetry = logged(tmp_path / "t")
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 5.0), ("web.rps", 2, 2, 6.0)]), "b1")
    telemetry.flush()
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 8, 7.0)]), "correction")
    telemetry.append_metrics(SHOP, readings([("web.rps", 0, 9, 4.0)]), "late")
    for _ in range(2):
        assert values(telemetry, as_of=after(7)) == [5.0, 6.0]
        assert values(telemetry, as_of=after(8)) == [5.0, 7.0, 6.0]
        assert values(telemetry, as_of=after(9)) == [4.0, 5.0, 7.0, 6.0]
        assert values(telemetry, as_of=after(9), since=after(0), step_s=1.0) == [4.0, 7.0, 6.0]
        assert values(telemetry, as_of=after(7), since=after(0), step_s=1.0) == [5.0, 6.0]
        telemetry.flush()
