"""Jobs on this machine: shards in processes of their own, results in a folder."""

import multiprocessing
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Literal

from opswm.errors import BadInputError
from opswm.jobs.complete import Done, Shard, complete
from opswm.jobs.failures import Raised, ShardFailure
from opswm.jobs.making import make
from opswm.jobs.results import JobResults
from opswm.jobs.workers import Crew

StartMethod = Literal["spawn", "forkserver"]
"""How processes start: each anew, or from one that is kept ready. A fork of this process would share its threads."""


class LocalJobs:
    """Runs shards on this machine; see :class:`~opswm_schemas.ports.JobRunner`.

    Args:
        folder: Where jobs keep their results; one that was interrupted or killed goes on from there.
        processes: How many shards run at once; 0 runs them one after another in this process, which a shard that
            takes too much memory then ends.
        attempts: How often a shard is begun whose process dies.
        start_method: How processes start.

    Raises:
        BadInputError: When there are fewer processes than none, or not even one attempt.
    """

    def __init__(
        self, folder: Path, processes: int = 1, attempts: int = 3, start_method: StartMethod = "spawn"
    ) -> None:
        if processes < 0 or attempts < 1:
            raise BadInputError(f"{processes} processes and {attempts} attempts: at least 0 and 1 are needed")
        self._folder = folder
        self._processes = processes
        self._attempts = attempts
        self._start_method = start_method

    def run(self, job: str, shards: Mapping[str, Shard], advance: Callable[[int, int], None]) -> str:
        """Run the shards that have no whole result yet and return the digest of all results.

        Raises:
            ShardsFailedError: When shards raised, or their processes died each time; all others are done then.
            BadInputError: When another process runs the job, or a name is empty.
            StoreError: When results cannot be written.
        """
        results = JobResults(self._folder, job)
        if self._processes == 0:
            return complete(results, shards, advance, lambda missing: _one_by_one(results, missing))
        context = multiprocessing.get_context(self._start_method)
        crew = Crew(results, context, self._processes, self._attempts)
        return complete(results, shards, advance, crew.carry_out)

    def result(self, job: str, shard: str) -> bytes:
        """Return what a shard gave.

        Raises:
            NotFoundError: When it has no result.
            StoreError: When the result is damaged; running the job again makes it anew.
        """
        return JobResults(self._folder, job).read(shard)


def _one_by_one(results: JobResults, shards: Mapping[str, Shard]) -> Generator[Done | ShardFailure]:
    for shard, work in shards.items():
        made = make(work)
        if isinstance(made, Raised):
            yield ShardFailure(shard, made, 1)
        else:
            yield Done(shard, results.write(shard, made))
