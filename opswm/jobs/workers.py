"""Processes that carry out shards: one that dies is replaced, and its shard tried again alone, a few times."""

import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Final

from opswm.errors import StoreError
from opswm.jobs.complete import Done, Shard
from opswm.jobs.failures import Raised, ShardFailure
from opswm.jobs.making import make
from opswm.jobs.results import JobResults

_PATIENCE_S: Final = 5.0


@dataclass(frozen=True)
class Unwritable:
    """A result that could not be kept, which ends the job.

    Attributes:
        message: Why.
    """

    message: str


Reply = str | Raised | Unwritable
"""The digest of a result that is on disk, what the shard raised, or why its result could not be kept."""


@dataclass(eq=False)
class Worker:
    """One process, seen from the one that orders.

    Attributes:
        process: The process.
        connection: To it.
        shard: What it works on.
    """

    process: BaseProcess
    connection: Connection
    shard: str = ""

    def order(self, shard: str, work: bytes) -> None:
        """Give it a shard; one that is dead is found out when its reply is awaited."""
        self.shard = shard
        try:
            self.connection.send((shard, work))
        except (BrokenPipeError, ConnectionResetError):
            return

    def reply(self) -> Reply | None:
        """Return what it says of its shard, or None when it died before it could."""
        try:
            found: Reply = self.connection.recv()
        except (EOFError, OSError):  # nothing, or half of it
            self.end()
            return None
        return found

    def end(self, *, at_once: bool = False) -> None:
        """End it, and wait until it has."""
        self.connection.close()
        if not at_once:
            self.process.join(_PATIENCE_S)
        for stop in (self.process.terminate, self.process.kill):
            if not self.process.is_alive():
                break
            stop()
            self.process.join(_PATIENCE_S)
        self.process.join()

    @property
    def death(self) -> str:
        """How it ended."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"by signal {signal.Signals(-code).name}"
        return f"with exit code {code}"


@dataclass
class Crew:
    """Processes that work on the shards of one job.

    Attributes:
        results: Where results go.
        context: How processes are started.
        processes: How many work at once.
        attempts: How often a shard is begun whose process dies.
    """

    results: JobResults
    context: BaseContext
    processes: int
    attempts: int
    _idle: list[Worker] = field(default_factory=list)
    _busy: list[Worker] = field(default_factory=list)

    def carry_out(self, shards: Mapping[str, Shard]) -> Generator[Done | ShardFailure]:
        """Run shards and say of each how it ended.

        One that was under way when its process died comes again after all others, with nothing beside it: most
        often memory ran out.

        Raises:
            StoreError: When a result could not be kept; the rest is given up.
        """
        fresh, again, begun = deque(shards), deque[str](), Counter[str]()
        try:
            while fresh or again or self._busy:
                while fresh and len(self._busy) < self.processes:
                    failure = self._begin(fresh.popleft(), shards, begun)
                    if failure is not None:
                        yield failure
                if again and not fresh and not self._busy:
                    self._dismiss()
                    self._begin(again.popleft(), shards, begun)
                for worker in self._ready():
                    self._busy.remove(worker)
                    reply = worker.reply()
                    if reply is not None:
                        self._idle.append(worker)
                    elif begun[worker.shard] < self.attempts:
                        again.append(worker.shard)
                        continue
                    yield self._ended(worker, reply, begun[worker.shard])
        finally:
            for worker in self._busy:  # an interrupt, or an error: what was under way leaves no trace
                worker.end(at_once=True)
            self._busy.clear()
            self._dismiss()

    def _dismiss(self) -> None:
        for worker in self._idle:
            worker.end()
        self._idle.clear()

    def _begin(self, shard: str, shards: Mapping[str, Shard], begun: Counter[str]) -> ShardFailure | None:
        try:
            work = pickle.dumps(shards[shard])
        except Exception as problem:  # whatever its parts do when they are pickled
            return ShardFailure(shard, Raised.from_error(problem), 0)
        begun[shard] += 1
        worker = self._idle.pop() if self._idle else self._started()
        self._busy.append(worker)
        worker.order(shard, work)
        return None

    def _started(self) -> Worker:
        ours, theirs = self.context.Pipe()
        arguments = (theirs, self.results.path.parent, self.results.job)
        process = self.context.Process(target=work_on, args=arguments, daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        return Worker(process, ours)

    def _ready(self) -> list[Worker]:
        if not self._busy:  # nothing could be begun
            return []
        by_end = {worker.connection: worker for worker in self._busy}
        return [by_end[end] for end in wait(list(by_end)) if isinstance(end, Connection)]

    def _ended(self, worker: Worker, reply: Reply | None, begun: int) -> Done | ShardFailure:
        if isinstance(reply, Unwritable):
            raise StoreError(reply.message)
        if isinstance(reply, str):
            return Done(worker.shard, reply)
        if reply is None:
            message = f"its process ended {worker.death} {begun} times; most likely memory ran out: run fewer at once"
            reply = Raised("ProcessDied", message, "")
        return ShardFailure(worker.shard, reply, begun)


def work_on(connection: Connection, folder: Path, job: str) -> None:
    """Carry out shards until there are no more; the main function of a process.

    Args:
        connection: To the process that orders; it ends with that process.
        folder: Where the jobs are.
        job: Name of the job.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt goes to all; the one that orders decides
    Thread(target=_end_with_parent, daemon=True).start()
    results = JobResults(folder, job)
    while True:
        try:
            shard, work = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(_outcome(results, shard, work))


def _outcome(results: JobResults, shard: str, work: bytes) -> Reply:
    try:
        made = make(pickle.loads(work))
    except Exception as problem:  # it cannot be unpickled here
        return Raised.from_error(problem)
    if isinstance(made, Raised):
        return made
    try:
        return results.write(shard, made)
    except StoreError as problem:
        return Unwritable(str(problem))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
