"""Damage to a table: repaired from copies, from the log or from the inputs of a compaction, or else named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from opswm.errors import StoreError
from opswm.store.tables.damage import mend
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.telemetry import LoggedTelemetry
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, readings
from tests.core.store.tables.memory_log import MemoryLog
from tests.core.store.tables.rig import logged
from tests.core.store.test_telemetry import values

MALL = SystemKey("default", "mall")
WANTED = [float(number) for number in range(4)]


def filled(folder: Path, log: MemoryLog) -> None:
    """Fill a table with four batches of the shop and one of the mall, in four commits."""
    telemetry = logged(folder, log)
    for number in range(4):
        telemetry.append_metrics(SHOP, readings([("web.rps", number, number, float(number))]), f"b{number}")
        if number == 1:
            telemetry.append_metrics(MALL, readings([("web.rps", 1, 1, 7.0)]), "m")
        telemetry.flush()


def mended(folder: Path, log: MemoryLog) -> LoggedTelemetry:
    """Open a table as after a start: damage is looked for, and the log is filled in."""
    table = MetricsTable(folder)
    telemetry = logged(folder, log, lost=mend(table, log))
    telemetry.flush()
    return telemetry


def last_commit(folder: Path) -> Path:
    """Return the file of the last commit."""
    return max((folder / "_delta_log").glob("*.json"))


def no_copies(folder: Path) -> None:
    """Remove the copies of commits."""
    for copy in (folder / "_opswm" / "commits").glob("*.json"):
        copy.unlink()


def cut(at: float) -> Callable[[Path], None]:
    """Return a function that leaves a share of a file."""

    def apply(file: Path) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * at)])

    return apply


def at_a_line(file: Path) -> None:
    """Leave all lines but the last, so that what is left is valid by itself."""
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def zeros(file: Path) -> None:
    """Leave the length and nothing else."""
    file.write_bytes(bytes(file.stat().st_size))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": cut(0.0),
    "half": cut(0.5),
    "all but the last byte but one": cut(0.99),
    "without its last line": at_a_line,
    "zeros": zeros,
    "missing": Path.unlink,
}


def some_slow(*quick: str) -> list[ParameterSet]:
    """Return every damage; those that are not named wait for the slow tier."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in DAMAGES]


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("damage", some_slow("empty", "without its last line", "missing"))
def test_a_damaged_last_commit_is_repaired(tmp_path: Path, damage: str, copied: bool) -> None:
    """From its copy, or else from the log, as long as that still has it: the same is read, once."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    if copied:
        log.trim(log.end())
    else:
        no_copies(tmp_path / "t")
    DAMAGES[damage](last_commit(tmp_path / "t"))
    telemetry = mended(tmp_path / "t", log)
    assert values(telemetry) == WANTED
    assert values(telemetry, MALL) == [7.0]
    assert telemetry.filler.lag() == 0


def test_a_lost_commit_that_left_the_log_is_named(tmp_path: Path) -> None:
    """Where neither copy nor log has it, opening fails and says which offsets are lost."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    log.trim(log.end())
    no_copies(tmp_path / "t")
    last_commit(tmp_path / "t").write_bytes(b"")
    with pytest.raises(StoreError, match="offsets 5 to 5 are lost"):
        mended(tmp_path / "t", log)


def test_a_hole_in_the_tables_log_is_filled_or_the_table_is_written_again(tmp_path: Path) -> None:
    """A commit missing in the middle comes from its copy; without one, all is written again from the log."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    hole = tmp_path / "t" / "_delta_log" / f"{2:020d}.json"
    hole.unlink()
    assert values(mended(tmp_path / "t", log)) == WANTED
    hole.unlink()
    no_copies(tmp_path / "t")
    assert values(mended(tmp_path / "t", log)) == WANTED


def test_a_hole_nothing_can_fill_is_an_error(tmp_path: Path) -> None:
    """Where the log has dropped something, the table is left as it is and the error says from where on the log goes."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    (tmp_path / "t" / "_delta_log" / f"{2:020d}.json").unlink()
    no_copies(tmp_path / "t")
    log.trim(1)
    with pytest.raises(StoreError, match=r"damaged beyond its copies.*from 2 on only"):
        mended(tmp_path / "t", log)


@pytest.mark.parametrize("damage", some_slow("half", "zeros", "missing"))
def test_a_damaged_part_is_written_again_from_the_log(tmp_path: Path, damage: str) -> None:
    """A part that is missing, short or not Parquet any more is made anew while the log holds its batches."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    DAMAGES[damage](sorted((tmp_path / "t").glob("**/system_id=shop/*.parquet"))[1])
    telemetry = mended(tmp_path / "t", log)
    assert values(telemetry) == WANTED
    assert values(mended(tmp_path / "t", log)) == WANTED


def test_a_lost_part_is_named_and_other_systems_are_read(tmp_path: Path) -> None:
    """When the log no longer has it, questions about the system fail and say what is lost; others are answered."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    log.trim(log.end())
    sorted((tmp_path / "t").glob("**/system_id=shop/*.parquet"))[1].unlink()
    telemetry = mended(tmp_path / "t", log)
    assert values(telemetry, MALL) == [7.0]
    with pytest.raises(StoreError, match=r"1 readings of 2024-03-05 12:00:01.*offsets 2 to 3"):
        values(telemetry)


def test_a_table_that_is_gone_is_written_again_or_missed(tmp_path: Path) -> None:
    """An empty folder is filled from the log, unless the log has dropped something: that is said."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    assert values(mended(tmp_path / "new", log)) == WANTED
    log.trim(3)
    with pytest.raises(StoreError, match="offsets 1 to 3 are lost"):
        mended(tmp_path / "newer", log)


def test_torn_notes_about_what_was_verified_begin_anew(tmp_path: Path) -> None:
    """The file that says what was verified can be lost: everything is verified again."""
    log = MemoryLog()
    filled(tmp_path / "t", log)
    (tmp_path / "t" / "_opswm" / "kept.json").write_bytes(b'{"version": 3')
    telemetry = mended(tmp_path / "t", log)
    telemetry.append_metrics(SHOP, readings([("web.rps", 4, 4, 4.0)]), "b4")
    telemetry.flush()
    assert values(telemetry) == [*WANTED, 4.0]
