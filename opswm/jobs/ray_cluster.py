"""Jobs on a Ray cluster: shards as tasks on any node, results in the same folder as those of this machine."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from socket import create_connection
from typing import Any, Final

import ray
from ray.exceptions import RayError

from opswm.errors import BadInputError, StoreError
from opswm.jobs.complete import Done, Shard, complete
from opswm.jobs.failures import Raised, ShardFailure
from opswm.jobs.making import make
from opswm.jobs.results import JobResults

_UNDER_WAY: Final = 256
"""Tasks that Ray knows of at once; more would only wait there."""
_KNOCK_S: Final = 10.0


class RayJobs:
    """Runs shards on a Ray cluster; see :class:`~opswm_schemas.ports.JobRunner`.

    Tasks return their bytes and this process writes them, so nodes share no disk. Ray begins a task again whose
    process or node died; opswm has to be installed on every node.

    Args:
        folder: Where jobs keep their results; the same as of jobs on this machine, which can go on with them.
        address: Of the cluster, such as ``10.0.0.1:6379``, or ``auto``. A connection that is open already is used
            and left open.
        attempts: How often a shard is begun whose process or node dies.
        cpus: What Ray sets aside for one shard.

    Raises:
        BadInputError: When there is not even one attempt.
    """

    def __init__(self, folder: Path, address: str = "auto", attempts: int = 3, cpus: float = 1.0) -> None:
        if attempts < 1:
            raise BadInputError(f"{attempts} attempts: at least 1 is needed")
        self._folder = folder
        self._address = address
        self._attempts = attempts
        self._cpus = cpus

    def run(self, job: str, shards: Mapping[str, Shard], advance: Callable[[int, int], None]) -> str:
        """Run the shards that have no whole result yet and return the digest of all results.

        Raises:
            ShardsFailedError: When shards raised, or their processes died each time; all others are done then.
            BadInputError: When another process runs the job from the same folder, or a name is empty.
            StoreError: When results cannot be written, or the cluster cannot be reached.
        """
        results = JobResults(self._folder, job)
        return complete(results, shards, advance, lambda missing: self._carry_out(results, missing))

    def result(self, job: str, shard: str) -> bytes:
        """Return what a shard gave.

        Raises:
            NotFoundError: When it has no result.
            StoreError: When the result is damaged; running the job again makes it anew.
        """
        return JobResults(self._folder, job).read(shard)

    def _carry_out(self, results: JobResults, shards: Mapping[str, Shard]) -> Generator[Done | ShardFailure]:
        with _connected(self._address):
            task = ray.remote(make).options(num_cpus=self._cpus, max_retries=self._attempts - 1, retry_exceptions=False)
            waiting = iter(shards.items())
            under_way: dict[Any, str] = {}
            try:
                while True:
                    for shard, work in islice(waiting, _UNDER_WAY - len(under_way)):
                        try:
                            under_way[task.remote(work)] = shard
                        except Exception as problem:  # it cannot be pickled
                            yield ShardFailure(shard, Raised.from_error(problem), 0)
                    if not under_way:
                        return
                    (ended, *_), _ = ray.wait(list(under_way), num_returns=1)
                    yield self._ended(results, under_way.pop(ended), ended)
            finally:
                for task_under_way in under_way:
                    ray.cancel(task_under_way, force=True)

    def _ended(self, results: JobResults, shard: str, ended: Any) -> Done | ShardFailure:
        try:
            made = ray.get(ended)
        except RayError as problem:  # its process or node died each time; what a shard raises comes as a value
            return ShardFailure(shard, Raised(type(problem).__name__, str(problem), ""), self._attempts)
        if isinstance(made, Raised):
            return ShardFailure(shard, made, 1)
        return Done(shard, results.write(shard, made))


@contextmanager
def _connected(address: str) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, RayError, ValueError, RuntimeError) as problem:
        raise StoreError(
            f"the Ray cluster at {address!r} cannot be reached: {problem}; name its head's host:port, or auto on a "
            "machine that is part of it"
        ) from problem
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out at once whether anybody listens, which Ray takes minutes for."""
    if address == "auto":
        return
    host, _, port = address.rpartition("://")[2].rpartition(":")
    with create_connection((host, int(port)), _KNOCK_S):
        return
