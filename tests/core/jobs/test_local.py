"""Jobs in processes of this machine: what the port asks, and what a kill from outside leaves."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Lock

import pytest

from opswm.errors import BadInputError, StoreError
from opswm.jobs.failures import ShardsFailedError
from opswm.jobs.local import LocalJobs, StartMethod
from opswm.jobs.results import JobResults
from tests.core.jobs.conformance import JobRunnerConformance
from tests.core.jobs.work import Shards, counted, mortal, nothing, removing, runs, squares, wait_for

KILLED = """
import sys
from pathlib import Path
from opswm.jobs.failures import ShardsFailedError
from opswm.jobs.local import LocalJobs
from tests.core.jobs.work import held, nothing, squares
from functools import partial

if __name__ == "__main__":
    jobs, seen = LocalJobs(Path(sys.argv[1]), processes=2), Path(sys.argv[2])
    shards = {**squares(3, seen), "square of 4": partial(held, seen, 4), "square of 5": partial(held, seen, 5)}
    jobs.run("squares", shards, nothing)
"""


class TestTwoProcesses(JobRunnerConformance):
    """Two processes, started anew."""

    @pytest.fixture
    def jobs(self, tmp_path: Path) -> LocalJobs:
        """The runner."""
        return LocalJobs(tmp_path / "jobs", processes=2)


def test_every_way_to_run_gives_the_same_digest(tmp_path: Path) -> None:
    """In this process, in three processes, and from a server of forks: one digest."""
    ways: list[tuple[int, StartMethod]] = [(0, "spawn"), (3, "spawn"), (2, "forkserver")]
    digests = {
        LocalJobs(tmp_path / f"{index}", processes, start_method=method).run("squares", squares(7), nothing)
        for index, (processes, method) in enumerate(ways)
    }
    assert len(digests) == 1
    assert multiprocessing.active_children() == []


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """Where shards leave what they did."""
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


@pytest.fixture
def running(tmp_path: Path, seen: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has three of five shards done and waits in the other two."""
    command = [sys.executable, "-c", KILLED, str(tmp_path / "jobs"), str(seen)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(list(seen.glob("began-*"))) == 2)
        yield process
    finally:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not asked for yet does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_job_goes_on_with_what_is_missing(
    running: "subprocess.Popen[bytes]", tmp_path: Path, seen: Path, end: signal.Signals
) -> None:
    """Whoever ends the command, its processes end too, nothing is half-written, and only two shards run again."""
    workers = [int(path.read_text()) for path in seen.glob("began-*")]
    assert all(is_alive(pid) for pid in workers)
    os.kill(running.pid, end)
    assert running.wait() != 0
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    (seen / "go").touch()
    told: list[int] = []
    digest = LocalJobs(tmp_path / "jobs").run("squares", squares(5, seen), lambda done, _: told.append(done))
    assert told == [3, 4, 5]
    assert runs(seen) == [1, 1, 1, 1, 1]
    assert digest == LocalJobs(tmp_path / "quiet", processes=0).run("squares", squares(5), nothing)


def test_two_commands_do_not_run_one_job(running: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    """While one runs it, another is refused and told to wait; another job is not."""
    jobs = LocalJobs(tmp_path / "jobs", processes=0)
    with pytest.raises(BadInputError, match="is being run by another process; wait until it ends"):
        jobs.run("squares", squares(5), nothing)
    jobs.run("cubes", squares(1), nothing)


def test_what_took_too_much_is_tried_again_alone(tmp_path: Path, seen: Path) -> None:
    """A shard whose process died comes again after all the others, when nothing takes memory beside it."""
    shards: Shards = {"first": partial(mortal, seen, 1, 9), **squares(4, seen)}
    LocalJobs(tmp_path / "jobs", processes=2).run("squares", shards, nothing)
    assert (seen / "order").read_text().split()[-1] == "9"


def test_a_result_is_on_disk_before_it_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is brought to disk, renamed, its folder brought to disk, and only then is it told as done."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("sync folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "sync file")
        sync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    LocalJobs(tmp_path, processes=0).run("squares", squares(1), lambda done, total: steps.append(f"{done} of {total}"))
    assert steps == ["0 of 1", "sync file", "rename", "sync folder", "1 of 1"]


@pytest.mark.parametrize("processes", [0, 1])
def test_results_that_cannot_be_kept_end_the_job(tmp_path: Path, seen: Path, processes: int) -> None:
    """When the folder is gone the job ends at once with where and why, and what would follow is not begun."""
    jobs = LocalJobs(tmp_path / "jobs", processes)
    gone = partial(removing, JobResults(tmp_path / "jobs", "squares").path, 1)
    with pytest.raises(StoreError, match=r"'gone' cannot be written to .*No such file"):
        jobs.run("squares", {"gone": gone, "after": partial(counted, seen, 2)}, nothing)
    assert runs(seen) == []


def test_a_runner_that_cannot_run_is_refused(tmp_path: Path) -> None:
    """Fewer processes than none, no attempt, and a folder that is a file are refused."""
    with pytest.raises(BadInputError, match="at least 0 and 1 are needed"):
        LocalJobs(tmp_path, processes=-1)
    with pytest.raises(BadInputError, match="at least 0 and 1 are needed"):
        LocalJobs(tmp_path, attempts=0)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be kept"):
        LocalJobs(tmp_path / "file").run("squares", squares(1), nothing)


def test_a_job_of_nothing_that_can_travel_ends(tmp_path: Path) -> None:
    """Where no shard at all can be handed to a process, each is named and the job ends rather than wait for one."""
    stay: Shards = {name: partial(unmoved, Lock()) for name in "ab"}
    with pytest.raises(ShardsFailedError, match="2 of 2 shards"):
        LocalJobs(tmp_path, processes=2).run("stay", stay, nothing)


def unmoved(lock: object) -> bytes:
    """A shard whose argument cannot be pickled."""
    return repr(lock).encode()
