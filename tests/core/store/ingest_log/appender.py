"""Processes that append under load until they are killed, and tell beforehand what was acknowledged.

Run as a script, it is a nursery: it reads the rounds of a line from standard input, forks a process for each that
appends from several threads, fills a "table" and trims behind it, waits until all are dead, and answers with the
signals they died of.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opswm.store.ingest_log.sqlite_log import SqliteIngestLog, SqliteIngestLogConfig
from opswm_schemas.ports import Batch
from tests.core.store.shop import SHOP, readings

ROOT = Path(__file__).parents[4]
SEARCH_PATH = {"PYTHONPATH": ":".join(str(ROOT / room) for room in ("", "schemas", "connectors", "api"))}
CONFIG = SqliteIngestLogConfig(checkpoint_bytes=150_000, group_bytes=20_000)


@dataclass(frozen=True)
class Round:
    """What one process does before it dies.

    Attributes:
        folder: Holds the log and what is told about it.
        prefix: Begins the ids of its batches.
        label: Failpoint at which it kills itself; empty for a random moment.
        reached: The how-manieth time it is reached.
        after_s: When it is killed from outside, unless it is dead by then; one that dies at its failpoint says so
            before, in ``reached``.
        fills: Whether it also fills the table and trims the log; one at a time may.
        threads: How many append.
    """

    folder: str
    prefix: str
    label: str
    reached: int
    after_s: float
    fills: bool = True
    threads: int = 4


def made(batch_id: str) -> Batch:
    """Return the one batch of an id: some rows that say which batch they are of."""
    chance = random.Random(batch_id)
    rows = [(f"web.{chance.random()}", float(row), 1.0 + row, chance.random()) for row in range(chance.randint(1, 60))]
    return Batch(SHOP, "appender", batch_id, readings(rows))


def tell(file: Path, *words: object) -> None:
    """Append a line at once; the system keeps it when this process is killed."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (" ".join(map(str, words)) + "\n").encode())
    os.close(handle)


def told(file: Path) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def _deadly(given: Round) -> Callable[[str], None]:
    left = [given.reached]

    def reach(label: str) -> None:
        if label == given.label:
            left[0] -= 1
            if left[0] <= 0:
                tell(Path(given.folder) / "reached", given.prefix, label)
                os.kill(os.getpid(), signal.SIGKILL)

    return reach


def live(given: Round) -> None:
    """Append from several threads and fill a table from the log, without end."""
    folder = Path(given.folder)
    log = SqliteIngestLog(folder / "ingest.sqlite", CONFIG, _deadly(given))

    def append(thread: int) -> None:
        for number in range(1_000_000):
            ids = [f"{given.prefix}-{thread}-{number}-{part}" for part in range(1 + number % 3)]
            tell(folder / "tried", *ids)
            for offset, batch_id in zip(log.append([made(one) for one in ids]), ids, strict=True):
                tell(folder / "acknowledged", offset, batch_id)

    def fill() -> None:
        while True:
            done = max((int(offset) for offset, *_ in told(folder / "table")), default=0)
            for one in log.replay(done, 30_000):
                tell(folder / "table", one.offset, one.batch.batch_id)
                done = one.offset
            log.trim(done)

    def stop(problem: threading.ExceptHookArgs) -> None:
        tell(folder / "failed", repr(problem.exc_value))
        os._exit(1)

    threading.excepthook = stop
    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(given.threads)]
    threads += [threading.Thread(target=fill)] if given.fills else []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _nursery() -> None:
    for line in sys.stdin:
        children = []
        for given in (Round(**one) for one in json.loads(line)):
            child = os.fork()
            if child == 0:
                try:
                    live(given)
                finally:
                    os._exit(1)
            children.append((child, time.monotonic() + given.after_s))
        print(json.dumps([_death(child, until) for child, until in children]), flush=True)


def _death(child: int, until: float) -> int:
    """Return the signal that a process died of, 0 where it was none, and kill it after a while."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if time.monotonic() >= until:
            os.kill(child, signal.SIGKILL)
            return os.WTERMSIG(os.waitpid(child, 0)[1])
        time.sleep(0.002)


if __name__ == "__main__":
    _nursery()
