"""What is told of shards that gave no result, and what they raised, wherever they ran."""

import pickle
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opswm.errors import OpswmError

_SHOWN: Final = 5


@dataclass(frozen=True)
class Raised:
    """What a shard raised, as it travels between processes.

    Attributes:
        kind: The class of the error.
        message: What it says.
        told: The traceback.
        pickled: The error itself, where it survives the way; empty otherwise.
    """

    kind: str
    message: str
    told: str
    pickled: bytes = b""

    @classmethod
    def from_error(cls, error: BaseException) -> "Raised":
        """Describe an error.

        Args:
            error: As it was caught.
        """
        told = "".join(traceback.format_exception(error))
        return cls(type(error).__name__, str(error), told, _pickled(error))

    def error(self) -> Exception | None:
        """Return the error itself, or None where it cannot be had here."""
        if not self.pickled:
            return None
        try:
            error = pickle.loads(self.pickled)
        except Exception:  # whatever its class does when it is made again; the words are there all the same
            return None
        return error if isinstance(error, Exception) else None


def _pickled(error: BaseException) -> bytes:
    try:
        told = pickle.dumps(error)
        pickle.loads(told)
    except Exception:  # any class may refuse, in any way
        return b""
    return told


@dataclass(frozen=True)
class ShardFailure:
    """A shard without a result.

    Attributes:
        shard: Its name.
        raised: What it raised last, or why there is nothing of it.
        attempts: How often it was begun.
    """

    shard: str
    raised: Raised
    attempts: int


class ShardsFailedError(OpswmError):
    """Some shards of a job gave no result; those that did are kept, and running the job again tries the others.

    Attributes:
        job: Name of the job.
        failures: One for each shard without a result, by name.
    """

    def __init__(self, job: str, failures: Sequence[ShardFailure], num_shards: int) -> None:
        self.job = job
        self.failures = tuple(sorted(failures, key=lambda failure: failure.shard))
        self.num_shards = num_shards
        lines = [f"{one.shard}: {one.raised.kind}: {one.raised.message}" for one in self.failures[:_SHOWN]]
        more = len(self.failures) - len(lines)
        super().__init__(
            f"{len(self.failures)} of {num_shards} shards of job {job!r} failed; the others are kept, and the same "
            "command tries only these again:\n  " + "\n  ".join(lines) + (f"\n  and {more} more" if more else "")
        )

    def __reduce__(self) -> tuple[type["ShardsFailedError"], tuple[str, tuple[ShardFailure, ...], int]]:
        return type(self), (self.job, self.failures, self.num_shards)
