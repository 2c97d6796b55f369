"""Files of a log that are empty, cut, missing or overwritten: what they held is read, or the damage is reported."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from opswm.errors import StoreError
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from opswm_schemas.ports import Batch
from tests.core.store.shop import SHOP, readings

FILE = "ingest.sqlite"
NUMBER = 12


@dataclass(frozen=True)
class Crashed:
    """A log as a crash left it.

    Attributes:
        folder: Its files.
        wal_bytes: Size of the write-ahead log when the batches not in the database yet were acknowledged, by offset.
    """

    folder: Path
    wal_bytes: dict[int, int]


everywhere = pytest.mark.parametrize("number", [8, pytest.param(100, marks=pytest.mark.slow)])
"""Few places of a file, and in the slow tier many."""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    """A log whose first batches are in the database and whose last ones are in the write-ahead log alone."""
    folder = tmp_path_factory.mktemp("crashed")
    config = SqliteIngestLogConfig(checkpoint_bytes=400_000)
    log = SqliteIngestLog(folder / "open" / FILE, config)
    wal = folder / "open" / f"{FILE}-wal"
    wal_bytes: dict[int, int] = {}
    number = 0
    while number < NUMBER or not 4 < len(wal_bytes) < 9:
        header = wal.read_bytes()[:32]
        number += 1
        log.append([made(number)])
        wal_bytes = {} if wal.read_bytes()[:32] != header else wal_bytes
        wal_bytes[number] = _frames(wal)
        assert number < 100
    shutil.copytree(folder / "open", folder / "copy")
    log.close()
    return Crashed(folder / "copy", wal_bytes)


def _frames(wal: Path) -> int:
    """Return up to where frames of the present write-ahead log go; behind it, there may be older ones."""
    content = wal.read_bytes()
    page_bytes = int.from_bytes(content[8:12])
    at = 32
    while content[at + 8 : at + 16] == content[16:24]:
        at += 24 + page_bytes
    return at


def read(folder: Path) -> set[int]:
    """Open a log and return the offsets of what is read, each of which says what it said when it was acknowledged."""
    log = SqliteIngestLog(folder / FILE)
    try:
        found = log.replay(0, 1 << 30)
        for one in found:
            assert replace(one.batch, table=None) == replace(made(one.offset), table=None)
            assert one.batch.table.equals(made(one.offset).table)
        assert {one.offset for one in found} == set(range(1, log.end() + 1))
        assert log.count(found[0].batch.system) == log.end()
        return {one.offset for one in found}
    finally:
        log.close()


@cache
def made(number: int) -> Batch:
    """Return a batch of a few pages, ordered as a log hands it out."""
    chance = random.Random(number)
    rows = [(f"web.{row:04d}", float(row), 1.0 + row, chance.random()) for row in range(900)]
    return Batch(SHOP, "appender", f"b{number}", readings(rows))


def copy_of(crashed: Crashed, tmp_path: Path, *, marked: bool = True) -> Path:
    """Return a fresh copy of the crashed log, with or without its mark."""
    folder = tmp_path / "log"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(crashed.folder, folder)
    if not marked:
        (folder / f"{FILE}-mark").unlink()
    return folder


def positions(size: int, number: int) -> Iterator[int]:
    """Yield places all over a file: so many regular ones, and the first and last bytes of pages and frames."""
    yield from sorted({*range(0, size, size // number), 1, 31, 33, 8_191, 8_248, size - 8_192, size - 1})


def test_after_a_crash_everything_is_there(crashed: Crashed, tmp_path: Path) -> None:
    """What was acknowledged, in the database or the write-ahead log alone, is read, with and without the mark."""
    everything = set(range(1, max(crashed.wal_bytes) + 1))
    assert read(copy_of(crashed, tmp_path)) == everything
    assert read(copy_of(crashed, tmp_path, marked=False)) == everything


@everywhere
def test_a_write_ahead_log_cut_anywhere_is_reported(crashed: Crashed, tmp_path: Path, number: int) -> None:
    """Whatever byte it ends at, everything acknowledged is read or the loss is reported; so it is again."""
    size = (crashed.folder / f"{FILE}-wal").stat().st_size
    last = max(crashed.wal_bytes)
    reported = 0
    for position in positions(size, number):
        folder = copy_of(crashed, tmp_path)
        _cut(folder / f"{FILE}-wal", position)
        if position >= crashed.wal_bytes[last]:
            assert read(folder) == set(range(1, last + 1))
            continue
        for _ in range(2):
            with pytest.raises(StoreError, match=f"up to {last} were acknowledged"):
                read(folder)
        reported += 1
    assert reported > 4


@everywhere
def test_without_the_mark_all_that_was_kept_is_read(crashed: Crashed, tmp_path: Path, number: int) -> None:
    """Cut anywhere, each batch whose frames are there is read; so the operator may go on with what is left."""
    size = (crashed.folder / f"{FILE}-wal").stat().st_size
    for position in positions(size, number):
        folder = copy_of(crashed, tmp_path, marked=False)
        _cut(folder / f"{FILE}-wal", position)
        kept = {offset for offset, wal_bytes in crashed.wal_bytes.items() if wal_bytes <= position}
        assert read(folder) == set(range(1, min(crashed.wal_bytes))) | kept


@pytest.mark.parametrize("ending", ["", "-wal"], ids=["database", "write-ahead-log"])
def test_a_file_that_is_empty_or_gone_is_reported(crashed: Crashed, tmp_path: Path, ending: str) -> None:
    """Neither the database nor its write-ahead log can vanish or become empty without an error, again and again."""
    for damage in (Path.unlink, lambda file: _cut(file, 0)):
        folder = copy_of(crashed, tmp_path)
        damage(folder / f"{FILE}{ending}")
        for _ in range(2):
            with pytest.raises(StoreError, match=r"is gone|is empty|were acknowledged"):
                read(folder)


@everywhere
@pytest.mark.parametrize("closed", [False, True], ids=["crashed", "closed"])
def test_a_database_cut_anywhere_is_reported(crashed: Crashed, tmp_path: Path, closed: bool, number: int) -> None:
    """Whatever byte the database ends at: an error, or everything."""
    whole = copy_of(crashed, tmp_path)
    if closed:
        SqliteIngestLog(whole / FILE).close()
    shutil.move(whole, tmp_path / "whole")
    size = (tmp_path / "whole" / FILE).stat().st_size
    reported = 0
    for position in positions(size, number):
        shutil.copytree(tmp_path / "whole", whole)
        _cut(whole / FILE, position)
        reported += _reports(whole, max(crashed.wal_bytes))
        shutil.rmtree(whole)
    assert reported > 4


@everywhere
@pytest.mark.parametrize("ending", ["", "-wal"], ids=["database", "write-ahead-log"])
@pytest.mark.parametrize("overwrite", [lambda _byte: 0, lambda byte: byte ^ 0x10], ids=["zeros", "flipped bit"])
def test_sectors_overwritten_anywhere_are_reported(
    crashed: Crashed, tmp_path: Path, ending: str, overwrite: Callable[[int], int], number: int
) -> None:
    """A sector of zeros or one flipped bit anywhere: an error, or everything as it was."""
    name = f"{FILE}{ending}"
    content = (crashed.folder / name).read_bytes()
    reported = 0
    for position in positions(len(content), number):
        folder = copy_of(crashed, tmp_path)
        begin, end = (position, position + 1) if overwrite(1) else (position // 512 * 512, position // 512 * 512 + 512)
        changed = content[:begin] + bytes(overwrite(byte) for byte in content[begin:end]) + content[end:]
        (folder / name).write_bytes(changed)
        reported += _reports(folder, max(crashed.wal_bytes))
    assert reported > 4


def _reports(folder: Path, last: int) -> bool:
    """Return whether reading reports damage; where it does not, everything must be there."""
    try:
        found = read(folder)
    except StoreError:
        return True
    assert found == set(range(1, last + 1))
    return False


def _cut(file: Path, size: int) -> None:
    with file.open("r+b") as stream:
        stream.truncate(size)


def test_a_torn_mark_is_no_loss(crashed: Crashed, tmp_path: Path) -> None:
    """A mark cut anywhere costs a full check of the log and nothing else."""
    for position in range(0, 41, 5):
        folder = copy_of(crashed, tmp_path)
        _cut(folder / f"{FILE}-mark", position)
        assert read(folder) == set(range(1, max(crashed.wal_bytes) + 1))


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """Neither another database nor a text is taken for a log, or written to."""
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE notes (note)")
    connection.close()
    (tmp_path / "notes.txt").write_text("not a database at all" * 400)
    for name in ("other.sqlite", "notes.txt"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(StoreError, match=r"is no ingest log|not a database"):
            SqliteIngestLog(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_a_torn_creation_is_made_again(tmp_path: Path) -> None:
    """What a crash left of a log that was being made is replaced."""
    for ending in (".partial", ".partial-journal", "-mark"):
        (tmp_path / f"{FILE}{ending}").write_bytes(b"" if ending == "-mark" else b"torn")
    log = SqliteIngestLog(tmp_path / FILE)
    assert log.append([made(1)]) == [1]
    log.close()
    assert read(tmp_path) == {1}
