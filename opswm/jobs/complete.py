"""The course of every job, wherever its shards run: keep what is whole, make what is missing, report what failed."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from opswm.errors import BadInputError
from opswm.jobs.failures import ShardFailure, ShardsFailedError
from opswm.jobs.results import JobResults, digest_of

Shard = Callable[[], bytes]
"""Work on its own: a picklable function of nothing, whose result depends on nothing else."""


@dataclass(frozen=True)
class Done:
    """A shard whose result is on disk.

    Attributes:
        shard: Its name.
        digest: SHA-256 of the result.
    """

    shard: str
    digest: str


Execute = Callable[[Mapping[str, Shard]], Generator[Done | ShardFailure]]
"""Runs shards and says of each, once, how it ended."""


def complete(
    results: JobResults, shards: Mapping[str, Shard], advance: Callable[[int, int], None], execute: Execute
) -> str:
    """Run the shards that have no whole result and return the digest of all results.

    Args:
        results: Of the job.
        shards: By name.
        advance: Told how many shards are done, of how many.
        execute: Runs those that are missing.

    Raises:
        ShardsFailedError: When shards failed, after all others were done; its cause is the first error, where it
            could be had.
        BadInputError: When another process runs the job, or a shard has no name.
        StoreError: When results cannot be written.
    """
    if "" in shards:
        raise BadInputError("a shard has no name; every shard of a job needs one")
    with results.claimed():
        digests = {shard: digest for shard in shards if (digest := results.digest(shard)) is not None}
        missing = {shard: work for shard, work in shards.items() if shard not in digests}
        failures: list[ShardFailure] = []
        advance(len(digests), len(shards))
        if missing:
            with closing(execute(missing)) as ends:  # whatever stops this loop stops the work as well
                for ended in ends:
                    if isinstance(ended, ShardFailure):
                        results.note_failure(ended)
                        failures.append(ended)
                        continue
                    results.forget_failure(ended.shard)
                    digests[ended.shard] = ended.digest
                    advance(len(digests), len(shards))
    if failures:
        problem = ShardsFailedError(results.job, failures, len(shards))
        raise problem from problem.failures[0].raised.error()
    return digest_of(digests)
