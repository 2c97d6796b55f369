"""What the kernel is asked for before a batch is acknowledged, seen by strace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from tests.core.store.ingest_log.appender import ROOT, SEARCH_PATH
from tests.core.store.ingest_log.logs import names

CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*?)\) += (?P<result>-?\d+)", re.MULTILINE)
WATCHED = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range,rename,renameat,renameat2"


def traced(
    folder: Path, first: int, number: int, *options: str, process: str = "acknowledger"
) -> tuple[list[tuple[str, str, int]], list[str]]:
    """Return the system calls of a process that appends, in order, and the lines it wrote.

    Skips the test where processes cannot be traced.
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    if subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("tracing is not permitted here")
    trace = next(one for one in folder.parents if one.exists()) / "trace"
    run = [sys.executable, "-m", f"tests.core.store.ingest_log.{process}", str(folder), str(first), str(number)]
    done = subprocess.run(
        [strace, "-f", "-y", "-s", "64", "-e", f"trace={WATCHED}", *options, "-o", str(trace), *run],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=SEARCH_PATH,
        timeout=120,
    )
    calls = [(found["name"], found["arguments"], int(found["result"])) for found in CALL.finditer(trace.read_text())]
    return calls, done.stdout.splitlines()


def test_the_log_is_synced_before_each_acknowledgement(tmp_path: Path) -> None:
    """Between the last write to the write-ahead log and each acknowledgement stands a sync of it, and of its name."""
    calls, lines = traced(tmp_path / "log", 0, 12)
    assert lines == [f"kept {number}" for number in range(1, 13)]
    unsynced, written, acknowledged, synced_names = False, 0, 0, False
    for name, arguments, result in calls:
        if "ingest.sqlite-wal>" in arguments and name.startswith(("write", "pwrite")):
            unsynced, written = True, written + 1
        elif "ingest.sqlite-wal>" in arguments and name in {"fsync", "fdatasync"} and result == 0:
            unsynced = False
        elif name in {"fsync", "fdatasync"} and arguments.endswith(f"<{tmp_path / 'log'}>") and written:
            synced_names = True
        elif '"kept ' in arguments:
            assert not unsynced
            assert written > 0
            assert synced_names
            acknowledged, written = acknowledged + 1, 0
    assert acknowledged == 12


@pytest.mark.parametrize("process", ["acknowledger", "store_opener"])
def test_a_new_log_is_synced_under_another_name_first(tmp_path: Path, process: str) -> None:
    """Alone or in a new store: folders are on disk first, then the file, then its name, then anything acknowledged."""
    (tmp_path / "data").mkdir()
    calls, _ = traced(tmp_path / "data" / "new" / "log", 0, 1, process=process)
    wanted: list[Callable[[str, str], bool]] = [
        lambda name, arguments: name == "fsync" and arguments.endswith(f"<{tmp_path / 'data'}>"),
        lambda name, arguments: name == "fsync" and arguments.endswith(f"<{tmp_path / 'data' / 'new'}>"),
        lambda name, arguments: name == "fsync" and "ingest.sqlite.partial>" in arguments,
        lambda name, arguments: name.startswith("rename") and "ingest.sqlite.partial" in arguments,
        lambda name, arguments: name == "fsync" and arguments.endswith(f"<{tmp_path / 'data' / 'new' / 'log'}>"),
        lambda name, arguments: name == "fsync" and "ingest.sqlite-mark>" in arguments,
        lambda name, arguments: '"kept 1' in arguments,
    ]
    for name, arguments, _ in calls:
        if wanted and wanted[0](name, arguments):
            wanted.pop(0)
    assert wanted == []


def test_a_sync_that_fails_is_no_acknowledgement(tmp_path: Path) -> None:
    """Where the disk reports an error on sync, the batch is refused; the log goes on, and no other batch is lost."""
    folder = tmp_path / "log"
    traced(folder, 0, 1)
    _, lines = traced(folder, 1, 8, "-e", "inject=fdatasync:error=EIO:when=4..5")
    kept = [f"b{number + 1}" for number, line in enumerate(lines) if line.startswith("kept")]
    refused = [line for line in lines if not line.startswith("kept")]
    assert 1 <= len(refused) <= 2
    assert all("cannot be written: disk I/O error" in line for line in refused)
    log = SqliteIngestLog(folder / "ingest.sqlite")
    found = names(log)
    assert {"b0", *kept} <= found.keys() <= {f"b{number}" for number in range(9)}
    assert set(found.values()) == {1}
    log.close()
